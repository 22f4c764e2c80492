"""SQL of what decides whether people may sign up."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from app.core.db import Session


class PersonFacts(NamedTuple):
    """``born``: the latest day on which the person was born, as far as it is known.

    ``path``, ``org``: of the community where the person lives. ``consented``: a guardian has.
    """

    born: date | None
    path: str | None
    org: str | None
    consented: bool


_PEOPLE = """
SELECT p.id, coalesce(p.birth_date, make_date(p.birth_year, 12, 31)) AS born, o.path, o.name,
       coalesce((SELECT c.given FROM consents c WHERE c.person_id = p.id
                 AND c.document = 'guardian' ORDER BY c.id DESC LIMIT 1), false) AS consented
FROM people p LEFT JOIN orgs o ON o.id = p.community_id
WHERE p.id = ANY(CAST(:people AS uuid[]))
"""

_PLACES = """
SELECT id, org_path FROM activities WHERE id = ANY(CAST(:ids AS uuid[]))
"""


async def people(session: Session, ids: Sequence[UUID]) -> dict[UUID, PersonFacts]:
    rows = await session.fetch(_PEOPLE, {"people": list(ids)})
    return {row.id: PersonFacts(row.born, row.path, row.name, row.consented) for row in rows}


async def places(session: Session, activities: Sequence[UUID]) -> dict[UUID, str]:
    """Read the paths of the organisations that hold activities."""
    rows = await session.fetch(_PLACES, {"ids": list(activities)})
    return {row.id: row.org_path for row in rows}


# With the awards of accounts that were merged into the person's (``awards.granting.totals``).
_EARNED = """
SELECT k.person_id, a.unit_id,
       coalesce(sum(a.points) FILTER (WHERE a.state = 'available'), 0) AS points,
       coalesce(sum(a.minutes) FILTER (WHERE a.state = 'available' OR a.hours_at_once
           AND a.state NOT IN ('rejected', 'reversed')), 0) AS minutes
FROM unnest(CAST(:people AS uuid[])) AS k(person_id)
JOIN LATERAL (SELECT k.person_id AS id
              UNION ALL SELECT p.id FROM people p WHERE p.merged_into_id = k.person_id) own ON true
JOIN awards a ON a.person_id = own.id AND a.awarded_at >= CAST(:since AS timestamptz)
GROUP BY k.person_id, a.unit_id
"""


async def earned(
    session: Session, ids: Sequence[UUID], since: datetime
) -> dict[tuple[UUID, int], tuple[int, int]]:
    """Sum points and minutes of awards since a time, by person and unit."""
    rows = await session.fetch(_EARNED, {"people": list(ids), "since": since})
    return {(row.person_id, row.unit_id): (int(row.points), int(row.minutes)) for row in rows}
