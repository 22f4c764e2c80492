"""Times that people hold by their places at shifts: no two of one person overlap."""

from collections.abc import Sequence
from uuid import UUID

from app.core.db import Row, Session
from app.core.errors import Refusal
from app.models.sessions import ActivitySession
from app.queries import shift_holds as queries
from app.queries import swaps as swap_queries
from app.queries.shift_holds import NewHold


class ShiftClash(Refusal):
    """Facts: the other shift."""

    code, status, title = "signups.clash", 409, "Another shift at that time"
    zh, en = "与您已有的班次时间冲突", "You have another shift at that time."
    fact_names = ("activity_id", "activity", "session", "starts_at", "ends_at")


class SessionClash(Refusal):
    """Facts: ``used``, how many people have another shift at the new times."""

    code, status, title = "sessions.clash", 409, "Other shifts then"
    zh, en = (
        "新时间与部分人员的其他班次冲突",
        "People with a place at the shift have another one at the new times.",
    )
    fact_names = ("used",)


async def hold(tx: Session, wanted: Sequence[NewHold]) -> dict[UUID, ShiftClash]:
    """Hold the times of new places; return what the others are refused with, by sign-up.

    Nothing is asked of the database for nothing.
    """
    if not wanted:
        return {}
    held = await queries.take(tx, wanted)
    missing = [one for one in wanted if one.signup_id not in held]
    if not missing:
        return {}
    others = await queries.others(tx, missing)
    return {one.signup_id: _clash(others, one) for one in missing}


async def retime(tx: Session, one: ActivitySession) -> None:
    """Move the times that sign-ups to a session hold to its new times, and the ends of swaps.

    Precondition: the activity is locked, under which alone times of its sessions are held. Raises
    SessionClash.
    """
    held = await queries.lift_session(tx, one.activity_id, one.number)
    moved = [at._replace(starts_at=one.starts_at, ends_at=one.ends_at) for at in held]
    if clashes := await hold(tx, moved):
        raise SessionClash(used=len(clashes))
    if one.post_id is not None:
        await swap_queries.retime(tx, one.activity_id)


def _clash(others: dict[UUID, Row], wanted: NewHold) -> ShiftClash:
    """Return the refusal. The other hold may have ended since: then the wanted times are said."""
    other = others.get(wanted.signup_id)
    if other is None:
        return ShiftClash(starts_at=wanted.starts_at, ends_at=wanted.ends_at)
    return ShiftClash(
        activity_id=str(other.activity_id),
        activity=other.title,
        session=other.session,
        starts_at=other.starts_at,
        ends_at=other.ends_at,
    )
