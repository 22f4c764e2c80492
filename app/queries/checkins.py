"""SQL of check-ins."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.core.db import Row, Session, columns
from app.core.db_errors import Retry
from app.queries.activities import has_part


class CheckinContext(NamedTuple):
    """Data for one check-in: the activity, and the person's pending points by unit.

    ``is_own_act``: the person has a part in organizing the activity. ``version``: of the activity.
    """

    serial: int
    person_id: UUID
    activity_id: UUID
    org_id: UUID
    org_path: str
    title: str
    status: str
    starts_at: datetime
    ends_at: datetime
    rule_key: str
    latitude: float | None
    longitude: float | None
    created_by: UUID
    version: int
    is_own_act: bool
    pending: dict[int, int]


class NewCheckin(NamedTuple):
    id: UUID
    activity_id: UUID
    person_id: UUID
    method: str
    distance_m: int | None
    checked_in_at: datetime
    award_id: UUID


_ACTIVITIES = f"""
SELECT k.serial, k.person_id, a.id AS activity_id, a.org_id, a.org_path, a.title, a.status,
       a.starts_at, a.ends_at, a.rule_key, a.latitude, a.longitude, a.created_by,
       a.version, {has_part("a", "k.person_id")} AS is_own_act,
       (SELECT CAST(jsonb_object_agg(l.unit_id, l.balance) AS text) FROM ledger_accounts l
        WHERE l.owner_id = k.person_id AND l.purpose = 'pending') AS pending
FROM unnest(CAST(:serials AS int[]), CAST(:people AS uuid[])) AS k(serial, person_id)
JOIN activities a ON a.serial = k.serial
"""  # noqa: S608 - a condition

# Sign-ups are locked FOR SHARE, so that none is cancelled before the check-in commits. The unique
# constraint guarantees that of concurrent check-ins only one row is inserted.
INSERT = """
WITH wanted AS (
    SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:activity_id AS uuid[]),
        CAST(:person_id AS uuid[]), CAST(:method AS text[]), CAST(:distance_m AS int[]),
        CAST(:checked_in_at AS timestamptz[]), CAST(:award_id AS uuid[]))
        AS k(id, activity_id, person_id, method, distance_m, checked_in_at, award_id)
), places AS MATERIALIZED (
    SELECT k.* FROM wanted k
    JOIN signups s ON s.activity_id = k.activity_id AND s.person_id = k.person_id
    WHERE s.status = 'confirmed' ORDER BY s.id FOR SHARE OF s
), inserted AS (
    INSERT INTO checkins (id, activity_id, session, person_id, method, distance_m,
                          checked_in_at, award_id)
    SELECT id, activity_id, 0, person_id, method, distance_m, checked_in_at, award_id
    FROM places ORDER BY activity_id, person_id
    ON CONFLICT (activity_id, session, person_id) DO NOTHING
    RETURNING id
)
SELECT p.id, i.id IS NOT NULL AS is_new FROM places p LEFT JOIN inserted i ON i.id = p.id
"""

# Not if the activity was edited, cancelled or closed since the context was read.
COUNT = """
UPDATE activities a SET checkins = a.checkins + k.n
FROM unnest(CAST(:activities AS uuid[]), CAST(:versions AS int[]), CAST(:numbers AS int[]))
    AS k(id, version, n)
WHERE a.id = k.id AND a.version = k.version
RETURNING a.id
"""

_EXISTING = """
SELECT c.id, c.activity_id, c.person_id, c.checked_in_at, c.award_id
FROM unnest(CAST(:activities AS uuid[]), CAST(:people AS uuid[])) AS k(activity_id, person_id)
JOIN checkins c ON c.activity_id = k.activity_id AND c.person_id = k.person_id AND c.session = 0
"""


@dataclass(frozen=True, slots=True)
class ExistingCheckin:
    id: UUID
    activity_id: UUID
    person_id: UUID
    checked_in_at: datetime
    award_id: UUID


async def contexts(
    session: Session, scans: Sequence[tuple[int, UUID]]
) -> dict[tuple[int, UUID], CheckinContext]:
    """Read the activities of scans (serial, person)."""
    rows = await session.fetch(
        _ACTIVITIES,
        {"serials": [s for s, _ in scans], "people": [p for _, p in scans]},
    )
    return {(one.serial, one.person_id): one for one in map(_context, rows)}


def _context(row: Row) -> CheckinContext:
    pending = json.loads(row.pending) if row.pending else {}
    return CheckinContext(**dict(row) | {"pending": {int(unit): n for unit, n in pending.items()}})


async def insert(session: Session, checkins: Sequence[NewCheckin]) -> dict[UUID, bool]:
    """Insert one check-in or more of people with a confirmed place.

    Return them by id: False if the person had checked in before.
    """
    rows = await session.fetch(INSERT, columns(checkins))
    return {row.id: row.is_new for row in rows}


async def count(session: Session, numbers: Mapping[tuple[UUID, int], int]) -> None:
    """Add numbers of check-ins to the counters of activities, by id and version.

    Called last in the transaction: concurrent check-ins at one activity wait for its row lock.
    Raises Retry if an activity has another version: it was edited, cancelled or closed meanwhile.
    """
    ordered = sorted(numbers)
    counted = await session.fetch(
        COUNT,
        {
            "activities": [activity for activity, _ in ordered],
            "versions": [version for _, version in ordered],
            "numbers": [numbers[one] for one in ordered],
        },
    )
    if len(counted) < len(ordered):
        raise Retry("another version")


async def existing(session: Session, pairs: Sequence[tuple[UUID, UUID]]) -> list[ExistingCheckin]:
    """Read the check-ins of pairs (activity, person)."""
    rows = await session.fetch(
        _EXISTING, {"activities": [a for a, _ in pairs], "people": [p for _, p in pairs]}
    )
    return [ExistingCheckin(**row) for row in rows]
