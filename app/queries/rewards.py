"""SQL of rewards and their stock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Update, and_, case, func, inspect, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.merchants import Merchant, MerchantState
from app.models.orgs import Org
from app.models.rewards import Reward, RewardState, RewardStock
from app.models.voucher_codes import VoucherCode


@dataclass(frozen=True, slots=True)
class RewardFilter:
    """Rewards of a subtree, of a merchant, in a state; ``offered_at``: those to be had then."""

    org_path: str | None = None
    merchant: UUID | None = None
    state: RewardState | None = None
    offered_at: datetime | None = None


async def page(
    session: Session,
    wanted: RewardFilter,
    after: UUID | None,
    limit: int,
    periods: dict[str, datetime],
) -> Sequence[Any]:
    """Read rewards with the stock left in the current periods (starts by name)."""
    query = _with_stock(periods).order_by(col(Reward.id)).limit(limit)
    if wanted.org_path is not None:
        query = query.where(col(Org.path).startswith(wanted.org_path, autoescape=True))
    if wanted.merchant is not None:
        query = query.where(Reward.merchant_id == wanted.merchant)
    if wanted.state is not None:
        query = query.where(Reward.state == wanted.state)
    if wanted.offered_at is not None:
        until = col(Reward.offered_until)
        query = query.where(
            Reward.state == RewardState.published,
            Merchant.state == MerchantState.active,
            until.is_(None) | (until > wanted.offered_at),
        )
    if after is not None:
        query = query.where(col(Reward.id) > after)
    return (await session.execute(query)).all()


async def with_stock(session: Session, reward_id: UUID, periods: dict[str, datetime]) -> Any:
    """Read one reward as in a page; None if there is none."""
    query = _with_stock(periods).where(col(Reward.id) == reward_id)
    return (await session.execute(query)).first()


def _with_stock(periods: dict[str, datetime]) -> Any:
    started = case(
        {name: start for name, start in periods.items() if name != "all"},
        value=col(Reward.stock_period),
        else_=periods["all"],
    )
    left = func.coalesce(RewardStock.remaining, Reward.stock)
    counted = case((col(Reward.stock).is_not(None), left))
    codes = (
        select(func.count())
        .where(
            col(VoucherCode.reward_id) == col(Reward.id), col(VoucherCode.redemption_id).is_(None)
        )
        .correlate(Reward)
        .scalar_subquery()
    )
    # Of vouchers with codes no more than there are codes; ``least`` passes over NULL.
    stock_left = case(
        (col(Reward.coded_at).is_not(None), func.least(counted, codes)), else_=counted
    )
    return (
        select(Reward)
        .with_only_columns(*inspect(Reward).columns)
        .add_columns(
            col(Merchant.name).label("merchant_name"),
            col(Merchant.state).label("merchant_state"),
            col(Org.path).label("org_path"),
            stock_left.label("stock_left"),
        )
        .join(Org, col(Org.id) == col(Reward.org_id))
        .join(Merchant, col(Merchant.id) == col(Reward.merchant_id))
        .outerjoin(
            RewardStock,
            and_(
                col(RewardStock.reward_id) == col(Reward.id),
                col(RewardStock.period_start) == started,
            ),
        )
    )


async def find(session: Session, reward_id: UUID) -> Reward | None:
    return await session.get(Reward, reward_id)


async def lock(session: Session, reward_id: UUID, *, share: bool = False) -> Reward | None:
    """Lock a reward; ``share``: its price and state stay until the commit."""
    query = select(Reward).where(Reward.id == reward_id)
    query = query.with_for_update(read=share, key_share=not share)
    return (await session.exec(query)).first()


async def add(session: Session, reward: Reward) -> bool:
    """Insert a reward; False if its merchant has one with this key."""
    values = reward.model_dump()
    done = insert(Reward).values(values).on_conflict_do_nothing().returning(col(Reward.id))
    return (await session.execute(done)).first() is not None


async def english_names(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Read the English names of rewards by their Chinese ones."""
    query = select(Reward.name, Reward.name_en).where(
        col(Reward.name).in_(names), col(Reward.name_en).is_not(None)
    )
    return {name: name_en for name, name_en in await session.exec(query) if name_en is not None}


async def find_many(session: Session, ids: Sequence[UUID]) -> list[Reward]:
    return list(await session.exec(select(Reward).where(col(Reward.id).in_(ids))))


async def take_stock(
    session: Session, reward: UUID, period_start: datetime, *, stock: int, quantity: int
) -> bool:
    """Take from the stock of a period, opening it with ``stock``; False if too little is left."""
    opening = {
        "reward_id": reward,
        "period_start": period_start,
        "opened_with": stock,
        "remaining": stock,
    }
    await session.execute(insert(RewardStock).values(opening).on_conflict_do_nothing())
    # One conditional update of a counter: of concurrent requests for the last one, one succeeds.
    done: Any = await session.execute(
        _of_period(reward, period_start)
        .where(enough(quantity))
        .values(remaining=RewardStock.remaining - quantity)
    )
    return bool(done.rowcount)


async def lock_stock(session: Session, reward: UUID, period_start: datetime) -> int | None:
    """Lock the stock of a period and return what is left; None if it was not opened."""
    query = select(RewardStock.remaining).where(
        RewardStock.reward_id == reward, RewardStock.period_start == period_start
    )
    return (await session.exec(query.with_for_update())).first()


async def stock_left(session: Session, reward: UUID, period_start: datetime) -> int:
    """Read the stock left of a period that was opened."""
    stock = await session.get_one(RewardStock, (reward, period_start))
    return stock.remaining


async def return_stock(
    session: Session, reward: UUID, period_start: datetime, quantity: int
) -> None:
    back = _of_period(reward, period_start).values(remaining=RewardStock.remaining + quantity)
    await session.execute(back)


def enough(quantity: int) -> ColumnElement[bool]:
    """Return the condition that a stock has this quantity left."""
    return col(RewardStock.remaining) >= quantity


def _of_period(reward: UUID, period_start: datetime) -> Update:
    """Return an update of the stock of a reward in a period."""
    return update(RewardStock).where(
        col(RewardStock.reward_id) == reward, col(RewardStock.period_start) == period_start
    )
