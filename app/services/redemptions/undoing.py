"""Undoing a collection: the points go back, and a new reservation holds them and the goods.

The collection stays on record. The new reservation has the old price, another pick-up code, and
names the old one; the stock does not change.
"""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries.ledger import posting as ledger_queries
from app.queries.redemption_days import orders as day_queries
from app.schemas.redemptions import PayerOut, UndoneOut
from app.services import audit, orgs, people
from app.services.ledger import moments, posting
from app.services.ledger.types import AccountKey, HoldTerms, Posting
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
from app.services.policies import history
from app.services.policies.rules import PointsPolicy
from app.services.redemptions import holding
from app.services.redemptions.collecting import OwnRedemption
from app.services.redemptions.reservations import RedemptionNotFound
from app.services.rewards import reading as rewards

WITHIN = timedelta(minutes=10)
# Whoever reserved has at least so long to collect.
AT_LEAST = timedelta(days=1)


class NotCollected(Refusal):
    code, status, title = "redemptions.not_collected", 409, "Not collected"
    zh, en = "该兑换未领取，或领取已撤销", "It was not collected, or that was undone."
    fact_names = ("status",)


class WithoutCounter(Refusal):
    """Voucher codes that were shown, and points that were given: no counter handed them over."""

    code, status, title = "redemptions.without_counter", 409, "Not collected at a counter"
    zh, en = (
        "该兑换未经柜台办理，不能在柜台撤销",
        "It was not collected at a counter, so no counter undoes it.",
    )


class UndoTooLate(Refusal):
    code, status, title = "redemptions.undo_too_late", 409, "Too late to undo"
    zh, en = "领取超过 10 分钟后不能撤销", "A collection can be undone for 10 minutes."
    fact_names = ("closes_at",)


async def undo(tx: Session, staff: Staff, redemption_id: UUID, reason: str) -> UndoneOut:
    """Undo a collection of the last ten minutes.

    Raises Forbidden, MerchantNotYours, RedemptionNotFound (another merchant's too), NotCollected,
    OwnRedemption, WithoutCounter, UndoTooLate, InsufficientPoints (a limited fund has given the
    points out again), PersonMerged (nobody could collect at the account that was merged).
    """
    merchant = await merchants.of_staff(tx, staff)
    old = await queries.lock_at(tx, redemption_id, merchant.id)
    if old is None:
        raise RedemptionNotFound
    at = await moments.moment(tx)
    if old.settled_at is None or old.status != RedemptionStatus.collected or old.undone_at:
        raise NotCollected(status=old.status)
    await people.require_no_part(tx, staff.person_id, {old.person_id: OwnRedemption})
    if old.settled_by == old.person_id:
        raise WithoutCounter
    if at >= old.settled_at + WITHIN:
        raise UndoTooLate(closes_at=old.settled_at + WITHIN)
    closed_at = await day_queries.closed_at(tx, old.day_id) if old.day_id is not None else None
    if closed_at is not None:  # its reconciliation stands
        raise UndoTooLate(closes_at=closed_at)
    policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
    reward = await rewards.get(tx, old.reward_id)
    new = _anew(old, at)
    await _move(tx, reward, old, new, policy, at)
    # The accounts are locked now, which a merge locks too.
    await people.require_not_merged(tx, [old.person_id])
    await queries.undo(tx, old.id, at, staff.person_id, reason)
    await queries.insert(tx, new)
    subject, about = ("redemption", old.id), audit.about("redemption", new.id)
    await audit.write_about(
        tx, staff.person_id, "undone", subject, merchant.org_id, reason=reason, facts=about
    )
    told = {"expires_at": new.expires_at}
    await holding.tell(tx, new, "counter_collection_undone", reward, **told)
    names = await people_queries.names(tx, [old.person_id])
    return UndoneOut(
        id=old.id,
        replaced_by=new.id,
        reward_id=old.reward_id,
        quantity=old.quantity,
        points=old.points,
        person=PayerOut(display_name=people.masked(names[old.person_id].display_name)),
        undone_at=at,
    )


def _anew(old: Redemption, at: datetime) -> Redemption:
    """Return the reservation that takes the place of a collection."""
    same = {"person_id", "reward_id", "merchant_id", "quantity", "points", "unit_id"}
    same |= {"day_id", "slot_id", "is_walk_in"}
    return Redemption(
        id=new_id(),
        status=RedemptionStatus.reserved,
        pickup_code=holding.pickup_code(),
        stock_period_start=old.stock_period_start,
        expires_at=max(old.expires_at, at + AT_LEAST),
        created_at=at,
        replaces_id=old.id,
        **old.model_dump(include=same),
    )


async def _move(
    tx: Session,
    reward: Reward,
    old: Redemption,
    new: Redemption,
    policy: PointsPolicy,
    at: datetime,
) -> None:
    """Give the points back to their lots, and hold them again, without repaying a debt between.

    Raises InsufficientPoints.
    """
    [collected] = await ledger_queries.find_related(tx, [], [old.id])
    available = AccountKey(old.person_id, Purpose.available, old.unit_id)
    back = Posting(
        id=new_id(),
        payer=await posting.key_of(tx, collected.to_account_id),
        payee=available,
        amount=old.points,
        kind=Kind.refund,
        reason=holding.reason_of(Kind.refund, reward.name),
        reference=f"redemption:{old.id}:undo",
        source_type="redemption",
        source_id=old.id,
        org_id=reward.org_id,
        closes_id=collected.id,
        returns=old.id,
        revived_until=policy.revived_until(at),
        repays=False,
    )
    refunded_for = timedelta(days=policy.document.lots.refund_days)
    terms = HoldTerms(new.expires_at, holding.reason_of(Kind.unhold, reward.name), refunded_for)
    reason = holding.reason_of(Kind.hold, reward.name)
    hold = holding.posting_of(
        new, Kind.hold, available, available.held, reward.org_id, reason, terms
    )
    for outcome in await posting.post(tx, [back, hold], at):
        if isinstance(outcome, Refusal):
            raise outcome
