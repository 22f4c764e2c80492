"""Tiers of the 青享卡: promoted at once, demoted one step after a grace (decision 0050).

What twelve months earned is read with each use: whoever earned more has the higher tier at once. A
job writes it down, and what is written is kept for the grace after less was earned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.models.tiers import TierStanding
from app.queries import eligibility as eligibility_queries
from app.queries import tiers as queries
from app.queries.awards import granting as granting_queries
from app.schemas.policies.documents import Tier
from app.services import notify
from app.services.policies import history
from app.services.policies.rules import TIER_WINDOW, PointsPolicy


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's tier in a programme. ``points``, ``minutes``: of the last twelve months.

    ``since``: None for the lowest, and until the job has seen a promotion. ``grace_until``: until
    when the tier is kept though less was earned; None: enough was earned.
    """

    tier: Tier
    points: int
    minutes: int
    since: datetime | None = None
    grace_until: datetime | None = None


async def of(tx: Session, person_id: UUID, policy: PointsPolicy) -> Tier:
    """Return the tier of a person in the programme of a policy."""
    return (await standing(tx, person_id, policy)).tier


async def standing(tx: Session, person_id: UUID, policy: PointsPolicy) -> Standing:
    """Return the tier of a person, and why."""
    at = now()
    since = at - TIER_WINDOW
    points, minutes = await granting_queries.totals(tx, person_id, policy.unit_id, since)
    kept = await queries.find(tx, person_id, policy.unit_id)
    earned = policy.tier_for(points, minutes)
    if kept is None:
        return Standing(earned, points, minutes)
    steps = policy.tier_rank(earned.key) - policy.tier_rank(kept.tier)
    if steps > 0:
        return Standing(earned, points, minutes)
    if steps == 0:
        return Standing(earned, points, minutes, kept.since)
    until = (kept.below_since or at) + _grace(policy)
    tier = policy.document.tiers[policy.tier_rank(kept.tier)]
    return Standing(tier, points, minutes, kept.since, until)


def held(policy: PointsPolicy, earned: tuple[int, int], kept: str | None) -> Tier:
    """Return the tier by what was earned (points, minutes) and the key of the one that is kept."""
    found = policy.tier_for(*earned)
    rank = max(policy.tier_rank(found.key), policy.tier_rank(kept) if kept else 0)
    return policy.document.tiers[rank]


def _grace(policy: PointsPolicy) -> timedelta:
    return timedelta(days=policy.document.card.grace_days)


async def review(
    tx: Session, after: UUID | None, limit: int, at: datetime
) -> tuple[UUID | None, int]:
    """Promote, begin graces and demote among the next ``limit`` people, and tell them.

    Returns the last of them, None if there are no more, and how many rows were written.
    """
    people = await queries.people_after(tx, after, limit)
    earned = await eligibility_queries.earned(tx, people, at - TIER_WINDOW)
    rows = await queries.lock(tx, people)
    written = 0
    for policy in (await history.load(tx)).programmes(at):
        for person_id in people:
            key = (person_id, policy.unit_id)
            written += await _review_one(tx, key, policy, rows, earned.get(key, (0, 0)), at)
    return (people[-1] if len(people) == limit else None), written


async def _review_one(
    tx: Session,
    key: tuple[UUID, int],
    policy: PointsPolicy,
    rows: Mapping[tuple[UUID, int], TierStanding],
    earned: tuple[int, int],
    at: datetime,
) -> bool:
    """Write what became of one tier; tell whether there was anything to write."""
    row, reached = rows.get(key), policy.tier_rank(policy.tier_for(*earned).key)
    if row is None:
        if reached == 0:
            return False
        row = TierStanding(person_id=key[0], unit_id=key[1], tier="", since=at)
        _set(row, policy, reached, reached, at)
        if await queries.add(tx, row):
            await _tell(tx, row, policy, "tier_raised")
        return True
    rank = policy.tier_rank(row.tier)
    if reached > rank:
        _set(row, policy, reached, reached, at)
        kind = "tier_raised"
    elif reached == rank:
        if row.below_since is None:
            return False
        row.below_since, kind = None, ""
    elif row.below_since is None:
        row.below_since, kind = at, "tier_in_grace"
    elif row.below_since + _grace(policy) <= at:
        _set(row, policy, rank - 1, reached, at)
        kind = "tier_lowered"
    else:
        return False
    await queries.save(tx, row)
    if kind:
        await _tell(tx, row, policy, kind)
    return True


def _set(row: TierStanding, policy: PointsPolicy, rank: int, reached: int, at: datetime) -> None:
    """Change a tier. Who is still below the new one has the grace once more."""
    row.tier, row.since = policy.document.tiers[rank].key, at
    row.below_since = at if reached < rank else None


async def _tell(tx: Session, row: TierStanding, policy: PointsPolicy, kind: str) -> None:
    tier = policy.document.tiers[policy.tier_rank(row.tier)]
    facts: dict[str, object] = {"title": tier.name}
    if kind == "tier_in_grace" and row.below_since is not None:
        facts["until"] = row.below_since + _grace(policy)
    await notify.send(tx, row.person_id, kind, ("card", row.person_id), **facts)


async def hand_over(tx: Session, absorbed: UUID, kept: UUID, at: datetime) -> None:
    """Give the tiers of an account that is merged to the one that is kept, where they are higher.

    Both are of one person.
    """
    rows = await queries.lock(tx, [absorbed, kept])
    programmes = {one.unit_id: one for one in (await history.load(tx)).programmes(at)}
    for (person_id, unit_id), row in rows.items():
        if person_id != absorbed:
            continue
        other, policy = rows.get((kept, unit_id)), programmes.get(unit_id)
        if other is None:
            values = row.model_dump(exclude={"person_id"})
            await queries.add(tx, TierStanding(person_id=kept, **values))
        elif policy and policy.tier_rank(row.tier) > policy.tier_rank(other.tier):
            other.tier, other.since = row.tier, row.since
            other.below_since = row.below_since
            await queries.save(tx, other)
        await queries.remove(tx, row)
