"""Who may claim a courtesy now, how often, and what is missing.

Tier and categories are those of today. The tier is that of the programme of the organisation; a
category counts if that organisation, one above it or one below it recorded it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from app.core.clock import Period, local_date, period_start
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import request_language
from app.models.courtesies import Courtesy, CourtesyCell, CourtesyPeriod, CourtesyState
from app.models.person_categories import PeopleCategory
from app.queries import courtesies as queries
from app.queries import courtesy_claims as claim_queries
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.schemas.base import ReasonOut
from app.schemas.courtesies import MyCourtesyCellOut, OwnCourtesyOut
from app.services import tiers
from app.services.person_categories import reading as categories
from app.services.policies import history
from app.services.policies.rules import PointsPolicy

# Longer than each period, and less than two.
_LONGER = {
    CourtesyPeriod.month: timedelta(days=32),
    CourtesyPeriod.quarter: timedelta(days=93),
    CourtesyPeriod.year: timedelta(days=367),
}


class CourtesyNotOpen(Refusal):
    code, status, title = "courtesies.not_open", 409, "Not open"
    zh, en = "该礼遇目前不可领取", "The courtesy cannot be claimed at present."
    fact_names = ("status", "opens_at", "closes_at")


class CourtesyNotEligible(Refusal):
    """Facts: the tier seen; what the nearest cell of the matrix asks for; null: nothing more."""

    code, status, title = "courtesies.not_eligible", 403, "Not eligible"
    zh, en = (
        "您的等级或类别暂不符合该礼遇的条件",
        "Your tier or categories do not open this courtesy yet.",
    )
    fact_names = ("tier", "tier_needed", "category_needed")


class CourtesyQuotaUsed(Refusal):
    code, status, title = "courtesies.quota_used", 409, "Quota used"
    zh, en = "本周期的领取次数已用完", "You have claimed it as often as the period allows."
    fact_names = ("limit", "used", "opens_at")


class CourtesyChoiceMade(Refusal):
    code, status, title = "courtesies.choice_made", 409, "Choice made"
    zh, en = "今年的任选礼遇已选过", "You have made your choice of this year."
    fact_names = ("group", "opens_at")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is at an organisation: the tier by its policy, and categories."""

    policy: PointsPolicy
    tier: str
    categories: set[PeopleCategory]

    def lacks_category(self, cell: CourtesyCell) -> bool:
        return cell.category is not None and cell.category not in self.categories

    def lacks_tier(self, cell: CourtesyCell) -> bool:
        return self.steps_to(cell) > 0

    def steps_to(self, cell: CourtesyCell) -> int:
        """Return how many tiers the person is below the one of a cell."""
        if cell.min_tier is None:
            return 0
        return max(self.policy.tier_rank(cell.min_tier) - self.policy.tier_rank(self.tier), 0)


@dataclass(frozen=True, slots=True)
class Sight:
    """A person's claims, and standings at organisations, as a page of courtesies needs them.

    ``taken``: numbers by courtesy and beginning of the period. ``choices``: organisations and
    groups of which this year's choice is made.
    """

    standings: Mapping[UUID, Standing]
    cells: Mapping[UUID, Sequence[CourtesyCell]]
    choices: set[tuple[UUID, str]]
    taken: dict[tuple[UUID, datetime], set[int]] = field(default_factory=dict)


async def sight(
    tx: Session, person_id: UUID, courtesies: Sequence[Courtesy], at: datetime
) -> Sight:
    """Read what decides about a person and several courtesies."""
    ids = [one.id for one in courtesies]
    family = await people_queries.family(tx, person_id)
    found = Sight(
        standings=await _standings(tx, person_id, sorted({one.org_id for one in courtesies})),
        cells=await queries.cells(tx, ids),
        choices=await claim_queries.choices(tx, family, local_date(at).year),
    )
    since = min((running(one, at)[0] for one in courtesies), default=at)
    for courtesy, start, number in await claim_queries.taken(tx, family, ids, since):
        found.taken.setdefault((courtesy, start), set()).add(number)
    return found


async def _standings(tx: Session, person_id: UUID, org_ids: Sequence[UUID]) -> dict[UUID, Standing]:
    paths = await org_queries.paths_of(tx, org_ids)
    held = await categories.held(tx, person_id)
    found: dict[UUID, Standing] = {}
    for org_id in org_ids:
        policy = await history.in_force(tx, paths[org_id])
        tier = await tiers.of(tx, person_id, policy)
        found[org_id] = Standing(policy, tier.key, categories.near(held, paths[org_id]))
    return found


def running(courtesy: Courtesy, at: datetime) -> tuple[datetime, datetime | None]:
    """Return when the running period of the quota began, and when the next one begins."""
    if courtesy.period == CourtesyPeriod.run:
        return courtesy.starts_at, None
    period = cast("Period", str(courtesy.period))
    start = period_start(at, period)
    following = period_start(start + _LONGER[CourtesyPeriod(courtesy.period)], period)
    return start, following if following < courtesy.ends_at else None


def not_open(courtesy: Courtesy, at: datetime) -> CourtesyNotOpen | None:
    """Return the refusal of a courtesy that cannot be claimed at a moment."""
    is_open = courtesy.state == CourtesyState.published
    if is_open and courtesy.starts_at <= at < courtesy.ends_at:
        return None
    return CourtesyNotOpen(
        status=courtesy.state, opens_at=courtesy.starts_at, closes_at=courtesy.ends_at
    )


def quota(courtesy: Courtesy, seen: Sight) -> int:
    """Return how often the person may claim it in a period; 0: no cell applies."""
    standing = seen.standings[courtesy.org_id]
    return max((one.quota for one in _applying(standing, seen.cells[courtesy.id])), default=0)


def used(courtesy: Courtesy, seen: Sight, at: datetime) -> set[int]:
    """Return the numbers that the person has of the running period."""
    return seen.taken.get((courtesy.id, running(courtesy, at)[0]), set())


def refusal(courtesy: Courtesy, seen: Sight, at: datetime) -> Refusal | None:
    """Return why the person cannot claim it now; None: it can be claimed."""
    if (closed := not_open(courtesy, at)) is not None:
        return closed
    limit, numbers = quota(courtesy, seen), used(courtesy, seen, at)
    if limit == 0:
        return _not_eligible(seen.standings[courtesy.org_id], seen.cells[courtesy.id])
    if len(numbers) >= limit:
        return quota_used(courtesy, limit, len(numbers), at)
    if courtesy.choice_group and (courtesy.org_id, courtesy.choice_group) in seen.choices:
        return choice_made(courtesy, at)
    return None


def quota_used(courtesy: Courtesy, limit: int, count: int, at: datetime) -> CourtesyQuotaUsed:
    return CourtesyQuotaUsed(limit=limit, used=count, opens_at=running(courtesy, at)[1])


def choice_made(courtesy: Courtesy, at: datetime) -> CourtesyChoiceMade:
    following = period_start(period_start(at, "year") + _LONGER[CourtesyPeriod.year], "year")
    return CourtesyChoiceMade(group=courtesy.choice_group, opens_at=following)


def explained(courtesy: Courtesy, seen: Sight, at: datetime) -> OwnCourtesyOut:
    """Return what the person may have of a courtesy, and why or why not."""
    standing = seen.standings[courtesy.org_id]
    limit, count = quota(courtesy, seen), len(used(courtesy, seen, at))
    why = refusal(courtesy, seen, at)
    return OwnCourtesyOut(
        tier=standing.tier,
        categories=sorted(standing.categories),
        cells=[_cell(standing, one) for one in seen.cells[courtesy.id]],
        quota=limit,
        used=count,
        left=max(limit - count, 0),
        renews_at=running(courtesy, at)[1],
        reason=ReasonOut.of(why, request_language()) if why else None,
    )


def _cell(standing: Standing, cell: CourtesyCell) -> MyCourtesyCellOut:
    no_category, no_tier = standing.lacks_category(cell), standing.lacks_tier(cell)
    return MyCourtesyCellOut(
        category=PeopleCategory(cell.category) if cell.category else None,
        min_tier=cell.min_tier,
        quota=cell.quota,
        applies=not no_category and not no_tier,
        missing_category=PeopleCategory(cell.category) if no_category and cell.category else None,
        missing_tier=cell.min_tier if no_tier else None,
    )


def _applying(standing: Standing, cells: Sequence[CourtesyCell]) -> list[CourtesyCell]:
    return [
        one for one in cells if not standing.lacks_category(one) and not standing.lacks_tier(one)
    ]


def _not_eligible(standing: Standing, cells: Sequence[CourtesyCell]) -> CourtesyNotEligible:
    nearest = min(cells, key=lambda one: (standing.lacks_category(one), standing.steps_to(one)))
    return CourtesyNotEligible(
        tier=standing.tier,
        tier_needed=nearest.min_tier if standing.lacks_tier(nearest) else None,
        category_needed=nearest.category if standing.lacks_category(nearest) else None,
    )
