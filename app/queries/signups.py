"""SQL of sign-ups. The activity's row, with the counters, is locked first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row as NamedRow
from sqlalchemy import text, update
from sqlmodel import col, select

from app.core.clock import midnight
from app.core.db import Row, Session
from app.models.activities import Activity
from app.models.checkins import Checkin
from app.models.signups import Signup, SignupStatus


@dataclass(slots=True)
class Seats:
    """A locked activity. Claims change the counters."""

    id: UUID
    status: str
    signup_opens_at: datetime
    signup_closes_at: datetime
    starts_at: datetime
    ends_at: datetime
    capacity: int | None
    signups_confirmed: int
    signups_waitlisted: int
    last_queue_number: int


@dataclass(frozen=True, slots=True)
class SignupRow:
    """A sign-up with its position in the waiting list (from 1), if it waits."""

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
SELECT id, status, signup_opens_at, signup_closes_at, starts_at, ends_at, capacity,
       signups_confirmed, signups_waitlisted, last_queue_number
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

# The sign-up is locked before its activity, in the same order as by a check-in.
_LOCK_OWN = text(f"{_WITH_POSITION} WHERE s.id = :id AND s.person_id = :person FOR UPDATE OF s")

_LOCK_OF = text(f"{_WITH_POSITION} WHERE s.id = :id AND s.activity_id = :activity FOR UPDATE OF s")

_CANCEL = text("""
UPDATE signups SET status = 'cancelled', cancelled_at = :at, queue_number = NULL
WHERE id = :id AND status <> 'cancelled' RETURNING old.status
""")

# SKIP LOCKED: one that is being cancelled is not promoted.
_PROMOTE = text("""
UPDATE signups SET status = 'confirmed', queue_number = NULL
WHERE id IN (SELECT id FROM signups WHERE activity_id = :activity AND status = 'waitlisted'
            ORDER BY queue_number LIMIT :number FOR UPDATE SKIP LOCKED)
RETURNING person_id
""")

# Numbered in the order of their ids, before everybody who waits.
_PUT_BACK = text("""
WITH latest AS (
    SELECT s.id FROM signups s
    WHERE s.activity_id = :activity AND s.status = 'confirmed' AND NOT EXISTS (
        SELECT FROM checkins c WHERE c.activity_id = s.activity_id AND c.person_id = s.person_id)
    ORDER BY s.id DESC LIMIT :number FOR UPDATE OF s SKIP LOCKED
), numbered AS (
    SELECT id, coalesce((SELECT min(queue_number) FROM signups WHERE activity_id = :activity
                         AND status = 'waitlisted'), CAST(:last AS int) + 1)
               - row_number() OVER (ORDER BY id DESC) AS queue_number
    FROM latest
)
UPDATE signups s SET status = 'waitlisted', queue_number = n.queue_number
FROM numbered n WHERE s.id = n.id
RETURNING s.person_id
""")

_PAGE = text("""
SELECT s.id, s.activity_id, s.status, s.created_at,
       CASE WHEN s.status = 'waitlisted' THEN
           (SELECT count(*) FROM signups w WHERE w.activity_id = s.activity_id
            AND w.status = 'waitlisted' AND w.queue_number <= s.queue_number)
       END AS position,
       a.title, a.status AS activity_status, a.starts_at, a.ends_at, a.location_name,
       c.checked_in_at, w.state AS award_state, w.points, w.minutes
FROM signups s JOIN activities a ON a.id = s.activity_id
LEFT JOIN checkins c ON c.activity_id = s.activity_id AND c.session = 0
                    AND c.person_id = s.person_id AND s.status <> 'cancelled'
LEFT JOIN checkouts o ON o.checkin_id = c.id
LEFT JOIN LATERAL (
    SELECT * FROM corrections r WHERE r.checkin_id = c.id ORDER BY r.number DESC LIMIT 1
) r ON true
LEFT JOIN awards w ON w.id = CASE WHEN r.id IS NULL THEN coalesce(o.award_id, c.award_id)
                                  ELSE r.award_id END
WHERE s.person_id = :person AND (CAST(:before AS uuid) IS NULL OR s.id < :before)
ORDER BY s.id DESC LIMIT :limit
""")

# Each sign-up is locked before its activity, as by a cancellation.
_AHEAD = """
SELECT s.id, s.activity_id, s.person_id, s.status, s.created_at,
       CAST(NULL AS int) AS position
FROM signups s JOIN activities a ON a.id = s.activity_id
WHERE s.person_id = :person AND s.status <> 'cancelled' AND a.ends_at > CAST(:at AS timestamptz)
  AND NOT EXISTS (
      SELECT FROM checkins c WHERE c.activity_id = s.activity_id AND c.person_id = s.person_id)
ORDER BY s.id FOR UPDATE OF s
"""

# ON CONFLICT: of concurrent workers only the one that inserts the row reminds. The list "/" has all
# activities by start.
_REMIND = """
WITH due AS (
    SELECT s.id, s.person_id, a.id AS activity_id, a.title, a.starts_at
    FROM activity_lists l JOIN activities a ON a.id = l.activity_id
    JOIN signups s ON s.activity_id = a.id AND s.status = 'confirmed'
    WHERE l.list = '/' AND l.status = 'published'
      AND l.starts_at >= :since AND l.starts_at < :until
      AND NOT EXISTS (SELECT FROM signup_reminders r WHERE r.signup_id = s.id AND r.day = :day)
    ORDER BY s.id LIMIT :limit
), noted AS (
    INSERT INTO signup_reminders (signup_id, day) SELECT id, :day FROM due
    ON CONFLICT DO NOTHING
    RETURNING signup_id
)
SELECT due.person_id, due.activity_id, due.title, due.starts_at
FROM due JOIN noted ON noted.signup_id = due.id
"""


async def lock_seats(session: Session, activities: Sequence[UUID]) -> dict[UUID, Seats]:
    """Lock activities in the order of their ids."""
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
    """Lock a person's own sign-up; None if there is none."""
    row = (await session.execute(_LOCK_OWN, {"id": signup_id, "person": person})).mappings()
    found = row.one_or_none()
    return SignupRow(**found) if found else None


async def lock_of(session: Session, signup_id: UUID, activity: UUID) -> SignupRow | None:
    """Lock a sign-up to an activity; None if there is none."""
    row = await session.execute(_LOCK_OF, {"id": signup_id, "activity": activity})
    found = row.mappings().one_or_none()
    return SignupRow(**found) if found else None


async def lock_ahead(session: Session, person: UUID, at: datetime) -> list[SignupRow]:
    """Lock a person's sign-ups to what is not over, without a check-in; positions are not read."""
    rows = await session.fetch(_AHEAD, {"person": person, "at": at})
    return [SignupRow(**row) for row in rows]


async def give_to(session: Session, ids: Sequence[UUID], person: UUID) -> None:
    """Give locked sign-ups to another person."""
    given = update(Signup).where(col(Signup.id).in_(ids)).values(person_id=person)
    await session.execute(given)


async def checked_in_at(session: Session, activity: UUID, person: UUID) -> datetime | None:
    """Return when a person checked in; None if that has not happened."""
    query = select(Checkin.checked_in_at).filter_by(activity_id=activity, person_id=person)
    return (await session.exec(query.limit(1))).first()


async def cancel(session: Session, signup_id: UUID, at: datetime) -> str | None:
    """Cancel; return the previous status, None if it was cancelled already."""
    row = await session.execute(_CANCEL, {"id": signup_id, "at": at})
    before: str | None = row.scalar_one_or_none()
    return before


async def promote_first(session: Session, activity: UUID, number: int) -> list[UUID]:
    """Confirm the first of the waiting list of a locked activity; return the people."""
    rows = await session.execute(_PROMOTE, {"activity": activity, "number": number})
    return list(rows.scalars())


async def put_back_latest(session: Session, seats: Seats, number: int) -> list[UUID]:
    """Move the latest sign-ups with a place to the head of the waiting list; return the people.

    Not those who have checked in, or whose sign-up is locked: it is being cancelled.
    """
    wanted = {"activity": seats.id, "number": number, "last": seats.last_queue_number}
    rows = await session.execute(_PUT_BACK, wanted)
    return list(rows.scalars())


async def people_of(session: Session, activity: UUID) -> list[UUID]:
    """Read who has signed up to an activity, and not cancelled."""
    query = select(Signup.person_id).where(
        Signup.activity_id == activity, Signup.status != SignupStatus.cancelled
    )
    return list(await session.exec(query))


async def page(
    session: Session, person: UUID, before: UUID | None, limit: int
) -> Sequence[NamedRow[Any]]:
    """Read a person's sign-ups, newest first: with the activity, the check-in and its award."""
    rows = await session.execute(_PAGE, {"person": person, "before": before, "limit": limit})
    return rows.all()


async def title_and_start(session: Session, activity: UUID) -> dict[str, Any]:
    """Read ``title`` and ``starts_at`` of an activity."""
    query = select(Activity.title, Activity.starts_at).where(Activity.id == activity)
    title, starts_at = (await session.exec(query)).one()
    return {"title": title, "starts_at": starts_at}


async def remind(session: Session, day: date, limit: int) -> list[Row]:
    """Record reminders for the activities of a day, one for each confirmed sign-up.

    Return ``person_id``, ``activity_id``, ``title`` and ``starts_at`` of the new ones.
    """
    wanted = {"day": day, "since": midnight(day), "until": midnight(day + timedelta(days=1))}
    return await session.fetch(_REMIND, wanted | {"limit": limit})
