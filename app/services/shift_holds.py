"""Times that people hold by their places at shifts: no two of one person overlap."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.core.db import Row, Session
from app.core.errors import Refusal
from app.queries import shift_holds as queries
from app.queries.shift_holds import NewHold


class ShiftClash(Refusal):
    """Facts: the other shift."""

    code, status, title = "signups.clash", 409, "Another shift at that time"
    zh, en = "与您已有的班次时间冲突", "You have another shift at that time."
    fact_names = ("activity_id", "activity", "session", "starts_at", "ends_at")


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


async def change_hands(tx: Session, holders: Mapping[UUID, UUID]) -> list[ShiftClash]:
    """Give the times of sign-ups to other people, by sign-up; return what is in the way.

    All are released first: who swaps two shifts that overlap has one of them at a time. What has no
    time held, has none afterwards.
    """
    clashes = await hold(tx, await queries.release(tx, holders))
    return list(clashes.values())


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
