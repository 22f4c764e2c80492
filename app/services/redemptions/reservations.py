"""Rewards reserved with held points: available → held, then collected (``collecting``), or back.

A reservation that is not collected expires at ``expires_at``. The ledger ends its hold then
(``ledger/holds``); ``expire`` writes the state, returns the goods and notifies the person.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.core.language import Bilingual, named
from app.models.ledger import Kind, Purpose
from app.models.merchants import Merchant, MerchantKind
from app.models.notices import NoticeKind
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import redemptions as queries
from app.queries import reward_waits as wait_queries
from app.queries import rewards as reward_queries
from app.queries.redemption_days import orders as day_queries
from app.schemas.redemptions import RedemptionIn, RedemptionOut
from app.services import cards, orgs, tiers, voucher_codes
from app.services.ledger import moments, posting
from app.services.ledger.types import (
    AccountKey,
    AlreadySettled,
    HoldTerms,
    InsufficientPoints,
    ReferenceReused,
)
from app.services.merchants import access as merchants
from app.services.policies import history
from app.services.redemptions import holding
from app.services.rewards import reading as rewards

GIVEN_BACK = {
    RedemptionStatus.cancelled: NoticeKind.redemption_cancelled,
    RedemptionStatus.expired: NoticeKind.redemption_expired,
}


class RedemptionNotFound(Refusal):
    code, status, title = "redemptions.not_found", 404, "No such redemption"
    zh, en = "兑换记录不存在", "There is no such redemption."


class RedemptionNotReserved(Refusal):
    code, status, title = "redemptions.not_reserved", 409, "Not reserved any more"
    zh, en = "该兑换已领取、取消或过期", "It was collected, cancelled or has expired."
    fact_names = ("status", "expires_at")


async def reserve(tx: Session, person_id: UUID, body: RedemptionIn) -> RedemptionOut:
    """Reserve a reward: points move to held, goods are taken from the stock.

    A voucher with codes is collected at once, a code for each piece. Raises RewardNotFound,
    RewardNotOffered, CardSuspended, TierTooLow, LimitReached, InsufficientPoints, OutOfStock.
    """
    at = await moments.moment(tx)
    redemption, reward = await make(tx, person_id, body, at)
    if reward.coded_at is not None:
        await voucher_codes.hand_out(tx, redemption, at)
        await collect_at_once(tx, redemption, at)
        await holding.tell(tx, redemption, "voucher_handed_out", reward)
    else:
        told = {"expires_at": redemption.expires_at}
        await holding.tell(tx, redemption, NoticeKind.redemption_reserved, reward, **told)
    return _to_out(redemption, named(reward.name, reward.name_en), at)


async def make(
    tx: Session, person_id: UUID, body: RedemptionIn, at: datetime
) -> tuple[Redemption, Reward]:
    """Make a reservation without a notice of it. Raises as ``reserve``.

    The person's accounts are locked before the limit is counted, so that two concurrent requests
    cannot both pass it.
    """
    reward = await rewards.offered(tx, body.reward_id, at)
    org = await orgs.get(tx, reward.org_id)
    policy = await history.in_force(tx, org.path, at)
    await cards.require_active(tx, person_id)
    standing = await tiers.standing(tx, person_id, policy)
    if refusal := rewards.too_low(policy, reward.min_tier, standing):
        raise refusal
    payer = AccountKey(person_id, Purpose.available, policy.unit_id)
    held = AccountKey(person_id, Purpose.held, policy.unit_id)
    locked = await posting.lock(tx, [payer, held], at)
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
        pickup_code=holding.pickup_code(),
        stock_period_start=rewards.running_period(reward.stock_period, at),
        expires_at=at + timedelta(days=policy.document.holds.days),
        created_at=at,
    )
    refunded_for = timedelta(days=policy.document.lots.refund_days)
    terms = HoldTerms(
        redemption.expires_at, holding.reason_of(Kind.unhold, reward.name), refunded_for
    )
    reason = holding.reason_of(Kind.hold, reward.name)
    entry = holding.posting_of(redemption, Kind.hold, payer, held, reward.org_id, reason, terms)
    [outcome] = await posting.post(tx, [entry], at, locked)
    if isinstance(outcome, InsufficientPoints):
        spendable = await posting.spendable(tx, locked[payer].id, at)
        raise InsufficientPoints(needed=entry.amount, available=spendable)
    unwrap([outcome])
    await rewards.take(tx, reward, body.quantity, at)
    await queries.insert(tx, redemption)
    await wait_queries.end(tx, reward.id, person_id)
    return redemption, reward


async def collect_at_once(tx: Session, redemption: Redemption, at: datetime) -> None:
    """Collect a reservation in the transaction that made it, by the person, without a counter."""
    merchant = await merchants.get(tx, redemption.merchant_id)
    payee = await _payee(tx, merchant, redemption.unit_id, at)
    by = redemption.person_id
    await _settle(tx, redemption, RedemptionStatus.collected, at, by, Kind.collect, payee)


async def cancel(tx: Session, person_id: UUID, redemption_id: UUID) -> RedemptionOut:
    """Cancel the caller's own reservation; release its points and its goods. Idempotent.

    Raises RedemptionNotFound, RedemptionNotReserved.
    """
    redemption = await queries.lock_own(tx, redemption_id, person_id)
    if redemption is None:
        raise RedemptionNotFound
    at = await moments.moment(tx)
    if redemption.status != RedemptionStatus.cancelled:
        require_reserved(redemption, at)
        await _give_back(tx, redemption, RedemptionStatus.cancelled, at, person_id)
    reward = await rewards.get(tx, redemption.reward_id)
    return _to_out(redemption, named(reward.name, reward.name_en), at)


async def _payee(tx: Session, merchant: Merchant, unit_id: int, at: datetime) -> AccountKey:
    """Return the account that what is collected at a merchant goes to."""
    if merchant.kind != MerchantKind.fund_counter:
        return AccountKey(merchant.id, Purpose.takings, unit_id)
    policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
    return AccountKey(merchant.org_id, policy.fund, unit_id)


async def overdue(tx: Session, at: datetime, limit: int) -> list[UUID]:
    """Return reservations past their expiry that are not marked as expired."""
    return await queries.overdue(tx, at, limit)


async def expire(tx: Session, redemption_id: UUID, at: datetime) -> None:
    """Mark a reservation as expired, return its goods and notify the person.

    The points are returned here too, unless the ledger has ended the hold before. Does nothing if
    it was collected or cancelled, or is not overdue.
    """
    redemption = await queries.lock(tx, redemption_id)
    if redemption is None or redemption.status != RedemptionStatus.reserved:
        return
    if redemption.expires_at <= at:
        await _give_back(tx, redemption, RedemptionStatus.expired, at, None)


async def _check_limit(
    tx: Session, person_id: UUID, reward: Reward, quantity: int, at: datetime
) -> None:
    if reward.limit_per_member is None:
        return
    since = rewards.running_period(reward.limit_period, at)
    used = await queries.redeemed(tx, person_id, reward.id, since, at)
    if refusal := rewards.over_limit(reward, used, quantity, at):
        raise refusal


def _status_at(redemption: Redemption, at: datetime) -> RedemptionStatus:
    """Return the status at a moment: an overdue reservation is expired, marked or not."""
    overdue = redemption.status == RedemptionStatus.reserved and redemption.expires_at <= at
    return RedemptionStatus.expired if overdue else RedemptionStatus(redemption.status)


def require_reserved(redemption: Redemption, at: datetime) -> None:
    """Raise RedemptionNotReserved unless it waits to be collected at a moment."""
    if _status_at(redemption, at) != RedemptionStatus.reserved:
        raise _not_reserved(redemption, at)


def _not_reserved(redemption: Redemption, at: datetime) -> RedemptionNotReserved:
    return RedemptionNotReserved(
        status=_status_at(redemption, at), expires_at=redemption.expires_at
    )


async def _give_back(
    tx: Session,
    redemption: Redemption,
    status: RedemptionStatus,
    at: datetime,
    by: UUID | None,
) -> None:
    payee = AccountKey(redemption.person_id, Purpose.available, redemption.unit_id)
    reward = await _settle(tx, redemption, status, at, by, Kind.unhold, payee)
    if redemption.day_id is not None:
        await day_queries.give_back(tx, redemption)
    else:
        await reward_queries.return_stock(
            tx, redemption.reward_id, redemption.stock_period_start, redemption.quantity
        )
    await holding.tell(tx, redemption, GIVEN_BACK[status], reward)


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
    reason = holding.reason_of(kind, reward.name)
    entry = holding.posting_of(redemption, kind, held, payee, reward.org_id, reason)
    if payee.has_lots:
        policy = await history.in_force(tx, (await orgs.get(tx, reward.org_id)).path, at)
        entry = replace(entry, revived_until=policy.revived_until(at))
    [outcome] = await posting.post(tx, [entry], at)
    if isinstance(outcome, AlreadySettled | ReferenceReused):  # the ledger ended the hold before
        raise RedemptionNotReserved(
            status=RedemptionStatus.expired, expires_at=redemption.expires_at
        )
    unwrap([outcome])
    redemption.status = status
    return reward


def _to_out(redemption: Redemption, reward_name: Bilingual, at: datetime) -> RedemptionOut:
    return RedemptionOut.model_validate(shown_of(redemption, reward_name, at))


def shown_of(redemption: Redemption, reward_name: Bilingual, at: datetime) -> dict[str, Any]:
    """Return the fields that a person sees of an own redemption, with its status at a moment."""
    shown = {"reward_name": reward_name, "status": _status_at(redemption, at)}
    return redemption.model_dump() | shown
