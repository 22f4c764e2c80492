"""Refunds of charges: all of one, or parts, to the lots that the points came from.

The refund of what is left settles the charge; a part before it is a row of ``charge_refunds``.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.models.cases import CaseKind
from app.models.ledger import Kind, Purpose
from app.models.merchants import Merchant
from app.models.notices import NoticeKind
from app.models.redemptions import Charge, ChargeRefund, ChargeStatus
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries.ledger import posting as ledger_queries
from app.schemas.redemptions import ChargeOut, RefundIn
from app.services import audit, cases, notify, orgs, people, records
from app.services import charges as charge_reading
from app.services.charges import ChargeNotFound
from app.services.ledger import moments, posting
from app.services.ledger.types import AccountKey, Posting
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
from app.services.policies import history
from app.services.redemptions import charges
from app.services.settlements import bounds


class ChargeAlreadyRefunded(Refusal):
    code, status, title = "charges.already_refunded", 409, "Already refunded"
    zh, en = "该笔收款已退款", "This charge has been refunded."
    fact_names = ("refunded_at",)


class ChargeNotPaid(records.WrongState):
    code, title = "charges.not_paid", "Not paid"
    zh, en = "该笔收款尚未成立，无可退积分", "The charge was not paid: nothing can go back."


class RefundTooLarge(Refusal):
    """``limit``: the points that can still be refunded; ``used``: those that were."""

    code, status, title = "charges.refund_too_large", 409, "Refund too large"
    zh, en = "退款超过该笔收款的剩余积分", "Less than this is left of the charge to refund."
    fact_names = ("limit", "used")


async def refund(tx: Session, staff: Staff, charge_id: UUID, body: RefundIn) -> ChargeOut:
    """Refund a charge, by default all that is left of it. All of it ends a dispute.

    Raises Forbidden, MerchantNotYours, ChargeNotFound (another merchant's too), OwnCharge,
    ChargeNotPaid, ChargeAlreadyRefunded, RefundTooLarge.
    """
    merchant = await merchants.of_staff(tx, staff)
    found = await queries.lock_charge(tx, charge_id, merchant.id)
    if found is None:
        raise ChargeNotFound
    await people.require_no_part(tx, staff.person_id, {found.person_id: charges.OwnCharge})
    done = await give_back(tx, staff.person_id, merchant, found, body.points, body.reason)
    if done.status == ChargeStatus.refunded:
        await cases.lapse(tx, staff.person_id, CaseKind.dispute, charge_id)
    told = charges.notice(found, merchant=merchant.name, reason=body.reason, points=done.points)
    await notify.send_each(tx, NoticeKind.points_refunded, [told])
    name = (await people_queries.names(tx, [found.person_id]))[found.person_id].display_name
    return charges.to_out(
        found, done.status, name, done.balance, found.created_at, done.points_refunded
    )


@dataclass(frozen=True, slots=True)
class GivenBack:
    """``points`` went back now, ``points_refunded`` in all; ``balance`` is the payer's."""

    status: ChargeStatus
    points: int
    points_refunded: int
    balance: int


async def give_back(
    tx: Session, actor: UUID, merchant: Merchant, found: Charge, points: int | None, reason: str
) -> GivenBack:
    """Give points of a locked charge back to their lots; None: all that is left.

    Raises ChargeNotPaid, ChargeAlreadyRefunded, RefundTooLarge.
    """
    at = await moments.moment(tx)
    if found.status not in (ChargeStatus.charged, ChargeStatus.refunded):
        raise ChargeNotPaid(status=charge_reading.status_at(found, at))
    if points is not None and found.status == ChargeStatus.refunded:
        raise ChargeAlreadyRefunded(refunded_at=found.refunded_at)
    before = await queries.refunded_in_parts(tx, found.id)
    left = found.points - before
    points = points or left
    if points > left:
        raise RefundTooLarge(limit=left, used=before)
    entry = replace(
        await _posting(tx, found, merchant, reason, at), amount=points, given_back=before
    )
    is_rest = points == left
    if not is_rest:
        part = ChargeRefund(
            id=entry.id,
            charge_id=found.id,
            merchant_id=merchant.id,
            person_id=found.person_id,
            created_by=actor,
            points=points,
            reason=reason,
            created_at=at,
        )
        await queries.insert_refund(tx, part)
        reference = f"{entry.reference}:{entry.id}"
        entry = replace(entry, closes_id=None, part_of=entry.closes_id, reference=reference)
    elif not await queries.refund(tx, found.id, at, reason):
        raise ChargeAlreadyRefunded(refunded_at=found.refunded_at)
    status = ChargeStatus.refunded if is_rest else ChargeStatus.charged
    await audit.write_about(
        tx,
        actor,
        "refunded" if is_rest else "refunded_in_part",
        ("charge", found.id),
        merchant.org_id,
        before=ChargeStatus.charged,
        after=status,
        reason=reason,
        facts={"points": points},
    )
    locked = await posting.lock(tx, [entry.payer, entry.payee], at)
    unwrap(await posting.post(tx, [entry], at, locked))
    await bounds.set_off(tx, actor, found, entry.id, left - points)
    balance = locked[entry.payee].balance  # less the repaid debt
    return GivenBack(status, points, before + points, balance)


async def _posting(
    tx: Session, charge: Charge, merchant: Merchant, reason: str, at: datetime
) -> Posting:
    """Return the posting that gives the whole charge back and settles what paid it.

    It is by the organisation under which it was charged. A charge that its payer confirmed was paid
    by the transfer that settled its hold; its lots are those of the hold, which has the id of the
    charge.
    """
    taken = await ledger_queries.find_transfer(tx, charge.id)
    assert taken is not None, "a charge has its transfer"
    paid_by = charge.id
    if charge.expires_at is not None:
        [collected] = await ledger_queries.find_related(tx, [], [charge.id])
        paid_by = collected.id
    policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
    return Posting(
        id=new_id(),
        payer=AccountKey(charge.merchant_id, Purpose.takings, charge.unit_id),
        payee=AccountKey(charge.person_id, Purpose.available, charge.unit_id),
        amount=charge.points,
        kind=Kind.refund,
        reason=f"商户退款：{reason}",
        reference=f"refund:{charge.id}",
        source_type="charge",
        source_id=charge.id,
        org_id=taken.org_id,
        closes_id=paid_by,
        returns=charge.id,
        revived_until=policy.revived_until(at),
    )
