"""The list of rewards (积分兑换清单), and what can be had of it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import BEGINNING, now, period_start
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Bilingual, named
from app.core.paging import Page, PageParams, by_id
from app.models.merchants import MerchantState
from app.models.rewards import Reward, RewardPeriod, RewardState
from app.queries import rewards as queries
from app.queries.rewards import RewardFilter
from app.schemas.rewards import RewardDetailOut, RewardOut
from app.services import orgs, people, records
from app.services.attachments.subjects import Access, Subject
from app.services.merchants import access as merchants
from app.services.policies.rules import PointsPolicy
from app.services.tiers import Standing

# Longer than each period, and less than two.
_LONGER = {
    RewardPeriod.month.value: timedelta(days=32),
    RewardPeriod.quarter.value: timedelta(days=93),
    RewardPeriod.year.value: timedelta(days=367),
}


class RewardNotFound(Refusal):
    code, status, title = "rewards.not_found", 404, "No such reward"
    zh, en = "兑换品不存在", "There is no such reward."


class RewardNotOffered(Refusal):
    code, status, title = "rewards.not_offered", 409, "Not offered"
    zh, en = "该兑换品目前不可兑换", "This reward cannot be had at present."
    fact_names = ("status", "opens_at", "closes_at")


class OutOfStock(Refusal):
    code, status, title = "rewards.out_of_stock", 409, "Out of stock"
    zh, en = "该兑换品库存不足", "There is not enough of this reward left."
    fact_names = ("stock_left", "opens_at")


class LimitReached(Refusal):
    code, status, title = "rewards.limit_reached", 409, "Limit reached"
    zh, en = "已达该兑换品的个人限额", "You have reached your limit for this reward."
    fact_names = ("limit", "used", "left", "period_start", "opens_at")

    def sentence(self) -> Bilingual:
        if left := self.facts["left"]:
            return Bilingual(
                f"超出个人限额：还可兑换 {left} 件",
                f"That is over your limit for this reward: {left} more can be had.",
            )
        return super().sentence()


class TierTooLow(Refusal):
    code, status, title = "rewards.tier_too_low", 403, "Tier too low"
    zh, en = "您的青享卡等级不足", "Your card's tier does not reach this reward."
    fact_names = ("needed", "tier", "points_missing", "minutes_missing")


async def browse(
    tx: Session, org_id: UUID | None, merchant_id: UUID | None, asked: PageParams
) -> Page[RewardOut]:
    """Return rewards of an organisation's subtree, of a merchant, or all. Raises OrgNotFound."""
    page = await offers(tx, org_id, merchant_id, asked)
    return Page(
        items=[RewardOut.model_validate(fields_of(row)) for row in page.items],
        next_cursor=page.next_cursor,
    )


async def offers(
    tx: Session, org_id: UUID | None, merchant_id: UUID | None, asked: PageParams
) -> Page[Any]:
    """Return the rows of what is offered. Raises OrgNotFound."""
    org_path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    at = now()
    wanted = RewardFilter(org_path, merchant_id, offered_at=at)
    return await by_id(
        asked,
        lambda after, limit: queries.page(tx, wanted, after, limit, _periods(at)),
        lambda row: row,
    )


async def browse_all(
    tx: Session, caller: UUID, org_id: UUID, state: RewardState | None, asked: PageParams
) -> Page[RewardDetailOut]:
    """Return the rewards of a subtree in every state. Raises OrgNotFound, Forbidden."""
    org = await records.authorized(tx, caller, people.READERS, org_id)
    wanted, periods = RewardFilter(org.path, state=state), _periods(now())
    return await by_id(
        asked,
        lambda after, limit: queries.page(tx, wanted, after, limit, periods),
        lambda row: RewardDetailOut.model_validate(fields_of(row)),
    )


async def seen(tx: Session, caller: UUID | None, reward_id: UUID) -> Any:
    """Return a reward's row; a draft only to those who may edit or audit it.

    Raises RewardNotFound.
    """
    found = await queries.with_stock(tx, reward_id, _periods(now()))
    if found is None:
        raise RewardNotFound
    if found.state == RewardState.draft:
        org = await orgs.get(tx, found.org_id)
        if not await people.holds(tx, caller, people.READERS, org.path):
            raise RewardNotFound
    return found


async def show(tx: Session, caller: UUID | None, reward_id: UUID) -> RewardDetailOut:
    """Return a reward, as ``seen``. Raises RewardNotFound."""
    return RewardDetailOut.model_validate(fields_of(await seen(tx, caller, reward_id)))


def fields_of(row: Any) -> dict[str, Any]:
    """Return the fields of a reward's row, with its name in both languages."""
    return {**row._mapping, "name": named(row.name, row.name_en), "name_zh": row.name}


def _periods(at: datetime) -> dict[str, datetime]:
    return {
        "month": period_start(at, "month"),
        "quarter": period_start(at, "quarter"),
        "year": period_start(at, "year"),
        "all": BEGINNING,
    }


async def offered(tx: Session, reward_id: UUID, at: datetime) -> Reward:
    """Return a reward that can be had; until the commit nobody edits or withdraws it.

    Raises RewardNotFound, RewardNotOffered.
    """
    reward = await queries.lock(tx, reward_id, share=True)
    if reward is None or reward.state == RewardState.draft:
        raise RewardNotFound
    merchant = await merchants.get(tx, reward.merchant_id)
    if refusal := not_offered(reward, merchant.state, at):
        raise refusal
    return reward


def not_offered(reward: Reward, merchant_state: str, at: datetime) -> RewardNotOffered | None:
    """Return the refusal of a reward that cannot be had at a time; None if it can."""
    begun = reward.offered_from is None or reward.offered_from <= at
    over = reward.offered_until is not None and reward.offered_until <= at
    is_open = merchant_state == MerchantState.active
    if reward.state == RewardState.published and begun and not over and is_open:
        return None
    return RewardNotOffered(
        status=reward.state if is_open else merchant_state,
        opens_at=reward.offered_from,
        closes_at=reward.offered_until,
    )


def too_low(policy: PointsPolicy, min_tier: str, standing: Standing) -> TierTooLow | None:
    """Return the refusal of a tier below ``min_tier``."""
    wanted = policy.tier_rank(min_tier)
    if policy.tier_rank(standing.tier.key) >= wanted:
        return None
    needed = policy.document.tiers[wanted]
    return TierTooLow(
        needed=min_tier,
        tier=standing.tier.key,
        points_missing=max(needed.points_12m - standing.points, 0),
        minutes_missing=max(needed.hours_12m * 60 - standing.minutes, 0),
    )


def over_limit(reward: Reward, used: int, quantity: int, at: datetime) -> LimitReached | None:
    """Return the refusal of more than a person's limit of the running period."""
    if reward.limit_per_member is None or used + quantity <= reward.limit_per_member:
        return None
    since = running_period(reward.limit_period, at)
    starts = since if since != BEGINNING else None
    return LimitReached(
        limit=reward.limit_per_member,
        used=used,
        left=max(reward.limit_per_member - used, 0),
        period_start=starts,
        opens_at=next_period(reward.limit_period, at),
    )


async def get(tx: Session, reward_id: UUID) -> Reward:
    reward = await queries.find(tx, reward_id)
    if reward is None:
        raise RewardNotFound
    return reward


async def take(tx: Session, reward: Reward, quantity: int, at: datetime) -> datetime:
    """Take from the current period's stock; return the period's start. Raises OutOfStock."""
    start = running_period(reward.stock_period, at)
    if reward.stock is not None and not await queries.take_stock(
        tx, reward.id, start, stock=reward.stock, quantity=quantity
    ):
        left = await queries.stock_left(tx, reward.id, start)
        raise OutOfStock(stock_left=left, opens_at=next_period(reward.stock_period, at))
    return start


def running_period(period: str | None, at: datetime) -> datetime:
    """Return the start of the current period of a stock or a limit.

    A redemption session has no date of its own yet: its stock and limits do not reset.
    """
    if period in (None, RewardPeriod.session):
        return BEGINNING
    return period_start(at, RewardPeriod(period).value)  # type: ignore[arg-type]


def next_period(period: str | None, at: datetime) -> datetime | None:
    """Return when a stock or a limit is renewed; None if it never is."""
    if period not in _LONGER:
        return None
    return running_period(period, running_period(period, at) + _LONGER[period])


async def _access(tx: Session, caller: UUID | None, reward_id: UUID) -> Access | None:
    reward = await queries.find(tx, reward_id)
    return await merchants.access_to(tx, caller, reward.merchant_id) if reward else None


ATTACHABLE = Subject("reward", _access, most=9)
