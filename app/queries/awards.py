"""SQL of awards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.awards import Award


@dataclass(frozen=True, slots=True)
class Tally:
    """Points of a person in the running day, month and year."""

    day: int = 0
    month: int = 0
    year: int = 0

    def plus(self, points: int) -> "Tally":
        return Tally(self.day + points, self.month + points, self.year + points)


_TALLIES = text("""
SELECT person_id, rule_key,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :day), 0) AS day,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :month), 0) AS month,
       coalesce(sum(points), 0) AS year
FROM awards
WHERE person_id = ANY(CAST(:people AS uuid[])) AND awarded_at >= :year AND state <> 'reversed'
GROUP BY person_id, rule_key
""")

_INSERT = text("""
INSERT INTO awards (id, reference, person_id, org_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, evidence, proposed_by, awarded_at)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:reference AS text[]), CAST(:person_id AS uuid[]),
    CAST(:org_id AS uuid[]), CAST(:rule_key AS text[]), CAST(:policy_version AS int[]),
    CAST(:points AS int[]), CAST(:points_before_caps AS int[]), CAST(:minutes AS int[]),
    CAST(:state AS text[]), CAST(:reason AS text[]), CAST(:evidence AS jsonb[]),
    CAST(:proposed_by AS uuid[]), CAST(:awarded_at AS timestamptz[]))
""")

_TOTALS = text("""
SELECT coalesce(sum(points) FILTER (WHERE state = 'available'), 0) AS points,
       coalesce(sum(minutes) FILTER (WHERE state = 'available'), 0) AS minutes
FROM awards WHERE person_id = :person AND awarded_at >= :since
""")

_SETTLE = text("""
UPDATE awards SET state = :state, approved_by = coalesce(:approved_by, approved_by)
WHERE id = :id AND state = :before
""")


async def tallies(
    session: Session, people: Sequence[UUID], *, day: datetime, month: datetime, year: datetime
) -> dict[tuple[UUID, str], Tally]:
    """Sum what people earned by each rule since the starts of the periods.

    Exact only while the people's accounts are locked by this transaction.
    """
    rows = await session.execute(
        _TALLIES, {"people": list(people), "day": day, "month": month, "year": year}
    )
    return {
        (row.person_id, row.rule_key): Tally(int(row.day), int(row.month), int(row.year))
        for row in rows
    }


async def insert(session: Session, awards: Sequence[dict[str, Any]]) -> None:
    """Insert a list of awards; each item has every column of the statement."""
    names = (
        *("id", "reference", "person_id", "org_id", "rule_key", "policy_version", "points"),
        *("points_before_caps", "minutes", "state", "reason", "evidence", "proposed_by"),
        "awarded_at",
    )
    await session.execute(_INSERT, {name: [award[name] for award in awards] for name in names})


async def totals(session: Session, person: UUID, since: datetime) -> tuple[int, int]:
    """Sum points and minutes of available awards since a moment; what is pending waits."""
    row = (await session.execute(_TOTALS, {"person": person, "since": since})).one()
    return int(row.points), int(row.minutes)


async def find(session: Session, award_id: UUID, *, lock: bool = False) -> Award | None:
    query = select(Award).where(Award.id == award_id)
    found = await session.exec(query.with_for_update() if lock else query)
    return found.first()


async def find_many(session: Session, ids: Sequence[UUID]) -> list[Award]:
    return list(await session.exec(select(Award).where(col(Award.id).in_(ids))))


async def settle(
    session: Session, award_id: UUID, *, before: str, state: str, approved_by: UUID | None = None
) -> bool:
    """Move an award from one state to the next; False if it is not in that state."""
    done = await session.execute(
        _SETTLE, {"id": award_id, "before": before, "state": state, "approved_by": approved_by}
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]
