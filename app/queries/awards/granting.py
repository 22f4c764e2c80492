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
    unit_id: int
    rule_key: str
    policy_version: int
    points: int
    points_before_caps: int
    minutes: int
    state: AwardState
    reason: AwardReason
    title: str
    evidence: str
    proposed_by: UUID | None
    proposal_id: UUID | None
    awarded_at: datetime
    reviews_needed: int
    wait_hours: int
    notice_days: int
    release_at: datetime | None


_TALLIES = """
SELECT person_id, unit_id, rule_key,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :day), 0) AS day,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :month), 0) AS month,
       coalesce(sum(points), 0) AS year
FROM awards
WHERE person_id = ANY(CAST(:people AS uuid[])) AND awarded_at >= :year
  AND state NOT IN ('reversed', 'rejected')
GROUP BY person_id, unit_id, rule_key
"""

_INSERT = """
INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, title, evidence, proposed_by, proposal_id,
    awarded_at, reviews_needed, wait_hours, notice_days, release_at)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:reference AS text[]), CAST(:person_id AS uuid[]),
    CAST(:org_id AS uuid[]), CAST(:unit_id AS int[]), CAST(:rule_key AS text[]),
    CAST(:policy_version AS int[]), CAST(:points AS int[]), CAST(:points_before_caps AS int[]),
    CAST(:minutes AS int[]), CAST(:state AS text[]), CAST(:reason AS text[]),
    CAST(:title AS text[]), CAST(:evidence AS jsonb[]), CAST(:proposed_by AS uuid[]),
    CAST(:proposal_id AS uuid[]), CAST(:awarded_at AS timestamptz[]),
    CAST(:reviews_needed AS int[]), CAST(:wait_hours AS int[]), CAST(:notice_days AS int[]),
    CAST(:release_at AS timestamptz[]))
"""

_TOTALS = text("""
SELECT coalesce(sum(points) FILTER (WHERE state = 'available'), 0) AS points,
       coalesce(sum(minutes) FILTER (WHERE state = 'available'), 0) AS minutes
FROM awards WHERE person_id = :person AND unit_id = :unit AND awarded_at >= :since
""")

_UNPAID = """
SELECT DISTINCT a.org_id, a.unit_id
FROM unnest(CAST(:orgs AS uuid[]), CAST(:units AS int[])) AS k(org_id, unit_id)
JOIN awards a ON a.org_id = k.org_id AND a.unit_id = k.unit_id AND a.state = 'pending_budget'
"""

# NULL: anywhere, ever.
_HAD = """
SELECT DISTINCT k.n
FROM unnest(CAST(:people AS uuid[]), CAST(:units AS int[]), CAST(:rules AS text[]),
            CAST(:orgs AS uuid[]), CAST(:since AS timestamptz[]))
     WITH ORDINALITY AS k(person_id, unit_id, rule_key, org_id, since, n)
JOIN awards a
  ON a.person_id = k.person_id AND a.unit_id = k.unit_id AND a.rule_key = k.rule_key
 AND a.points > 0 AND a.state NOT IN ('reversed', 'rejected')
 AND (k.org_id IS NULL OR a.org_id = k.org_id) AND (k.since IS NULL OR a.awarded_at >= k.since)
"""

_MOVE = """
UPDATE awards SET state = :state WHERE id = ANY(CAST(:ids AS uuid[]))
"""


async def tallies(
    session: Session, people: Sequence[UUID], *, day: datetime, month: datetime, year: datetime
) -> dict[tuple[UUID, int], dict[str, Tally]]:
    """Sum what people earned since the starts of the periods, by (person, unit) and rule.

    Exact only while the people's accounts are locked by this transaction.
    """
    rows = await session.fetch(
        _TALLIES, {"people": list(people), "day": day, "month": month, "year": year}
    )
    found: dict[tuple[UUID, int], dict[str, Tally]] = {}
    for row in rows:
        tally = Tally(int(row.day), int(row.month), int(row.year))
        found.setdefault((row.person_id, row.unit_id), {})[row.rule_key] = tally
    return found


async def insert(session: Session, awards: Sequence[NewAward]) -> None:
    names = NewAward.__dataclass_fields__
    await session.fetch(_INSERT, {n: [getattr(award, n) for award in awards] for n in names})


async def totals(session: Session, person: UUID, unit: int, since: datetime) -> tuple[int, int]:
    """Sum points and minutes of available awards since a moment; what is pending waits."""
    found = await session.execute(_TOTALS, {"person": person, "unit": unit, "since": since})
    row = found.one()
    return int(row.points), int(row.minutes)


async def unpaid(session: Session, funds: Sequence[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Return which funds (organisation, unit) owe an award."""
    rows = await session.fetch(
        _UNPAID, {"orgs": [org for org, _ in funds], "units": [unit for _, unit in funds]}
    )
    return {(row.org_id, row.unit_id) for row in rows}


async def had(
    session: Session, asked: Sequence[tuple[UUID, int, str, UUID | None, datetime | None]]
) -> set[int]:
    """Return the places of those (person, unit, rule, organisation, since) who had points.

    Exact only while the people's accounts are locked by this transaction.
    """
    people, units, rules, orgs, since = (list(column) for column in zip(*asked, strict=True))
    wanted = {"people": people, "units": units, "rules": rules, "orgs": orgs, "since": since}
    return {row.n - 1 for row in await session.fetch(_HAD, wanted)}


async def find(session: Session, award_id: UUID, *, lock: bool = False) -> Award | None:
    query = select(Award).where(Award.id == award_id)
    found = await session.exec(query.with_for_update() if lock else query)
    return found.first()


async def find_many(session: Session, ids: Sequence[UUID]) -> list[Award]:
    return list(await session.exec(select(Award).where(col(Award.id).in_(ids))))


async def move(session: Session, ids: Sequence[UUID], state: AwardState) -> None:
    """Move locked awards to their next state."""
    await session.fetch(_MOVE, {"ids": list(ids), "state": state})
