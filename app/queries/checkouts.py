"""SQL of check-outs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.db import Session, columns
from app.models.checkins import CLOSES_AFTER_END
from app.queries.activities import has_part

# Presences that ended longer ago are not closed any more: the worker was down for a quarter.
LONGEST_OPEN = timedelta(days=92)


class Presence(NamedTuple):
    """A check-in at an activity, with what its check-out needs.

    ``checkin_id`` and what follows from it are None if the person has not checked in. ``came_at``:
    since when the person was there. ``checkout_id``: of an earlier check-out. ``is_annulled``: by
    an organizer, after which nothing follows.
    """

    serial: int
    person_id: UUID
    activity_id: UUID
    org_id: UUID
    org_path: str
    title: str
    status: str
    rule_key: str
    checks_out: bool
    created_by: UUID
    version: int
    is_own_act: bool
    session: int
    starts_at: datetime
    ends_at: datetime
    checkin_id: UUID | None
    checked_in_at: datetime | None
    came_at: datetime | None
    method: str | None
    checkout_id: UUID | None
    is_annulled: bool


class NewCheckout(NamedTuple):
    id: UUID
    checkin_id: UUID
    activity_id: UUID
    session: int
    person_id: UUID
    departure: str
    left_at: datetime
    recorded_at: datetime
    recorded_by: UUID | None
    award_id: UUID | None


class ExistingCheckout(NamedTuple):
    id: UUID
    checkin_id: UUID
    person_id: UUID
    departure: str
    left_at: datetime
    award_id: UUID | None


_COLUMNS = """
a.serial, c.person_id, a.id AS activity_id, a.org_id, a.org_path, a.title, a.status, a.rule_key,
a.checks_out, a.created_by, a.version
"""
_TIMES = """
coalesce(c.session, 0) AS session, coalesce(s.starts_at, a.starts_at) AS starts_at,
coalesce(s.ends_at, a.ends_at) AS ends_at, c.id AS checkin_id, c.checked_in_at,
coalesce(c.came_at, c.checked_in_at) AS came_at, c.method
"""

# The latest check-in that is open, else the latest; of one session, if it is named.
_PRESENCES = f"""
SELECT k.serial, k.person_id, a.id AS activity_id, a.org_id, a.org_path, a.title, a.status,
       a.rule_key, a.checks_out, a.created_by, a.version,
       {has_part("a", "k.person_id")} AS is_own_act, {_TIMES}, c.checkout_id,
       EXISTS (SELECT FROM corrections r WHERE r.checkin_id = c.id AND r.came_at IS NULL)
           AS is_annulled
FROM unnest(CAST(:serials AS int[]), CAST(:people AS uuid[]), CAST(:sessions AS int[]))
    AS k(serial, person_id, session)
JOIN activities a ON a.serial = k.serial
LEFT JOIN LATERAL (
    SELECT c.*, o.id AS checkout_id
    FROM checkins c LEFT JOIN checkouts o ON o.checkin_id = c.id
    WHERE c.activity_id = a.id AND c.person_id = k.person_id
      AND c.session = coalesce(k.session, c.session)
    ORDER BY o.id IS NULL DESC, c.id DESC LIMIT 1
) c ON true
LEFT JOIN activity_sessions s ON s.activity_id = a.id AND s.number = c.session
"""  # noqa: S608 - constants of this file

# Sessions that are over, whose check-out is over too.
_FORGOTTEN = f"""
SELECT {_COLUMNS}, {has_part("a", "c.person_id")} AS is_own_act, {_TIMES},
       CAST(NULL AS uuid) AS checkout_id, false AS is_annulled
FROM activities a
JOIN checkins c ON c.activity_id = a.id
LEFT JOIN activity_sessions s ON s.activity_id = a.id AND s.number = c.session
WHERE a.checks_out AND a.checkouts < a.checkins AND a.ends_at > :since
  AND c.award_id IS NULL
  AND coalesce(s.ends_at, a.ends_at) + INTERVAL '{CLOSES_AFTER_END}' <= :at
  AND NOT EXISTS (SELECT FROM checkouts o WHERE o.checkin_id = c.id)
ORDER BY c.person_id, c.id LIMIT :limit
"""  # noqa: S608 - constants of this file

# The unique constraint decides which of concurrent check-outs earns.
INSERT = """
INSERT INTO checkouts (id, checkin_id, activity_id, session, person_id, departure, left_at,
                       recorded_at, recorded_by, award_id)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:checkin_id AS uuid[]),
    CAST(:activity_id AS uuid[]), CAST(:session AS int[]), CAST(:person_id AS uuid[]),
    CAST(:departure AS text[]), CAST(:left_at AS timestamptz[]),
    CAST(:recorded_at AS timestamptz[]), CAST(:recorded_by AS uuid[]), CAST(:award_id AS uuid[]))
ON CONFLICT (checkin_id) DO NOTHING
RETURNING id
"""

_EXISTING = """
SELECT id, checkin_id, person_id, departure, left_at, award_id
FROM checkouts WHERE checkin_id = ANY(CAST(:checkins AS uuid[]))
"""


async def presences(
    session: Session, asked: Sequence[tuple[int, UUID, int | None]]
) -> dict[tuple[int, UUID], Presence]:
    """Read presences by (serial of the activity, person), in a session or in any."""
    serials, people, sessions = zip(*asked, strict=True)
    wanted = {"serials": list(serials), "people": list(people), "sessions": list(sessions)}
    rows = await session.fetch(_PRESENCES, wanted)
    return {(row.serial, row.person_id): Presence(**row) for row in rows}


async def forgotten(session: Session, at: datetime, limit: int) -> list[Presence]:
    """Read presences without a check-out for which it is too late, some of each person."""
    wanted = {"at": at, "since": at - LONGEST_OPEN, "limit": limit}
    return [Presence(**row) for row in await session.fetch(_FORGOTTEN, wanted)]


async def insert(session: Session, checkouts: Sequence[NewCheckout]) -> set[UUID]:
    """Insert one check-out or more; return the ids of those that are the first of their check-in.

    Waits for a concurrent check-out of the same check-in.
    """
    rows = await session.fetch(INSERT, columns(checkouts))
    return {row.id for row in rows}


async def existing(session: Session, checkins: Sequence[UUID]) -> list[ExistingCheckout]:
    """Read the check-outs of check-ins."""
    rows = await session.fetch(_EXISTING, {"checkins": list(checkins)})
    return [ExistingCheckout(**row) for row in rows]
