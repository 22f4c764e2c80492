"""Rewards: browsing the 积分兑换清单, taking from its stock."""

from datetime import datetime
from uuid import UUID

from app.core.clock import BEGINNING, now, period_start
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.models.rewards import Reward, RewardPeriod
from app.queries import rewards as queries
from app.schemas.rewards import RewardOut
from app.services import orgs


class RewardNotFound(Refusal):
    code, status, title = "rewards.not_found", 404, "No such reward"
    zh, en = "兑换品不存在", "There is no such reward."


class OutOfStock(Refusal):
    code, status, title = "rewards.out_of_stock", 409, "Out of stock"
    zh, en = "该兑换品库存不足", "There is not enough of this reward left."
    fact_names = ("stock_left",)


class LimitReached(Refusal):
    code, status, title = "rewards.limit_reached", 409, "Limit reached"
    zh, en = "已达该兑换品的个人限额", "You have reached your limit for this reward."
    fact_names = ("limit", "used", "period_start")


class TierTooLow(Refusal):
    code, status, title = "rewards.tier_too_low", 403, "Tier too low"
    zh, en = "您的青享卡等级不足", "Your card's tier does not reach this reward."
    fact_names = ("needed", "tier")


async def browse(
    tx: Session, org_id: UUID | None, merchant_id: UUID | None, asked: PageParams
) -> Page[RewardOut]:
    """Return rewards of an organisation's subtree, of a merchant, or all."""
    org_path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    at = now()
    periods = {
        "month": period_start(at, "month"),
        "quarter": period_start(at, "quarter"),
        "year": period_start(at, "year"),
        "all": BEGINNING,
    }
    return await by_id(
        asked,
        lambda after, limit: queries.page(tx, org_path, merchant_id, after, limit, periods),
        RewardOut.model_validate,
    )


async def get(tx: Session, reward_id: UUID) -> Reward:
    reward = await queries.find(tx, reward_id)
    if reward is None:
        raise RewardNotFound
    return reward


async def take(tx: Session, reward: Reward, quantity: int, at: datetime) -> datetime:
    """Take from the running period's stock; return the period's start. Raises OutOfStock."""
    start = running_period(reward.stock_period, at)
    if reward.stock is not None and not await queries.take_stock(
        tx, reward.id, start, stock=reward.stock, quantity=quantity
    ):
        raise OutOfStock(stock_left=await queries.stock_left(tx, reward.id, start))
    return start


def running_period(period: str | None, at: datetime) -> datetime:
    """Return when the running period of a stock or a limit began.

    A redemption session has no date of its own yet: its stock and limits run on.
    """
    if period in (None, RewardPeriod.session):
        return BEGINNING
    return period_start(at, RewardPeriod(period).value)  # type: ignore[arg-type]
