"""SQL of corrections of check-ins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, text
from sqlmodel import col, select

from app.core.db import Session
from app.models.checkins import Checkin
from app.models.corrections import Correction
from app.queries.activities import has_part


@dataclass(frozen=True, slots=True)
class Corrected:
    """A locked check-in as it counts now, with its activity and session.

    ``came_at`` is None if it was annulled, ``left_at`` too, and if the person is still there.
    ``number``: of the latest correction, 0 without any. ``award_id``: of the award that holds;
    ``points_reversed``: how many of its points somebody took back.
    """

    checkin_id: UUID
    activity_id: UUID
    session: int
    person_id: UUID
    org_id: UUID
    org_path: str
    title: str
    status: str
    rule_key: str
    checks_out: bool
    created_by: UUID
    version: int
    is_own_act: bool
    starts_at: datetime
    ends_at: datetime
    checked_in_at: datetime
    checkout_id: UUID | None
    number: int
    came_at: datetime | None
    left_at: datetime | None
    award_id: UUID | None
    award_state: str | None
    points_reversed: int | None


_STATE = text(f"""
SELECT k.*, w.state AS award_state, w.points_reversed
FROM (
SELECT c.id AS checkin_id, c.activity_id, c.session, c.person_id, a.org_id, a.org_path, a.title,
       a.status, a.rule_key, a.checks_out, a.created_by, a.version,
       {has_part("a", "c.person_id")} AS is_own_act,
       coalesce(s.starts_at, a.starts_at) AS starts_at, coalesce(s.ends_at, a.ends_at) AS ends_at,
       c.checked_in_at, o.id AS checkout_id, coalesce(r.number, 0) AS number,
       CASE WHEN r.id IS NULL THEN coalesce(c.came_at, c.checked_in_at) ELSE r.came_at END
           AS came_at,
       CASE WHEN r.id IS NULL THEN o.left_at ELSE r.left_at END AS left_at,
       CASE WHEN r.id IS NULL THEN coalesce(o.award_id, c.award_id) ELSE r.award_id END AS award_id
FROM checkins c JOIN activities a ON a.id = c.activity_id
LEFT JOIN activity_sessions s ON s.activity_id = a.id AND s.number = c.session
LEFT JOIN checkouts o ON o.checkin_id = c.id
LEFT JOIN LATERAL (
    SELECT * FROM corrections r WHERE r.checkin_id = c.id ORDER BY r.number DESC LIMIT 1
) r ON true
WHERE c.id = :id
) k LEFT JOIN awards w ON w.id = k.award_id
""")  # noqa: S608 - a condition


def stands() -> ColumnElement[bool]:
    """Whether a check-in of an outer query was not annulled. Nothing follows an annulment."""
    annulled = select(Correction.id).where(
        col(Correction.checkin_id) == col(Checkin.id), col(Correction.came_at).is_(None)
    )
    return ~annulled.correlate(Checkin).exists()


async def activity_of(session: Session, checkin_id: UUID) -> UUID | None:
    """Read the activity of a check-in; None if there is no such check-in."""
    query = select(Checkin.activity_id).where(Checkin.id == checkin_id)
    return (await session.exec(query)).first()


async def lock(session: Session, checkin_id: UUID) -> Corrected:
    """Lock a check-in, so that corrections come one after the other, and read how it counts."""
    await session.exec(select(Checkin.id).where(Checkin.id == checkin_id).with_for_update())
    found = (await session.execute(_STATE, {"id": checkin_id})).mappings().one()
    return Corrected(**found)


# Times that are counted already count nowhere else, so an award is less than the presence where it
# overlaps with the one that is corrected.
_OVERLAPPING = text("""
SELECT c.id, c.activity_id, a.title
FROM checkins c JOIN activities a ON a.id = c.activity_id
LEFT JOIN activity_sessions s ON s.activity_id = a.id AND s.number = c.session
LEFT JOIN checkouts o ON o.checkin_id = c.id
LEFT JOIN LATERAL (
    SELECT * FROM corrections r WHERE r.checkin_id = c.id ORDER BY r.number DESC LIMIT 1
) r ON true
JOIN awards w ON w.id = CASE WHEN r.id IS NULL THEN coalesce(o.award_id, c.award_id)
                             ELSE r.award_id END
WHERE c.person_id = ANY(CAST(:people AS uuid[])) AND c.id <> :id
  AND w.state NOT IN ('reversed', 'rejected')
  AND coalesce(s.starts_at, a.starts_at) < :until AND coalesce(s.ends_at, a.ends_at) > :since
ORDER BY c.id DESC LIMIT :limit
""")


async def overlapping(
    session: Session, found: Corrected, people: Sequence[UUID], limit: int
) -> list[tuple[UUID, UUID, str]]:
    """Read other paid check-ins of a person's accounts while the session of one lasted.

    Each with its activity and its title.
    """
    wanted = {"id": found.checkin_id, "people": list(people), "limit": limit}
    times = {"since": found.starts_at, "until": found.ends_at}
    rows = await session.execute(_OVERLAPPING, wanted | times)
    return [(one.id, one.activity_id, one.title) for one in rows]


async def insert(session: Session, correction: Correction) -> None:
    session.add(correction)
    await session.flush()
