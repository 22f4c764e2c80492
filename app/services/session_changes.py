"""What other times and another capacity of a session are to those who signed up for it."""

from datetime import datetime

from app.core.db import Session
from app.core.errors import Refusal
from app.models.activities import Activity
from app.models.sessions import ActivitySession
from app.queries import sessions as queries
from app.queries import shift_holds as hold_queries
from app.queries import swaps as swap_queries
from app.services import shift_holds, waiting_lists


class SessionClash(Refusal):
    """Facts: ``used``, how many people have another shift at the new times."""

    code, status, title = "sessions.clash", 409, "Other shifts then"
    zh, en = (
        "新时间与部分人员的其他班次冲突",
        "People with a place at the shift have another one at the new times.",
    )
    fact_names = ("used",)


async def retime(tx: Session, one: ActivitySession) -> None:
    """Move the times that sign-ups to a session hold to its new times, and the ends of swaps.

    Precondition: the activity is locked, under which alone times of its sessions are held. Raises
    SessionClash.
    """
    held = await hold_queries.lift_session(tx, one.activity_id, one.number)
    moved = [hold._replace(starts_at=one.starts_at, ends_at=one.ends_at) for hold in held]
    if clashes := await shift_holds.hold(tx, moved):
        raise SessionClash(used=len(clashes))
    if one.post_id is not None:
        await swap_queries.retime(tx, one.activity_id)


async def fill(tx: Session, activity: Activity, one: ActivitySession, at: datetime) -> None:
    """Give the places of a session's new capacity to who waits; both rows are read anew."""
    room, sessions = await waiting_lists.lock(tx, activity.id, one.number)
    if await waiting_lists.fill(tx, room.seats, sessions, at):
        await waiting_lists.save(tx, room.seats, sessions)
        await queries.reread(tx, activity, one)
