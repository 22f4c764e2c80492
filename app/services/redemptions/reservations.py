"""Rewards reserved with held points: available → held, then → merchant or fund, or back.

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
from app.models.merchants import MerchantKind
from app.models.notices import NoticeKind
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries import rewards as reward_queries
from app.schemas.redemptions import (
    CollectedOut,
    PayerOut,
    RedemptionIn,
    RedemptionOut,
)
from app.services import cards, orgs, people, tiers
from app.services.ledger import moments, posting
from app.services.ledger.types import (
    AccountKey,
    AlreadySettled,
    HoldTerms,
    InsufficientPoints,
    ReferenceReused,
)
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
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

    The person's accounts are locked before the limit is counted, so that two concurrent requests
    cannot both pass it. Raises RewardNotFound, RewardNotOffered, CardSuspended, TierTooLow,
    LimitReached, InsufficientPoints, OutOfStock.
    """
    at = await moments.moment(tx)
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
    terms = HoldTerms(redemption.expires_at, holding.reason_of(Kind.unhold, reward), refunded_for)
    reason = holding.reason_of(Kind.hold, reward)
    entry = holding.posting_of(redemption, Kind.hold, payer, held, reward.org_id, reason, terms)
    [outcome] = await posting.post(tx, [entry], at, locked)
    if isinstance(outcome, InsufficientPoints):
        spendable = await posting.spendable(tx, locked[payer].id, at)
        raise InsufficientPoints(needed=entry.amount, available=spendable)
    unwrap([outcome])
    await rewards.take(tx, reward, body.quantity, at)
    await queries.insert(tx, redemption)
    told = {"expires_at": redemption.expires_at}
    await holding.tell(tx, redemption, NoticeKind.redemption_reserved, reward, **told)
    return _to_out(redemption, named(reward.name, reward.name_en), at)


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


async def to_collect(tx: Session, merchant_id: UUID, pickup_code: str, at: datetime) -> Redemption:
    """Lock and return what a merchant may hand over for a code.

    Raises RedemptionNotFound (another merchant's code too), RedemptionNotReserved, CardSuspended
    (the card of the person who reserved).
    """
    code = pickup_code.upper()
    redemption = await queries.lock_by_pickup_code(tx, code, merchant_id)
    if redemption is None:
        raise RedemptionNotFound
    require_reserved(redemption, at)
    await cards.require_active(tx, redemption.person_id)
    return redemption


async def collect(tx: Session, staff: Staff, pickup_code: str) -> CollectedOut:
    """Collect a reservation: held points go to the merchant, or back to the 公益银行.

    Raises Forbidden, MerchantNotYours, MerchantSuspended, and as ``to_collect``.
    """
    merchant = await merchants.of_staff(tx, staff, sells=True)
    at = await moments.moment(tx)
    redemption = await to_collect(tx, merchant.id, pickup_code, at)
    payee = AccountKey(merchant.id, Purpose.takings, redemption.unit_id)
    if merchant.kind == MerchantKind.fund_counter:
        policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
        payee = AccountKey(merchant.org_id, policy.fund, redemption.unit_id)
    await _settle(
        tx, redemption, RedemptionStatus.collected, at, staff.person_id, Kind.collect, payee
    )
    names = await people_queries.names(tx, [redemption.person_id])
    return CollectedOut(
        id=redemption.id,
        reward_id=redemption.reward_id,
        quantity=redemption.quantity,
        status=RedemptionStatus.collected,
        points=redemption.points,
        person=PayerOut(display_name=people.masked(names[redemption.person_id].display_name)),
    )


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
    reason = holding.reason_of(kind, reward)
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
