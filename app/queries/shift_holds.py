"""SQL of the times that people hold by their places at shifts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select

from app.core.db import Row, Session, columns
from app.models.shift_holds import ShiftHold
from app.models.signups import Signup


class NewHold(NamedTuple):
    signup_id: UUID
    person_id: UUID
    starts_at: datetime
    ends_at: datetime


# In the order of people, as each transaction does. One that would overlap waits for the other's
# transaction, and is left out if that commits.
TAKE = """
INSERT INTO shift_holds (signup_id, person_id, during)
SELECT signup_id, person_id, tstzrange(starts_at, ends_at)
FROM unnest(CAST(:signup_id AS uuid[]), CAST(:person_id AS uuid[]),
            CAST(:starts_at AS timestamptz[]), CAST(:ends_at AS timestamptz[]))
    AS k(signup_id, person_id, starts_at, ends_at)
ORDER BY person_id
ON CONFLICT DO NOTHING
RETURNING signup_id
"""

_OTHERS = """
SELECT DISTINCT ON (k.signup_id) k.signup_id, s.activity_id, s.session, a.title,
       lower(h.during) AS starts_at, upper(h.during) AS ends_at
FROM unnest(CAST(:signup_id AS uuid[]), CAST(:person_id AS uuid[]),
            CAST(:starts_at AS timestamptz[]), CAST(:ends_at AS timestamptz[]))
    AS k(signup_id, person_id, starts_at, ends_at)
JOIN shift_holds h ON h.person_id = k.person_id
                  AND h.during && tstzrange(k.starts_at, k.ends_at)
JOIN signups s ON s.id = h.signup_id JOIN activities a ON a.id = s.activity_id
ORDER BY k.signup_id, lower(h.during)
"""

_HELD = "signup_id, person_id, lower(during) AS starts_at, upper(during) AS ends_at"

_LIFT = f"""
DELETE FROM shift_holds WHERE signup_id = ANY(CAST(:ids AS uuid[])) RETURNING {_HELD}
"""  # noqa: S608 - a constant

_END = "DELETE FROM shift_holds WHERE signup_id = ANY(CAST(:ids AS uuid[]))"

_GIVE = """
UPDATE shift_holds SET person_id = :person WHERE signup_id = ANY(CAST(:ids AS uuid[]))
"""

_CLASHING = """
SELECT h.signup_id FROM shift_holds h
WHERE h.signup_id = ANY(CAST(:ids AS uuid[])) AND EXISTS (
    SELECT FROM shift_holds o WHERE o.person_id = :person AND o.during && h.during)
"""


async def take(session: Session, holds: Sequence[NewHold]) -> set[UUID]:
    """Hold times, but for those that overlap; return the sign-ups of those that are held."""
    return {row.signup_id for row in await session.fetch(TAKE, columns(holds))}


async def others(session: Session, holds: Sequence[NewHold]) -> dict[UUID, Row]:
    """Read what each of these overlaps with: activity, session, title and times."""
    return {row.signup_id: row for row in await session.fetch(_OTHERS, columns(holds))}


async def end(session: Session, signups: Collection[UUID]) -> None:
    await session.fetch(_END, {"ids": list(signups)})


async def lift(session: Session, signups: Collection[UUID]) -> list[NewHold]:
    """End the times of sign-ups; return them, to be taken by others or anew."""
    return [NewHold(*row) for row in await session.fetch(_LIFT, {"ids": list(signups)})]


async def lift_session(session: Session, activity: UUID, number: int) -> list[NewHold]:
    """End the times of all sign-ups to a session of a locked activity; return them."""
    of_session = select(Signup.id).filter_by(activity_id=activity, session=number)
    return await lift(session, list(await session.exec(of_session)))


async def end_activity(session: Session, activity: UUID) -> None:
    """End the times of all sign-ups to a locked activity."""
    signups = select(Signup.id).where(Signup.activity_id == activity)
    await session.execute(delete(ShiftHold).where(col(ShiftHold.signup_id).in_(signups)))


async def clashing(session: Session, signups: Collection[UUID], person: UUID) -> set[UUID]:
    """Read which of the sign-ups hold a time at which a person has another shift."""
    rows = await session.fetch(_CLASHING, {"ids": list(signups), "person": person})
    return {row.signup_id for row in rows}


async def give_to(session: Session, signups: Collection[UUID], person: UUID) -> None:
    """Give the times of sign-ups to another person, of whom none overlaps."""
    await session.fetch(_GIVE, {"ids": list(signups), "person": person})
