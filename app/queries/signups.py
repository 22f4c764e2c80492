# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""SQL of sign-ups. The activity's row, with the counters, is locked first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row as NamedRow
from sqlalchemy import text, update
from sqlmodel import col, select

from app.core.db import Row, Session, columns
from app.models.activities import Activity
from app.models.checkins import Checkin
from app.models.signups import Signup, SignupStatus


@dataclass(frozen=True, slots=True)
class SignupRow:
    """A sign-up with its position in the waiting list (from 1), if it waits."""

    id: UUID
    activity_id: UUID
    session: int
    person_id: UUID
    status: str
    friends: int
    offer_until: datetime | None
    created_at: datetime
    position: int | None


class Standing(NamedTuple):
    """What a claim (activity, session, person) finds: the sign-up that stands, and the person.

    ``paused_until``: None: not paused. ``lacks_consent``: under 14, without a guardian's.
    ``is_child``: without a login, of a guardian.
    """

    signup: SignupRow | None
    paused_until: datetime | None
    lacks_consent: bool
    is_child: bool


class NewSignup(NamedTuple):
    id: UUID
    activity_id: UUID
    session: int
    person_id: UUID
    status: str
    queue_number: int | None
    friends: int
    created_at: datetime


Key = tuple[UUID, int, UUID]  # activity, session, person

_POSITION = """
CASE WHEN s.status = 'waitlisted' THEN
    (SELECT count(*) FROM signups w WHERE w.activity_id = s.activity_id AND w.session = s.session
     AND w.status = 'waitlisted' AND w.queue_number <= s.queue_number)
END AS position
"""

_COLUMNS = """
s.id, s.activity_id, s.session, s.person_id, s.status, s.friends, s.offer_until, s.created_at
"""

_WITH_POSITION = f"SELECT {_COLUMNS}, {_POSITION} FROM signups s"

# ``born_after``: who was born later is under 14.
_STANDING = f"""
SELECT {_COLUMNS}, {_POSITION}, u.until AS paused_until,
       coalesce(p.birth_date, make_date(p.birth_year, 12, 31)) > CAST(:born_after AS date)
           AND NOT coalesce((SELECT c.given FROM consents c
                             WHERE c.person_id = p.id AND c.document = 'guardian'
                             ORDER BY c.id DESC LIMIT 1), false) AS lacks_consent,
       EXISTS (SELECT FROM children h WHERE h.person_id = k.person_id) AS is_child
FROM unnest(CAST(:activities AS uuid[]), CAST(:sessions AS int[]), CAST(:people AS uuid[]))
    WITH ORDINALITY AS k(activity_id, session, person_id, place)
LEFT JOIN people p ON p.id = k.person_id
LEFT JOIN signup_pauses u ON u.person_id = k.person_id AND u.until > CAST(:at AS timestamptz)
LEFT JOIN signups s ON s.activity_id = k.activity_id AND s.session = k.session
                   AND s.person_id = k.person_id AND s.status <> 'cancelled'
ORDER BY k.place
"""

_LIVING = f"""
{_WITH_POSITION}
JOIN unnest(CAST(:activities AS uuid[]), CAST(:sessions AS int[]), CAST(:people AS uuid[]))
    AS k(activity_id, session, person_id)
  ON s.activity_id = k.activity_id AND s.session = k.session AND s.person_id = k.person_id
WHERE s.status <> 'cancelled'
"""

_INSERT = """
INSERT INTO signups (id, activity_id, session, person_id, status, queue_number, friends,
                     created_at)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:activity_id AS uuid[]), CAST(:session AS int[]),
    CAST(:person_id AS uuid[]), CAST(:status AS text[]), CAST(:queue_number AS int[]),
    CAST(:friends AS int[]), CAST(:created_at AS timestamptz[]))
"""

# The sign-up is locked before its activity, in the same order as by a check-in.
_LOCK_OWN = text(f"{_WITH_POSITION} WHERE s.id = :id AND s.person_id = :person FOR UPDATE OF s")

_LOCK_OF = text(f"{_WITH_POSITION} WHERE s.id = :id AND s.activity_id = :activity FOR UPDATE OF s")

_LOCK = text(f"{_WITH_POSITION} WHERE s.id = :id FOR UPDATE OF s")

# What an organizer declined stays so: else a new sign-up would ask again.
_CANCEL = text("""
UPDATE signups SET status = 'cancelled', cancelled_at = :at, queue_number = NULL,
                   offer_until = NULL
WHERE id = :id AND status NOT IN ('cancelled', 'declined') RETURNING old.status
""")

_CHANGE = text("""
UPDATE signups SET status = CAST(:status AS text), queue_number = :queue_number,
                   offer_until = NULL,
                   given_at = CASE WHEN CAST(:status AS text) = 'confirmed'
                                   THEN CAST(:at AS timestamptz) END
WHERE id = :id
""")

_PAGE = text(f"""
SELECT {_COLUMNS}, {_POSITION},
       a.title, a.status AS activity_status, a.starts_at, a.ends_at, a.location_name,
       n.title AS session_title, n.starts_at AS session_starts_at, n.ends_at AS session_ends_at,
       c.checked_in_at, w.state AS award_state, w.points, w.minutes
FROM signups s JOIN activities a ON a.id = s.activity_id
LEFT JOIN activity_sessions n ON n.activity_id = s.activity_id AND n.number = s.session
LEFT JOIN LATERAL (
    SELECT * FROM checkins c
    WHERE c.activity_id = s.activity_id AND c.person_id = s.person_id
      AND s.session IN (0, c.session) AND s.status <> 'cancelled'
    ORDER BY c.checked_in_at DESC, c.id DESC LIMIT 1
) c ON true
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
_AHEAD = f"""
SELECT {_COLUMNS}, CAST(NULL AS int) AS position
FROM signups s JOIN activities a ON a.id = s.activity_id
WHERE s.person_id = :person AND s.status <> 'cancelled' AND a.ends_at > CAST(:at AS timestamptz)
  AND NOT EXISTS (
      SELECT FROM checkins c WHERE c.activity_id = s.activity_id AND c.person_id = s.person_id
                               AND s.session IN (0, c.session))
ORDER BY s.id FOR UPDATE OF s
"""


async def standing(
    session: Session, keys: Sequence[Key], at: datetime, born_after: date
) -> list[Standing]:
    """Read what claims find, one for each key, in their order.

    ``born_after``: who was born later is under 14.
    """
    rows = await session.fetch(_STANDING, _arrays(keys) | {"at": at, "born_after": born_after})
    return [
        Standing(_signup(row), row.paused_until, bool(row.lacks_consent), row.is_child)
        for row in rows
    ]


async def living(session: Session, keys: Sequence[Key]) -> dict[Key, SignupRow]:
    """Read sign-ups that are not cancelled, by (activity, session, person)."""
    rows = await session.fetch(_LIVING, _arrays(keys))
    return {(row.activity_id, row.session, row.person_id): SignupRow(**row) for row in rows}


def _arrays(keys: Sequence[Key]) -> dict[str, list[Any]]:
    return {
        "activities": [activity for activity, _, _ in keys],
        "sessions": [number for _, number, _ in keys],
        "people": [person for _, _, person in keys],
    }


def _signup(row: Row) -> SignupRow | None:
    if row.id is None:
        return None
    return SignupRow(*(row[name] for name in SignupRow.__dataclass_fields__))


async def insert(session: Session, signups: Sequence[NewSignup]) -> None:
    await session.fetch(_INSERT, columns(signups))


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


async def lock(session: Session, signup_id: UUID) -> SignupRow | None:
    """Lock a sign-up; None if there is none."""
    found = (await session.execute(_LOCK, {"id": signup_id})).mappings().one_or_none()
    return SignupRow(**found) if found else None


async def lock_ahead(session: Session, person: UUID, at: datetime) -> list[SignupRow]:
    """Lock a person's sign-ups to what is not over, without a check-in; positions are not read."""
    rows = await session.fetch(_AHEAD, {"person": person, "at": at})
    return [SignupRow(**row) for row in rows]


async def give_to(session: Session, ids: Sequence[UUID], person: UUID) -> None:
    """Give locked sign-ups to another person."""
    given = update(Signup).where(col(Signup.id).in_(ids)).values(person_id=person)
    await session.execute(given)


async def checked_in_at(session: Session, signup: SignupRow | Signup) -> datetime | None:
    """Return when somebody first checked in by a sign-up; None if that has not happened."""
    query = (
        select(Checkin.checked_in_at)
        .filter_by(activity_id=signup.activity_id, person_id=signup.person_id)
        .order_by(col(Checkin.id))
        .limit(1)
    )
    if signup.session:
        query = query.filter_by(session=signup.session)
    return (await session.exec(query)).first()


async def cancel(session: Session, signup_id: UUID, at: datetime) -> str | None:
    """Cancel; return the previous status, None if it was cancelled already."""
    row = await session.execute(_CANCEL, {"id": signup_id, "at": at})
    before: str | None = row.scalar_one_or_none()
    return before


async def change(
    session: Session, signup_id: UUID, status: str, at: datetime, queue_number: int | None = None
) -> None:
    """Give a locked sign-up another status. ``at``: since when a place is the person's."""
    values = {"id": signup_id, "status": status, "queue_number": queue_number, "at": at}
    await session.execute(_CHANGE, values)


async def people_of(session: Session, activity: UUID) -> list[UUID]:
    """Read who has signed up to an activity, and was not declined, and has not cancelled."""
    gone = (SignupStatus.cancelled, SignupStatus.declined)
    query = select(Signup.person_id).where(
        Signup.activity_id == activity, col(Signup.status).not_in(gone)
    )
    return list(await session.exec(query.distinct()))


async def page(
    session: Session, person: UUID, before: UUID | None, limit: int
) -> Sequence[NamedRow[Any]]:
    """Read a person's sign-ups, newest first: with the activity, the check-in and its award.

    Of a series that was signed up to as a whole, these are of the latest session attended.
    """
    rows = await session.execute(_PAGE, {"person": person, "before": before, "limit": limit})
    return rows.all()


async def title_and_start(session: Session, activity: UUID) -> dict[str, Any]:
    """Read ``title`` and ``starts_at`` of an activity."""
    query = select(Activity.title, Activity.starts_at).where(Activity.id == activity)
    title, starts_at = (await session.exec(query)).one()
    return {"title": title, "starts_at": starts_at}
