"""SQL of sign-ups. The activity's row is locked first: its counters decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.db import Session


@dataclass(slots=True)
class Seats:
    """A locked activity; claiming moves the counters on."""

    id: UUID
    status: str
    signup_opens_at: datetime
    signup_closes_at: datetime
    ends_at: datetime
    capacity: int | None
    signups_confirmed: int
    signups_waitlisted: int
    last_queue_number: int


@dataclass(frozen=True, slots=True)
class SignupRow:
    """A sign-up with its place in the waiting list (from 1), if it waits."""

    id: UUID
    activity_id: UUID
    person_id: UUID
    status: str
    created_at: datetime
    position: int | None


@dataclass(frozen=True, slots=True)
class NewSignup:
    id: UUID
    activity_id: UUID
    person_id: UUID
    status: str
    queue_number: int | None
    created_at: datetime


LOCK_SEATS = """
SELECT id, status, signup_opens_at, signup_closes_at, ends_at, capacity, signups_confirmed,
       signups_waitlisted, last_queue_number
FROM activities WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
"""

_WITH_POSITION = """
SELECT s.id, s.activity_id, s.person_id, s.status, s.created_at,
       CASE WHEN s.status = 'waitlisted' THEN
           (SELECT count(*) FROM signups w WHERE w.activity_id = s.activity_id
            AND w.status = 'waitlisted' AND w.queue_number <= s.queue_number)
       END AS position
FROM signups s
"""

_LIVING = f"""
{_WITH_POSITION}
JOIN unnest(CAST(:activities AS uuid[]), CAST(:people AS uuid[])) AS k(activity_id, person_id)
  ON s.activity_id = k.activity_id AND s.person_id = k.person_id
WHERE s.status <> 'cancelled'
"""

_INSERT = """
INSERT INTO signups (id, activity_id, person_id, status, queue_number, created_at)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:activity_id AS uuid[]),
    CAST(:person_id AS uuid[]), CAST(:status AS text[]), CAST(:queue_number AS int[]),
    CAST(:created_at AS timestamptz[]))
"""

_SET_COUNTERS = """
UPDATE activities a SET signups_confirmed = k.confirmed, signups_waitlisted = k.waitlisted,
                        last_queue_number = k.queue_number
FROM unnest(CAST(:ids AS uuid[]), CAST(:confirmed AS int[]), CAST(:waitlisted AS int[]),
            CAST(:queue_numbers AS int[])) AS k(id, confirmed, waitlisted, queue_number)
WHERE a.id = k.id
"""

# The sign-up is locked before its activity, as a check-in does it.
_LOCK_OWN = text(f"{_WITH_POSITION} WHERE s.id = :id AND s.person_id = :person FOR UPDATE OF s")

_CHECKED_IN = text("""
SELECT 1 FROM checkins WHERE activity_id = :activity AND person_id = :person LIMIT 1
""")

_CANCEL = text("""
UPDATE signups SET status = 'cancelled', cancelled_at = :at, queue_number = NULL
WHERE id = :id AND status <> 'cancelled' RETURNING old.status
""")

# SKIP LOCKED: who is giving up the waiting at this moment is not promoted.
_PROMOTE = text("""
UPDATE signups SET status = 'confirmed', queue_number = NULL
WHERE id = (SELECT id FROM signups WHERE activity_id = :activity AND status = 'waitlisted'
            ORDER BY queue_number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING person_id
""")

_PAGE = text(f"""
{_WITH_POSITION}
WHERE s.person_id = :person AND (CAST(:before AS uuid) IS NULL OR s.id < :before)
ORDER BY s.id DESC LIMIT :limit
""")

_TITLE = text("SELECT title FROM activities WHERE id = :id")


async def lock_seats(session: Session, activities: Sequence[UUID]) -> dict[UUID, Seats]:
    """Lock activities in the order of their ids, once."""
    rows = await session.fetch(LOCK_SEATS, {"ids": list(activities)})
    return {row["id"]: Seats(**row) for row in rows}


async def living(
    session: Session, pairs: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], SignupRow]:
    """Read sign-ups that are not cancelled, by (activity, person)."""
    rows = await session.fetch(
        _LIVING, {"activities": [a for a, _ in pairs], "people": [p for _, p in pairs]}
    )
    return {(row["activity_id"], row["person_id"]): SignupRow(**row) for row in rows}


async def insert(session: Session, signups: Sequence[NewSignup]) -> None:
    names = NewSignup.__dataclass_fields__
    await session.fetch(_INSERT, {n: [getattr(one, n) for one in signups] for n in names})


async def set_counters(session: Session, seats: Sequence[Seats]) -> None:
    """Write the counters of locked activities."""
    await session.fetch(
        _SET_COUNTERS,
        {
            "ids": [one.id for one in seats],
            "confirmed": [one.signups_confirmed for one in seats],
            "waitlisted": [one.signups_waitlisted for one in seats],
            "queue_numbers": [one.last_queue_number for one in seats],
        },
    )


async def lock_own(session: Session, signup_id: UUID, person: UUID) -> SignupRow | None:
    """Lock a person's own sign-up."""
    row = (await session.execute(_LOCK_OWN, {"id": signup_id, "person": person})).mappings()
    found = row.one_or_none()
    return SignupRow(**found) if found else None


async def has_checked_in(session: Session, activity: UUID, person: UUID) -> bool:
    row = await session.execute(_CHECKED_IN, {"activity": activity, "person": person})
    return row.first() is not None


async def cancel(session: Session, signup_id: UUID, at: datetime) -> str | None:
    """Cancel; return the status before, None if it was cancelled already."""
    row = await session.execute(_CANCEL, {"id": signup_id, "at": at})
    before: str | None = row.scalar_one_or_none()
    return before


async def promote_first(session: Session, activity: UUID) -> UUID | None:
    """Confirm the first of the waiting list of a locked activity; return the person."""
    row = await session.execute(_PROMOTE, {"activity": activity})
    person: UUID | None = row.scalar_one_or_none()
    return person


async def page(session: Session, person: UUID, before: UUID | None, limit: int) -> list[SignupRow]:
    """Read a person's sign-ups, newest first."""
    rows = await session.execute(_PAGE, {"person": person, "before": before, "limit": limit})
    return [SignupRow(**row) for row in rows.mappings()]


async def title_of(session: Session, activity: UUID) -> str:
    found: Any = (await session.execute(_TITLE, {"id": activity})).scalar_one()
    return str(found)
