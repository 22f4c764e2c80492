"""SQL of awards."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlmodel import and_, col, func, or_, select

from app.core.db import Session, columns
from app.models.awards import Award, AwardReason, AwardState
from app.queries import people as people_queries


@dataclass(frozen=True, slots=True)
class Tally:
    """Points of a person in the current day, month and year."""

    day: int = 0
    month: int = 0
    year: int = 0

    def plus(self, points: int) -> "Tally":
        return Tally(self.day + points, self.month + points, self.year + points)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.day + other.day, self.month + other.month, self.year + other.year)


@dataclass(frozen=True, slots=True)
class Spans:
    """The Shanghai day, month and year of an award, each with the moment after its end."""

    day: datetime
    day_end: datetime
    month: datetime
    month_end: datetime
    year: datetime
    year_end: datetime


class Once(NamedTuple):
    """Where and when a rule that gives once must not have given; None: anywhere, any time."""

    org_id: UUID | None
    since: datetime | None
    until: datetime | None


class OnceAsked(NamedTuple):
    person_id: UUID
    unit_id: int
    rule_key: str
    scope: Once


class NewAward(NamedTuple):
    """A row of ``awards`` to insert; ``evidence`` is JSON."""

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
    hours_at_once: bool
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


# Of an award that fills no cap yet: reviewers must approve it first.
WAITS_FOR_REVIEW = (
    "reviews_needed > 0 AND release_at IS NULL AND state IN ('pending', 'pending_budget')"
)
_TALLIES = f"""
SELECT person_id, unit_id, rule_key,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :day AND awarded_at < :day_end), 0) AS day,
       coalesce(sum(points) FILTER (WHERE awarded_at >= :month AND awarded_at < :month_end), 0)
           AS month,
       coalesce(sum(points), 0) AS year
FROM awards
WHERE person_id = ANY(CAST(:people AS uuid[]) || ARRAY(
    SELECT id FROM people WHERE merged_into_id = ANY(CAST(:people AS uuid[]))))
  AND awarded_at >= :year AND awarded_at < :year_end
  AND state NOT IN ('reversed', 'rejected') AND NOT ({WAITS_FOR_REVIEW})
GROUP BY person_id, unit_id, rule_key
"""  # noqa: S608 - a constant of this file

_INSERT = """
INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, hours_at_once, state, reason, title, evidence, proposed_by,
    proposal_id, awarded_at, reviews_needed, wait_hours, notice_days, release_at)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:reference AS text[]), CAST(:person_id AS uuid[]),
    CAST(:org_id AS uuid[]), CAST(:unit_id AS int[]), CAST(:rule_key AS text[]),
    CAST(:policy_version AS int[]), CAST(:points AS int[]), CAST(:points_before_caps AS int[]),
    CAST(:minutes AS int[]), CAST(:hours_at_once AS bool[]), CAST(:state AS text[]),
    CAST(:reason AS text[]),
    CAST(:title AS text[]), CAST(:evidence AS jsonb[]), CAST(:proposed_by AS uuid[]),
    CAST(:proposal_id AS uuid[]), CAST(:awarded_at AS timestamptz[]),
    CAST(:reviews_needed AS int[]), CAST(:wait_hours AS int[]), CAST(:notice_days AS int[]),
    CAST(:release_at AS timestamptz[]))
"""

_UNPAID = """
SELECT DISTINCT a.org_id, a.unit_id
FROM unnest(CAST(:orgs AS uuid[]), CAST(:units AS int[])) AS k(org_id, unit_id)
JOIN awards a ON a.org_id = k.org_id AND a.unit_id = k.unit_id AND a.state = 'pending_budget'
"""

# NULL: any organisation, any time.
_HAD = f"""
SELECT DISTINCT k.n
FROM unnest(CAST(:people AS uuid[]), CAST(:units AS int[]), CAST(:rules AS text[]),
            CAST(:orgs AS uuid[]), CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]))
     WITH ORDINALITY AS k(person_id, unit_id, rule_key, org_id, since, until, n)
JOIN awards a
  ON a.person_id = ANY(k.person_id || ARRAY(
      SELECT id FROM people WHERE merged_into_id = k.person_id))
 AND a.unit_id = k.unit_id AND a.rule_key = k.rule_key
 AND a.points > 0 AND a.state NOT IN ('reversed', 'rejected') AND NOT ({WAITS_FOR_REVIEW})
 AND (k.org_id IS NULL OR a.org_id = k.org_id) AND (k.since IS NULL OR a.awarded_at >= k.since)
 AND (k.until IS NULL OR a.awarded_at < k.until)
"""  # noqa: S608 - a constant of this file

_MOVE = """
UPDATE awards SET state = :state WHERE id = ANY(CAST(:ids AS uuid[]))
"""


async def tallies(
    session: Session, people: Sequence[UUID], spans: Spans
) -> dict[tuple[UUID, int], dict[str, Tally]]:
    """Sum what people earned in a day, its month and its year, by (person, unit) and rule.

    Without awards that wait for reviewers; with those of accounts that were merged into theirs.
    Exact only while the people's accounts are locked by this transaction.
    """
    rows = await session.fetch(_TALLIES, {"people": list(people), **asdict(spans)})
    others = {row.person_id for row in rows}.difference(people)
    into = await people_queries.kept(session, sorted(others)) if others else {}
    found: dict[tuple[UUID, int], dict[str, Tally]] = {}
    for row in rows:
        tally = Tally(int(row.day), int(row.month), int(row.year))
        theirs = found.setdefault((into.get(row.person_id, row.person_id), row.unit_id), {})
        theirs[row.rule_key] = theirs.get(row.rule_key, Tally()) + tally
    return found


async def insert(session: Session, awards: Sequence[NewAward]) -> None:
    """Insert one award or more."""
    await session.fetch(_INSERT, columns(awards))


async def totals(session: Session, person: UUID, unit: int, since: datetime) -> tuple[int, int]:
    """Sum the points of available awards since a time, and the minutes that count.

    With those of accounts that were merged into the person's.
    """
    people = [person, *await people_queries.merged_into(session, [person])]
    available = col(Award.state) == AwardState.available
    ended = col(Award.state).in_([AwardState.rejected, AwardState.reversed])
    counts = or_(available, and_(col(Award.hours_at_once), ~ended))
    query = select(
        func.coalesce(func.sum(Award.points).filter(available), 0),
        func.coalesce(func.sum(Award.minutes).filter(counts), 0),
    ).where(col(Award.person_id).in_(people), Award.unit_id == unit, Award.awarded_at >= since)
    points, minutes = (await session.exec(query)).one()
    return int(points), int(minutes)


async def unpaid(session: Session, funds: Sequence[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Return the funds (organisation, unit) with unpaid awards."""
    rows = await session.fetch(
        _UNPAID, {"orgs": [org for org, _ in funds], "units": [unit for _, unit in funds]}
    )
    return {(row.org_id, row.unit_id) for row in rows}


async def had(session: Session, asked: Sequence[OnceAsked]) -> set[int]:
    """Return the indexes of those that gave points, without awards that wait for reviewers.

    Exact only while the people's accounts are locked by this transaction.
    """
    wanted = {
        "people": [one.person_id for one in asked],
        "units": [one.unit_id for one in asked],
        "rules": [one.rule_key for one in asked],
        "orgs": [one.scope.org_id for one in asked],
        "since": [one.scope.since for one in asked],
        "until": [one.scope.until for one in asked],
    }
    return {row.n - 1 for row in await session.fetch(_HAD, wanted)}


async def find(session: Session, award_id: UUID, *, lock: bool = False) -> Award | None:
    query = select(Award).where(Award.id == award_id)
    found = await session.exec(query.with_for_update() if lock else query)
    return found.first()


async def lock_for_evidence(session: Session, award_id: UUID) -> None:
    """Keep reviewers, who lock the award for update, waiting; others may add evidence too."""
    await session.exec(select(Award.id).where(Award.id == award_id).with_for_update(read=True))


async def find_many(session: Session, ids: Sequence[UUID]) -> list[Award]:
    return list(await session.exec(select(Award).where(col(Award.id).in_(ids))))


async def lock_many(session: Session, ids: Sequence[UUID]) -> list[Award]:
    """Lock those of the awards that exist, in the order of their ids."""
    query = select(Award).where(col(Award.id).in_(ids)).order_by(col(Award.id))
    return list(await session.exec(query.with_for_update()))


async def save(session: Session, award: Award) -> None:
    """Write the changed columns of a locked award."""
    session.add(award)
    await session.flush()


async def move(session: Session, ids: Sequence[UUID], state: AwardState) -> None:
    """Move locked awards to another state."""
    await session.fetch(_MOVE, {"ids": list(ids), "state": state})
