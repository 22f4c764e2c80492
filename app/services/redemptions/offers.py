"""Rewards as their readers see them: pictures, and whether the reader could reserve one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import request_language
from app.core.paging import Page, PageParams
from app.models.cards import CardStatus
from app.queries import cards as card_queries
from app.queries import offers as queries
from app.schemas.base import ReasonOut
from app.schemas.offers import OfferedRewardDetailOut, OfferedRewardOut, OwnOfferOut, PictureOut
from app.services import tiers
from app.services.cards import CardSuspended
from app.services.ledger import passbook
from app.services.ledger.types import InsufficientPoints
from app.services.policies import history
from app.services.policies.rules import PointsPolicy
from app.services.rewards import reading as rewards
from app.services.tiers import Standing


async def browse(
    tx: Session,
    caller: UUID | None,
    org_id: UUID | None,
    merchant_id: UUID | None,
    asked: PageParams,
) -> Page[OfferedRewardOut]:
    """Return what is offered in a subtree, by a merchant, or anywhere. Raises OrgNotFound."""
    page = await rewards.offers(tx, org_id, merchant_id, asked)
    beside = await _beside(tx, caller, page.items)
    items = [OfferedRewardOut.model_validate(beside[row.id]) for row in page.items]
    return Page(items=items, next_cursor=page.next_cursor)


async def show(tx: Session, caller: UUID | None, reward_id: UUID) -> OfferedRewardDetailOut:
    """Return a reward with its terms. Raises RewardNotFound."""
    row = await rewards.seen(tx, caller, reward_id)
    return OfferedRewardDetailOut.model_validate((await _beside(tx, caller, [row]))[row.id])


async def _beside(
    tx: Session, caller: UUID | None, rows: Sequence[Any]
) -> dict[UUID, Mapping[str, Any]]:
    """Return the fields of each reward, with its pictures and the caller's part."""
    pictures = await queries.pictures(tx, [row.id for row in rows])
    own = await _own_parts(tx, caller, rows) if caller is not None and rows else {}
    return {
        row.id: {
            **rewards.fields_of(row),
            "pictures": [PictureOut.of(one) for one in pictures.get(row.id, [])],
            "mine": own.get(row.id),
        }
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class _Means:
    """What a person has in a programme: its tier, and points to spend."""

    policy: PointsPolicy
    standing: Standing
    available: int


async def _own_parts(tx: Session, person_id: UUID, rows: Sequence[Any]) -> dict[UUID, OwnOfferOut]:
    at, language = now(), request_language()
    card = await card_queries.find(tx, person_id)
    status = card.status if card is not None else None
    means = await _means(tx, person_id, {row.org_path for row in rows}, at)
    since = [(row.id, rewards.running_period(row.limit_period, at)) for row in rows]
    redeemed = await queries.redeemed(tx, person_id, since, at)

    def part(row: Any) -> OwnOfferOut:
        used, limit = redeemed.get(row.id, 0), row.limit_per_member
        refusals = _refusals(row, means[row.org_path], used, at, status=status)
        refusal = next((one for one in refusals if one is not None), None)
        return OwnOfferOut(
            may_redeem=refusal is None,
            limit_left=None if limit is None else max(limit - used, 0),
            reason=ReasonOut.of(refusal, language) if refusal else None,
        )

    return {row.id: part(row) for row in rows}


async def _means(
    tx: Session, person_id: UUID, org_paths: set[str], at: datetime
) -> dict[str, _Means]:
    """Read the means of a person at organisations: once for each policy in force there."""
    found: dict[str, _Means] = {}
    by_version: dict[int, _Means] = {}
    for path in sorted(org_paths):
        policy = await history.in_force(tx, path, at)
        if policy.version not in by_version:
            standing = await tiers.standing(tx, person_id, policy)
            points = await passbook.available(tx, person_id, policy.unit_id, at)
            by_version[policy.version] = _Means(policy, standing, points)
        found[path] = by_version[policy.version]
    return found


def _refusals(
    row: Any, means: _Means, used: int, at: datetime, *, status: str | None
) -> Iterator[Refusal | None]:
    """Yield what ``reservations.reserve`` refuses one piece with, in its order."""
    yield rewards.not_offered(row, row.merchant_state, at)
    if status != CardStatus.active:
        yield CardSuspended(status=status)
    yield rewards.too_low(means.policy, row.min_tier, means.standing)
    yield rewards.over_limit(row, used, 1, at)
    if row.points > means.available:
        yield InsufficientPoints(needed=row.points, available=means.available)
    if row.stock_left is not None and row.stock_left < 1:
        renewed = rewards.next_period(row.stock_period, at)
        yield rewards.OutOfStock(stock_left=row.stock_left, opens_at=renewed)
