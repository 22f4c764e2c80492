"""SQL of awards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.awards import Award, AwardReason, AwardState


@dataclass(frozen=True, slots=True)
class Tally:
    """Points of a person in the running day, month and year."""

    day: int = 0
    month: int = 0
    year: int = 0

    def plus(self, points: int) -> "Tally":
        return Tally(self.day + points, self.month + points, self.year + points)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.day + other.day, self.month + other.month, self.year + other.year)


@dataclass(frozen=True, slots=True)
class NewAward:
    """A row of ``awards`` as it is inserted; ``evidence`` is JSON."""

    id: UUID
    reference: str
    person_id: UUID
    org_id: UUID
    rule_key: str
    policy_version: int
    points: int
    points_before_caps: int
    minutes: int
    state: AwardState
    reason: AwardReason
    evidence: str
    proposed_by: UUID | None
    awarded_at: datetime


_TALLIES = """
SELECT person_id, rule_key,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :day), 0) AS day,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :month), 0) AS month,
       coalesce(sum(points), 0) AS year
FROM awards
WHERE person_id = ANY(CAST(:people AS uuid[])) AND awarded_at >= :year AND state <> 'reversed'
GROUP BY person_id, rule_key
"""

_INSERT = """
INSERT INTO awards (id, reference, person_id, org_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, evidence, proposed_by, awarded_at)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:reference AS text[]), CAST(:person_id AS uuid[]),
    CAST(:org_id AS uuid[]), CAST(:rule_key AS text[]), CAST(:policy_version AS int[]),
    CAST(:points AS int[]), CAST(:points_before_caps AS int[]), CAST(:minutes AS int[]),
    CAST(:state AS text[]), CAST(:reason AS text[]), CAST(:evidence AS jsonb[]),
    CAST(:proposed_by AS uuid[]), CAST(:awarded_at AS timestamptz[]))
"""

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
) -> dict[UUID, dict[str, Tally]]:
    """Sum what people earned since the starts of the periods, by person and rule.

    Exact only while the people's accounts are locked by this transaction.
    """
    rows = await session.fetch(
        _TALLIES, {"people": list(people), "day": day, "month": month, "year": year}
    )
    found: dict[UUID, dict[str, Tally]] = {}
    for row in rows:
        tally = Tally(int(row.day), int(row.month), int(row.year))
        found.setdefault(row.person_id, {})[row.rule_key] = tally
    return found


async def insert(session: Session, awards: Sequence[NewAward]) -> None:
    names = NewAward.__dataclass_fields__
    await session.fetch(_INSERT, {n: [getattr(award, n) for award in awards] for n in names})


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
