"""SQL of places and waiting lists. An activity's row is locked first, then its sessions'."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.core.db import Row, Session, columns


@dataclass(slots=True)
class Seats:
    """A locked activity. Claims change the counters; ``signups_confirmed`` counts places.

    ``has_form``: there are questions to who signs up; known of locked ones alone.
    """

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
    signup_for: str
    signup_terms: str | None
    eligibility: str | None
    for_minors: bool
    has_form: bool = False


@dataclass(slots=True)
class SessionSeats:
    """A locked session to which people sign up singly. ``is_shift``: it has a post."""

    activity_id: UUID
    number: int
    starts_at: datetime
    ends_at: datetime
    capacity: int | None
    signups_confirmed: int
    signups_waitlisted: int
    last_queue_number: int
    is_shift: bool


class Waiting(NamedTuple):
    """A waiting list with so many free places.

    ``begins``, ``ends``: of a shift, where nobody is promoted who has another one at that time;
    None: of none. ``offer_until``: None: who moves up has the place at once.
    """

    session: int
    free: int
    begins: datetime | None
    ends: datetime | None
    offer_until: datetime | None


class Moved(NamedTuple):
    """Somebody who moved up, or back: ``places`` with friends."""

    signup_id: UUID
    session: int
    person_id: UUID
    places: int


LOCK_SEATS = """
SELECT id, status, signup_opens_at, signup_closes_at, starts_at, ends_at, capacity,
       signups_confirmed, signups_waitlisted, last_queue_number, signup_for, signup_terms,
       eligibility, for_minors,
       EXISTS (SELECT FROM activity_forms f WHERE f.activity_id = activities.id) AS has_form
FROM activities WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
"""

_SESSION = """
n.activity_id, n.number, n.starts_at, n.ends_at, n.capacity, n.signups_confirmed,
n.signups_waitlisted, n.last_queue_number, n.post_id IS NOT NULL AS is_shift
"""

LOCK_SESSIONS = f"""
SELECT {_SESSION} FROM activity_sessions n
JOIN unnest(CAST(:activities AS uuid[]), CAST(:numbers AS int[])) AS k(activity_id, number)
  ON n.activity_id = k.activity_id AND n.number = k.number
ORDER BY n.activity_id, n.number FOR UPDATE OF n
"""  # noqa: S608 - a constant

_LOCK_ALL = f"""
SELECT {_SESSION} FROM activity_sessions n WHERE n.activity_id = ANY(CAST(:activities AS uuid[]))
ORDER BY n.activity_id, n.number FOR UPDATE OF n
"""  # noqa: S608 - a constant

_SET_COUNTERS = """
UPDATE activities a SET signups_confirmed = k.confirmed, signups_waitlisted = k.waitlisted,
                        last_queue_number = k.queue_number
FROM unnest(CAST(:ids AS uuid[]), CAST(:confirmed AS int[]), CAST(:waitlisted AS int[]),
            CAST(:queue_numbers AS int[])) AS k(id, confirmed, waitlisted, queue_number)
WHERE a.id = k.id
"""

_SET_SESSION_COUNTERS = """
UPDATE activity_sessions n SET signups_confirmed = k.confirmed, signups_waitlisted = k.waitlisted,
                               last_queue_number = k.queue_number
FROM unnest(CAST(:activities AS uuid[]), CAST(:numbers AS int[]), CAST(:confirmed AS int[]),
            CAST(:waitlisted AS int[]), CAST(:queue_numbers AS int[]))
    AS k(activity_id, number, confirmed, waitlisted, queue_number)
WHERE n.activity_id = k.activity_id AND n.number = k.number
"""

# The first of each list that fit into its free places, all together into those of the activity.
# Nobody overtakes: who needs more places than are free lets nobody pass. SKIP LOCKED: a sign-up
# that is being cancelled concurrently is not promoted. Who has another shift at that time is passed
# over; ON CONFLICT: also who gets one in this moment.
PROMOTE = """
WITH waiting AS (
    SELECT l.session, l.free, l.begins, l.ends, l.offer_until, w.*
    FROM unnest(CAST(:session AS int[]), CAST(:free AS int[]), CAST(:begins AS timestamptz[]),
                CAST(:ends AS timestamptz[]), CAST(:offer_until AS timestamptz[]))
        AS l(session, free, begins, ends, offer_until)
    CROSS JOIN LATERAL (
        SELECT s.id, s.person_id, s.queue_number, 1 + s.friends AS places FROM signups s
        WHERE s.activity_id = :activity AND s.session = l.session AND s.status = 'waitlisted'
          AND (l.begins IS NULL OR NOT EXISTS (
              SELECT FROM shift_holds h
              WHERE h.person_id = s.person_id AND h.during && tstzrange(l.begins, l.ends)))
        ORDER BY s.queue_number LIMIT l.free FOR UPDATE OF s SKIP LOCKED
    ) w
), fitting AS (
    SELECT *, sum(places) OVER (PARTITION BY session ORDER BY queue_number) AS upto FROM waiting
), chosen AS (
    SELECT *, sum(places) OVER (ORDER BY queue_number, id) AS total FROM fitting WHERE upto <= free
), held AS (
    INSERT INTO shift_holds (signup_id, person_id, during)
    SELECT id, person_id, tstzrange(begins, ends) FROM chosen
    WHERE total <= :total AND begins IS NOT NULL ORDER BY person_id, queue_number, id
    ON CONFLICT DO NOTHING
    RETURNING signup_id
)
UPDATE signups s SET status = CASE WHEN c.offer_until IS NULL THEN 'confirmed' ELSE 'offered' END,
                     offer_until = c.offer_until, queue_number = NULL,
                     given_at = CAST(:at AS timestamptz)
FROM chosen c
WHERE s.id = c.id AND c.total <= :total
  AND (c.begins IS NULL OR c.id IN (SELECT signup_id FROM held))
RETURNING s.id AS signup_id, s.session, s.person_id, c.places
"""

# The latest that have so many places together, numbered in the order of their ids, before everybody
# who waits.
PUT_BACK = """
WITH latest AS (
    SELECT s.id, s.session, 1 + s.friends AS places FROM signups s
    WHERE s.activity_id = :activity AND s.status IN ('confirmed', 'offered')
      AND s.session = ANY(CAST(:sessions AS int[]))
      AND NOT EXISTS (
          SELECT FROM checkins c WHERE c.activity_id = s.activity_id AND c.person_id = s.person_id
                                   AND s.session IN (0, c.session))
    ORDER BY s.id DESC LIMIT :number FOR UPDATE OF s SKIP LOCKED
), summed AS (
    SELECT *, sum(places) OVER (ORDER BY id DESC) AS upto FROM latest
), chosen AS (
    SELECT *, row_number() OVER (PARTITION BY session ORDER BY id DESC) AS back
    FROM summed WHERE upto - places < :number
), heads AS (
    SELECT l.session, coalesce(
        (SELECT min(w.queue_number) FROM signups w
         WHERE w.activity_id = :activity AND w.session = l.session AND w.status = 'waitlisted'),
        l.last + 1) AS head
    FROM unnest(CAST(:sessions AS int[]), CAST(:lasts AS int[])) AS l(session, last)
), freed AS (
    DELETE FROM shift_holds WHERE signup_id IN (SELECT id FROM chosen)
)
UPDATE signups s SET status = 'waitlisted', queue_number = h.head - c.back, offer_until = NULL
FROM chosen c JOIN heads h ON h.session = c.session
WHERE s.id = c.id
RETURNING s.id AS signup_id, s.session, s.person_id, c.places
"""


async def lock_seats(session: Session, activities: Sequence[UUID]) -> dict[UUID, Seats]:
    """Lock activities in the order of their ids."""
    rows = await session.fetch(LOCK_SEATS, {"ids": list(activities)})
    return {row["id"]: Seats(**row) for row in rows}


async def lock_sessions(
    session: Session, keys: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], SessionSeats]:
    """Lock sessions (activity, number) of locked activities, in this order."""
    wanted = {"activities": [one for one, _ in keys], "numbers": [number for _, number in keys]}
    return _by_key(await session.fetch(LOCK_SESSIONS, wanted))


async def lock_all_sessions(
    session: Session, activities: Sequence[UUID]
) -> dict[tuple[UUID, int], SessionSeats]:
    """Lock all sessions of locked activities, in the order of activities and numbers."""
    return _by_key(await session.fetch(_LOCK_ALL, {"activities": list(activities)}))


def _by_key(rows: Sequence[Row]) -> dict[tuple[UUID, int], SessionSeats]:
    return {(row.activity_id, row.number): SessionSeats(**row) for row in rows}


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


async def set_session_counters(session: Session, sessions: Sequence[SessionSeats]) -> None:
    """Write the counters of locked sessions."""
    await session.fetch(
        _SET_SESSION_COUNTERS,
        {
            "activities": [one.activity_id for one in sessions],
            "numbers": [one.number for one in sessions],
            "confirmed": [one.signups_confirmed for one in sessions],
            "waitlisted": [one.signups_waitlisted for one in sessions],
            "queue_numbers": [one.last_queue_number for one in sessions],
        },
    )


async def promote(
    session: Session, activity: UUID, lists: Sequence[Waiting], total: int, at: datetime
) -> list[Moved]:
    """Give free places of a locked activity, ``total`` at most, to the first of waiting lists."""
    values = columns(lists) | {"activity": activity, "total": total, "at": at}
    return [Moved(*row) for row in await session.fetch(PROMOTE, values)]


async def put_back(
    session: Session, activity: UUID, lasts: dict[int, int], number: int
) -> list[Moved]:
    """Move the latest sign-ups with a place to the heads of the waiting lists of their sessions.

    ``lasts``: the last queue number of each session. Not those who have checked in, or whose
    sign-up is locked: it is being cancelled. The places are ``number`` or a few more, or fewer if
    no others can be moved.
    """
    values = {"activity": activity, "number": number}
    values |= {"sessions": list(lasts), "lasts": list(lasts.values())}
    return [Moved(*row) for row in await session.fetch(PUT_BACK, values)]
