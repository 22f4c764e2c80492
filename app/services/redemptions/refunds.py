"""Refunds of charges: all of one, or parts, to the lots that the points came from.

The refund of what is left settles the charge; a part before it is a row of ``charge_refunds``.
"""

from dataclasses import replace
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.models.redemptions import Charge, ChargeRefund, ChargeStatus
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries.ledger import posting as ledger_queries
from app.schemas.redemptions import ChargeOut, RefundIn
from app.services import audit, notify, orgs
from app.services.ledger import moments, posting
from app.services.ledger.types import AccountKey, Posting
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
from app.services.policies import history
from app.services.redemptions import charges


class ChargeNotFound(Refusal):
    code, status, title = "charges.not_found", 404, "No such charge"
    zh, en = "收款记录不存在", "There is no such charge."


class ChargeAlreadyRefunded(Refusal):
    code, status, title = "charges.already_refunded", 409, "Already refunded"
    zh, en = "该笔收款已退款", "This charge has been refunded."
    fact_names = ("refunded_at",)


class RefundTooLarge(Refusal):
    """``limit``: the points that can still be refunded; ``used``: those that were."""

    code, status, title = "charges.refund_too_large", 409, "Refund too large"
    zh, en = "退款超过该笔收款的剩余积分", "Less than this is left of the charge to refund."
    fact_names = ("limit", "used")


async def refund(tx: Session, staff: Staff, charge_id: UUID, body: RefundIn) -> ChargeOut:
    """Refund a charge, by default all that is left of it.

    Raises Forbidden, MerchantNotYours, ChargeNotFound (another merchant's too),
    ChargeAlreadyRefunded, RefundTooLarge.
    """
    merchant = await merchants.of_staff(tx, staff)
    found = await queries.lock_charge(tx, charge_id, merchant.id)
    if found is None:
        raise ChargeNotFound
    if body.points is not None and found.status == ChargeStatus.refunded:
        raise ChargeAlreadyRefunded(refunded_at=found.refunded_at)
    before = await queries.refunded_in_parts(tx, charge_id)
    left = found.points - before
    points = body.points or left
    if points > left:
        raise RefundTooLarge(limit=left, used=before)
    at = await moments.moment(tx)
    policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
    taken = await ledger_queries.find_transfer(tx, charge_id)
    assert taken is not None, "a charge has its transfer"
    entry = replace(
        _posting(found, taken.org_id, body.reason),
        amount=points,
        given_back=before,
        revived_until=policy.revived_until(at),
    )
    is_rest = points == left
    if not is_rest:
        part = ChargeRefund(
            id=entry.id,
            charge_id=found.id,
            merchant_id=merchant.id,
            person_id=found.person_id,
            created_by=staff.person_id,
            points=points,
            reason=body.reason,
            created_at=at,
        )
        await queries.insert_refund(tx, part)
        reference = f"{entry.reference}:{entry.id}"
        entry = replace(entry, closes_id=None, returns=found.id, reference=reference)
    elif not await queries.refund(tx, charge_id, at, body.reason):
        raise ChargeAlreadyRefunded(refunded_at=found.refunded_at)
    status = ChargeStatus.refunded if is_rest else ChargeStatus.charged
    await audit.write_about(
        tx,
        staff.person_id,
        "refunded" if is_rest else "refunded_in_part",
        ("charge", charge_id),
        merchant.org_id,
        before=ChargeStatus.charged,
        after=status,
        reason=body.reason,
        facts={"points": points},
    )
    locked = await posting.lock(tx, [entry.payer, entry.payee], at)
    unwrap(await posting.post(tx, [entry], at, locked))
    told = charges.notice(found, merchant=merchant.name, reason=body.reason, points=points)
    await notify.send_each(tx, NoticeKind.points_refunded, [told])
    balance = locked[entry.payee].balance  # less the repaid debt
    name = (await people_queries.names(tx, [found.person_id]))[found.person_id].display_name
    return charges.to_out(found, status, name, balance, found.created_at, before + points)


def _posting(charge: Charge, org_id: UUID, reason: str) -> Posting:
    """Return the posting that gives the whole charge back and settles it.

    ``org_id``: the organisation under which it was charged.
    """
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
        org_id=org_id,
        closes_id=charge.id,
    )
