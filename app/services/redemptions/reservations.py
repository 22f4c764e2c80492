"""Rewards reserved with held points: available → held, then → merchant or fund, or back."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import BEGINNING, now
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.core.paging import Page, PageParams, by_id
from app.models.ledger import Kind, Purpose
from app.models.merchants import MerchantKind
from app.models.notices import NoticeKind
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries import rewards as reward_queries
from app.schemas.redemptions import CollectedOut, PayerOut, RedemptionIn, RedemptionOut
from app.services import cards, merchants, notify, orgs, people, rewards
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, InsufficientPoints, Posting
from app.services.policies import history

OVERDUE_AT_ONCE = 50
GIVEN_BACK = {
    RedemptionStatus.cancelled: NoticeKind.redemption_cancelled,
    RedemptionStatus.expired: NoticeKind.redemption_expired,
}
# Crockford's base 32: no letter that looks like a digit. 40 bits.
PICKUP_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PICKUP_LENGTH = 8


class RedemptionNotFound(Refusal):
    code, status, title = "redemptions.not_found", 404, "No such redemption"
    zh, en = "兑换记录不存在", "There is no such redemption."


class RedemptionNotReserved(Refusal):
    code, status, title = "redemptions.not_reserved", 409, "Not reserved any more"
    zh, en = "该兑换已领取、取消或过期", "It was collected, cancelled or has expired."
    fact_names = ("status", "expires_at")


async def reserve(tx: Session, person_id: UUID, body: RedemptionIn) -> RedemptionOut:
    """Reserve a reward: points move to held, goods leave the stock.

    The person's accounts are locked before the limit is counted, so that two requests
    cannot both see room for one. Raises RewardNotFound, TierTooLow, LimitReached,
    InsufficientPoints, OutOfStock.
    """
    at = now()
    await release_overdue(tx, person_id)  # or what is free would seem to be held
    reward = await rewards.get(tx, body.reward_id)
    org = await orgs.get(tx, reward.org_id)
    policy = await history.in_force(tx, org.path, at)
    tier = await cards.tier_of(tx, person_id, policy)
    if policy.tier_rank(tier.key) < policy.tier_rank(reward.min_tier):
        raise rewards.TierTooLow(needed=reward.min_tier, tier=tier.key)
    payer = AccountKey(person_id, Purpose.available, policy.unit_id)
    held = AccountKey(person_id, Purpose.held, policy.unit_id)
    locked = await posting.lock(tx, [payer, held])
    await _check_limit(tx, person_id, reward, body.quantity, at)
    redemption = Redemption(
        id=new_id(),
        person_id=person_id,
        reward_id=reward.id,
        merchant_id=reward.merchant_id,
        quantity=body.quantity,
        points=reward.points * body.quantity,
        unit_id=policy.unit_id,
        status=RedemptionStatus.reserved,
        pickup_code=_pickup_code(),
        stock_period_start=rewards.running_period(reward.stock_period, at),
        expires_at=at + timedelta(days=policy.document.holds.days),
        created_at=at,
    )
    entry = _posting(redemption, Kind.hold, payer, held, reward.org_id, f"兑换预留：{reward.name}")
    [outcome] = await posting.post(tx, [entry], at, locked)
    if isinstance(outcome, InsufficientPoints):
        spendable = await posting.spendable(tx, locked[payer].id, at)
        raise InsufficientPoints(needed=entry.amount, available=spendable)
    unwrap([outcome])
    await rewards.take(tx, reward, body.quantity, at)
    await queries.insert(tx, redemption)
    told = {"expires_at": redemption.expires_at}
    await _tell(tx, redemption, NoticeKind.redemption_reserved, reward, **told)
    return _to_out(redemption, reward.name)


async def cancel(tx: Session, person_id: UUID, redemption_id: UUID) -> RedemptionOut:
    """Give a reservation up: points and goods go back. Cancelling twice is as once.

    Raises RedemptionNotFound, RedemptionNotReserved.
    """
    redemption = await queries.lock_own(tx, redemption_id, person_id)
    if redemption is None:
        raise RedemptionNotFound
    if redemption.status != RedemptionStatus.cancelled:
        await _give_back(tx, redemption, RedemptionStatus.cancelled, person_id)
    return _to_out(redemption, (await rewards.get(tx, redemption.reward_id)).name)


async def collect(tx: Session, staff_id: UUID, pickup_code: str) -> CollectedOut:
    """Hand the goods over: held points go to the shop, or back to the 公益银行.

    Raises Forbidden, RedemptionNotFound (another merchant's code too),
    RedemptionNotReserved.
    """
    merchant = await merchants.of_staff(tx, staff_id)
    code = pickup_code.strip().upper()
    redemption = await queries.lock_by_pickup_code(tx, code, merchant.id)
    if redemption is None:
        raise RedemptionNotFound
    at = now()
    if redemption.status != RedemptionStatus.reserved or redemption.expires_at <= at:
        raise _not_reserved(redemption, at)
    payee = AccountKey(merchant.id, Purpose.takings, redemption.unit_id)
    if merchant.kind == MerchantKind.fund_counter:
        policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
        payee = AccountKey(merchant.org_id, policy.fund, redemption.unit_id)
    await _settle(tx, redemption, RedemptionStatus.collected, at, staff_id, Kind.collect, payee)
    names = await people_queries.names(tx, [redemption.person_id])
    return CollectedOut(
        id=redemption.id,
        reward_id=redemption.reward_id,
        quantity=redemption.quantity,
        status=RedemptionStatus.collected,
        points=redemption.points,
        person=PayerOut(display_name=people.masked(names[redemption.person_id].display_name)),
    )


async def overdue(tx: Session, limit: int, *, person_id: UUID | None = None) -> list[UUID]:
    """Return reservations that nobody collected in time, of one person or of all."""
    return await queries.overdue(tx, now(), limit, person=person_id)


async def expire(tx: Session, redemption_id: UUID) -> None:
    """Give an overdue reservation back; nothing happens if it has been settled meanwhile."""
    redemption = await queries.lock(tx, redemption_id)
    if redemption is not None and redemption.status == RedemptionStatus.reserved:
        await _give_back(tx, redemption, RedemptionStatus.expired, None)


async def release_overdue(tx: Session, person_id: UUID) -> None:
    """Give back what a person did not collect in time: before anybody reads the balance.

    All are locked before the first is given back: the job may have one of them, and wait
    for the person's accounts.
    """
    for redemption in await queries.lock_overdue(tx, now(), person_id, OVERDUE_AT_ONCE):
        await _give_back(tx, redemption, RedemptionStatus.expired, None)


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[RedemptionOut]:
    """Return the person's redemptions, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        lambda row: _to_out(row.Redemption, row.reward_name),
    )


async def _check_limit(
    tx: Session, person_id: UUID, reward: Reward, quantity: int, at: datetime
) -> None:
    if reward.limit_per_member is None:
        return
    since = rewards.running_period(reward.limit_period, at)
    used = await queries.redeemed(tx, person_id, reward.id, since)
    if used + quantity > reward.limit_per_member:
        starts = since if since != BEGINNING else None
        raise rewards.LimitReached(limit=reward.limit_per_member, used=used, period_start=starts)


def _not_reserved(redemption: Redemption, at: datetime) -> RedemptionNotReserved:
    """Say what a reservation is now: one that is overdue has expired, whoever notes it."""
    overdue = redemption.status == RedemptionStatus.reserved and redemption.expires_at <= at
    status = RedemptionStatus.expired if overdue else redemption.status
    return RedemptionNotReserved(status=status, expires_at=redemption.expires_at)


async def _give_back(
    tx: Session, redemption: Redemption, status: RedemptionStatus, by: UUID | None
) -> None:
    payee = AccountKey(redemption.person_id, Purpose.available, redemption.unit_id)
    reward = await _settle(tx, redemption, status, now(), by, Kind.unhold, payee)
    await reward_queries.return_stock(
        tx, redemption.reward_id, redemption.stock_period_start, redemption.quantity
    )
    await _tell(tx, redemption, GIVEN_BACK[status], reward)


async def _tell(
    tx: Session, redemption: Redemption, kind: NoticeKind, reward: Reward, **facts: Any
) -> None:
    facts |= {
        "reward": reward.name,
        "quantity": redemption.quantity,
        "points": redemption.points,
    }
    await notify.send(tx, redemption.person_id, kind, ("redemption", redemption.id), **facts)


async def _settle(
    tx: Session,
    redemption: Redemption,
    status: RedemptionStatus,
    at: datetime,
    by: UUID | None,
    kind: Kind,
    payee: AccountKey,
) -> Reward:
    if not await queries.settle(tx, redemption.id, status, at, by):
        raise _not_reserved(redemption, at)
    reward = await rewards.get(tx, redemption.reward_id)
    held = AccountKey(redemption.person_id, Purpose.held, redemption.unit_id)
    word = "兑换领取" if kind is Kind.collect else "兑换退回"
    entry = _posting(
        redemption, kind, held, payee, reward.org_id, f"{word}：{reward.name}", closes=True
    )
    if payee.has_lots:
        policy = await history.in_force(tx, (await orgs.get(tx, reward.org_id)).path, at)
        entry = replace(entry, revived_until=policy.revived_until(at))
    unwrap(await posting.post(tx, [entry], at))
    redemption.status = status
    return reward


def _posting(
    redemption: Redemption,
    kind: Kind,
    payer: AccountKey,
    payee: AccountKey,
    org_id: UUID,
    reason: str,
    *,
    closes: bool = False,
) -> Posting:
    return Posting(
        id=new_id() if closes else redemption.id,
        payer=payer,
        payee=payee,
        amount=redemption.points,
        kind=kind,
        reason=reason,
        reference=f"redemption:{redemption.id}:{'settle' if closes else 'hold'}",
        source_type="redemption",
        source_id=redemption.id,
        org_id=org_id,
        closes_id=redemption.id if closes else None,
    )


def _to_out(redemption: Redemption, reward_name: str) -> RedemptionOut:
    return RedemptionOut.model_validate(redemption.model_dump() | {"reward_name": reward_name})


def _pickup_code() -> str:
    return "".join(secrets.choice(PICKUP_ALPHABET) for _ in range(PICKUP_LENGTH))
