"""Reading the ledger in commit order for leaderboards; leaderboards computed in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text

from app.core.db import Session


@dataclass(frozen=True, slots=True)
class Gain:
    """Points or minutes that a person gained (negative: lost by a reversal): where and when."""

    xact: int
    id: UUID
    person_id: UUID
    org_path: str
    unit_id: int
    points: int
    earned_at: datetime


# Transfers that make points of an award available, and those that take them back: from the
# person's points or as a debt. A reversal counts in the period of the reversed transfer; one of a
# part closes none, and counts in that of the award's release, else of the award.
_GAIN_COLUMNS = """
    t.xact, t.id, p.id AS person_id, o.path AS org_path, t.unit_id,
    CASE WHEN t.kind IN ('reversal', 'clawback') THEN -t.amount ELSE t.amount END AS points,
    coalesce(c.created_at, t.created_at) AS earned_at
"""
_GAIN_JOINS = """
JOIN ledger_accounts a
  ON a.purpose = CASE WHEN t.kind = 'clawback' THEN 'debt' ELSE 'available' END
 AND a.id = CASE WHEN t.kind IN ('reversal', 'clawback') THEN t.from_account_id
                 ELSE t.to_account_id END
JOIN people h ON h.id = a.owner_id
JOIN people p ON p.id = coalesce(h.merged_into_id, h.id)
JOIN orgs o ON o.id = t.org_id
LEFT JOIN ledger_transfers c
  ON c.id = CASE WHEN t.kind IN ('reversal', 'clawback') THEN coalesce(
      t.closes_id,
      (SELECT r.id FROM ledger_transfers r WHERE r.closes_id = t.source_id AND r.kind = 'release'),
      t.source_id) END
WHERE t.kind IN ('award', 'release', 'reversal', 'clawback')
  AND p.erased_at IS NULL
  AND coalesce(p.birth_date, make_date(p.birth_year, 12, 31), '-infinity') <= :born_until
"""

# Only rows below the oldest running transaction: no transaction can insert before them later,
# so reading on from the last (xact, id) misses and repeats nothing.
# LATERAL: the joins start from these rows. Without statistics, as in a new database, the
# planner would otherwise join the whole ledger in each step.
_AFTER = text(f"""
WITH next AS MATERIALIZED (
    SELECT * FROM ledger_transfers
    WHERE (xact, id) > (CAST(CAST(:xact AS text) AS xid8), CAST(:id AS uuid))
      AND xact < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xact, id LIMIT :limit
)
SELECT CAST(CAST(n.xact AS text) AS bigint) AS xact, n.id,
       g.person_id, g.org_path, g.unit_id, g.points, g.earned_at
FROM next n LEFT JOIN LATERAL (
    SELECT {_GAIN_COLUMNS} FROM (SELECT n.*) t {_GAIN_JOINS}
) g ON true
ORDER BY n.xact, n.id
""")  # noqa: S608 - constants

_TOP = text(f"""
SELECT person_id, sum(points) AS points
FROM (SELECT {_GAIN_COLUMNS} FROM ledger_transfers t {_GAIN_JOINS} AND t.unit_id = :unit) g
WHERE org_path ^@ :path AND earned_at >= :since
GROUP BY person_id HAVING sum(points) > 0
ORDER BY points DESC, person_id DESC LIMIT :limit
""")  # noqa: S608 - constants

# Sums of organisations of a level, and how many people have gained in each.
_TOP_ORGS = text(f"""
SELECT org_id, sum(points) AS total, count(*) FILTER (WHERE points > 0) AS people
FROM (
    SELECT b.id AS org_id, g.person_id, sum(g.points) AS points
    FROM (SELECT {_GAIN_COLUMNS} FROM ledger_transfers t {_GAIN_JOINS} AND t.unit_id = :unit) g
    JOIN orgs b ON b.level = :level AND g.org_path ^@ b.path
    WHERE b.path ^@ :path AND b.path <> :path AND g.earned_at >= :since
    GROUP BY b.id, g.person_id
) x
GROUP BY org_id HAVING sum(points) > 0
ORDER BY total DESC, org_id DESC LIMIT :limit
""")  # noqa: S608 - constants

_NODES = "SELECT path, id, level FROM orgs WHERE path = ANY(CAST(:paths AS text[]))"

_VISIBLE = """
SELECT id, display_name, shows_name FROM people
WHERE id = ANY(CAST(:people AS uuid[])) AND erased_at IS NULL
  AND coalesce(birth_date, make_date(birth_year, 12, 31), '-infinity')
      <= CAST(:born_until AS date)
"""


async def gains_after(
    session: Session, position: tuple[int, UUID], *, born_until: date, limit: int
) -> tuple[list[Gain], tuple[int, UUID]]:
    """Read the next transfers in commit order; return the gains and the new position."""
    rows = (
        await session.execute(
            _AFTER,
            {
                "xact": str(position[0]),
                "id": position[1],
                "born_until": born_until,
                "limit": limit,
            },
        )
    ).all()
    gains = [Gain(**row._mapping) for row in rows if row.person_id is not None]
    return gains, (rows[-1].xact, rows[-1].id) if rows else position


@dataclass(frozen=True, slots=True)
class Node:
    id: UUID
    level: str


async def nodes(session: Session, paths: Sequence[str]) -> dict[str, Node]:
    """Read the organisations of paths."""
    rows = await session.fetch(_NODES, {"paths": list(paths)})
    return {row.path: Node(row.id, row.level) for row in rows}


async def top_orgs(
    session: Session,
    org_path: str,
    level: str,
    since: datetime,
    *,
    unit: int | None,
    born_until: date,
    limit: int,
) -> list[tuple[UUID, int, int]]:
    """Compute a board of organisations from the ledger: organisation, sum, people.

    Exact; time grows with the length of the ledger.
    """
    values = {"path": org_path, "level": level, "since": since, "unit": unit, "limit": limit}
    rows = await session.execute(_TOP_ORGS, values | {"born_until": born_until})
    return [(row.org_id, int(row.total), int(row.people)) for row in rows]


async def top(
    session: Session,
    org_path: str,
    since: datetime,
    *,
    unit: int | None,
    born_until: date,
    limit: int,
) -> list[tuple[UUID, int]]:
    """Compute a board from the ledger. Exact; time grows with the length of the ledger."""
    rows = await session.execute(
        _TOP,
        {
            "path": org_path,
            "since": since,
            "unit": unit,
            "born_until": born_until,
            "limit": limit,
        },
    )
    return [(row.person_id, int(row.points)) for row in rows]


async def visible(
    session: Session, people: Sequence[UUID], born_until: date
) -> dict[UUID, tuple[str, bool]]:
    """Read name and opt-in of the people who are old enough to be shown."""
    rows = await session.fetch(_VISIBLE, {"people": list(people), "born_until": born_until})
    return {row.id: (row.display_name, row.shows_name) for row in rows}
