"""Disputes: the payer of a charge asks its organisation to decide, within 30 days.

A case (``cases``) that closes with its answer. If it is upheld, the points return to the lots that
they came from, also from a merchant that is suspended by now.
"""

from collections.abc import Sequence
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.models.cases import OPEN, Case, CaseKind, CaseOutcome
from app.models.merchants import Merchant
from app.models.redemptions import Charge, ChargeStatus
from app.models.webhooks import WebhookEventType
from app.queries import cases as case_queries
from app.queries import charges as queries
from app.queries import merchants as merchant_queries
from app.queries import people as people_queries
from app.schemas.charges import (
    DisputeDecisionIn,
    DisputeIn,
    DisputeOut,
    DisputeState,
    DisputeStateOut,
    MyChargeOut,
)
from app.services import cases, notify, people, records
from app.services import charges as charge_reading
from app.services.charges import ChargeNotFound
from app.services.merchants import access as merchants
from app.services.redemptions import refunds
from app.services.webhooks import events


class ChargeNotDisputable(records.WrongState):
    code, title = "charges.not_disputable", "Not disputable"
    zh, en = "只能对已付款且未全额退款的收款提出争议", "Only what was paid and not refunded."


class DisputedBefore(Refusal):
    code, status, title = "charges.disputed_before", 409, "Disputed before"
    zh, en = "该笔收款已提出过争议", "The charge has been disputed before."
    fact_names = ("status",)


class DisputeTooLate(Refusal):
    code, status, title = "charges.dispute_too_late", 409, "Too late to dispute"
    zh, en = "付款超过 30 天后不能提出争议", "A charge can be disputed for 30 days."
    fact_names = ("closes_at",)


class NotDisputed(records.WrongState):
    code, title = "charges.not_disputed", "Not disputed"
    zh, en = "没有待处理的争议", "There is no dispute to decide."


class OwnDispute(Refusal):
    code, status, title = "charges.own_dispute", 403, "Own dispute"
    zh, en = "须由付款人和商户以外的人决定", "Somebody who is neither payer nor merchant decides."


async def dispute(tx: Session, person_id: UUID, charge_id: UUID, body: DisputeIn) -> MyChargeOut:
    """Dispute a charge as its payer, once; the merchant's staff and organizers are told.

    Raises ChargeNotFound (somebody else's too), ChargeNotDisputable, DisputeTooLate,
    DisputedBefore.
    """
    charge = await queries.lock_own(tx, charge_id, person_id)
    if charge is None:
        raise ChargeNotFound
    at = now()
    before = await case_queries.lock_of(tx, CaseKind.dispute, charge.id, person_id)
    if before is not None:
        raise DisputedBefore(status=DisputeState.of(before))
    status = charge_reading.status_at(charge, at)
    if status != ChargeStatus.charged:
        raise ChargeNotDisputable(status=status)
    if at >= (closes_at := charge_reading.disputed_until(charge)):
        raise DisputeTooLate(closes_at=closes_at)
    merchant = await merchants.get(tx, charge.merchant_id)
    subject = ("charge", charge.id)
    await cases.open(tx, person_id, CaseKind.dispute, subject, merchant.org_id, body.reason)
    staff = [one for one, _, _ in await merchant_queries.staff(tx, merchant.id)]
    facts = {"points": charge.points, "reason": body.reason}
    await notify.send(tx, staff, "dispute_opened", subject, **facts)
    kind, points = WebhookEventType.charge_disputed, charge.points
    await events.write(tx, merchant.id, kind, at, charge_id=charge.id, points=points)
    parties = await _parties(tx, charge)
    await notify.send_to_deciders(tx, "disputes_waiting", merchant.org_id, but=parties)
    return await charge_reading.shown_to_payer(tx, charge, merchant.name, at)


async def decide(tx: Session, caller: UUID, charge_id: UUID, body: DisputeDecisionIn) -> DisputeOut:
    """Decide a dispute as an organizer above the merchant who has no part in it.

    Raises ChargeNotFound, OwnDispute, NotDisputed, RefundTooLarge.
    """
    charge = await queries.lock(tx, charge_id)
    if charge is None:
        raise ChargeNotFound
    try:
        merchant = await merchants.managed(tx, caller, charge.merchant_id)
    except merchants.MerchantNotFound:
        raise ChargeNotFound from None
    parties = await _parties(tx, charge)
    await people.require_no_part(tx, caller, dict.fromkeys(parties, OwnDispute))
    case = await case_queries.lock_of(tx, CaseKind.dispute, charge.id, charge.person_id)
    if case is None or case.state not in OPEN:
        raise NotDisputed(status=DisputeState.of(case) if case is not None else None)
    outcome = CaseOutcome.adopted if body.upheld else CaseOutcome.dismissed
    await cases.decide(tx, caller, case, outcome, body.reason, dict.fromkeys(parties, OwnDispute))
    if body.upheld:
        await refunds.give_back(tx, caller, merchant, charge, body.points, body.reason)
    await _tell(tx, charge, merchant, body)
    await events.write(
        tx,
        merchant.id,
        WebhookEventType.charge_dispute_decided,
        charge_id=charge.id,
        points=charge.points,
        upheld=body.upheld,
    )
    return (await _shown(tx, [case]))[0]


async def browse(tx: Session, caller: UUID, org_id: UUID, asked: PageParams) -> Page[DisputeOut]:
    """Return the disputes of charges in a subtree, newest first. Raises OrgNotFound, Forbidden."""

    async def shown(found: Sequence[Case]) -> list[DisputeOut]:
        return await _shown(tx, found)

    kind = CaseKind.dispute
    return await records.browse(tx, caller, people.READERS, org_id, Case, shown, asked, kind=kind)


async def end_disputes(tx: Session, erased: Sequence[UUID]) -> None:
    """End the open disputes of erased people: the charges stand. Repeatable."""
    for charge_id, opener in await case_queries.open_by(tx, CaseKind.dispute, erased):
        await queries.lock(tx, charge_id)
        case = await case_queries.lock_of(tx, CaseKind.dispute, charge_id, opener)
        if case is not None and case.state in OPEN:
            await cases.end(tx, None, case)


ERASES = end_disputes


async def _parties(tx: Session, charge: Charge) -> set[UUID]:
    """Return who has a part in a charge: its payer, who charged it, and the merchant's staff."""
    staff = await merchant_queries.staff(tx, charge.merchant_id)
    return {charge.person_id, charge.staff_id, *(one for one, _, _ in staff)}


async def _tell(tx: Session, charge: Charge, merchant: Merchant, body: DisputeDecisionIn) -> None:
    """Tell the payer and the merchant's staff what was decided."""
    staff = await merchant_queries.staff(tx, merchant.id)
    people_told = [charge.person_id, *(one for one, _, _ in staff)]
    facts = {"merchant": merchant.name, "upheld": body.upheld, "reason": body.reason}
    facts["points"] = charge.points
    await notify.send(tx, people_told, "dispute_decided", ("charge", charge.id), **facts)


async def _shown(tx: Session, found: Sequence[Case]) -> list[DisputeOut]:
    rows = {
        one.id: (one, name) for one, name in await queries.named(tx, [c.subject_id for c in found])
    }
    refunded = await charge_reading.refunded(tx, [one for one, _ in rows.values()])
    names = await people_queries.names(tx, sorted({one.created_by for one in found}))
    return [
        DisputeOut(
            **DisputeStateOut.of(case).model_dump(),
            id=case.id,
            charge_id=charge.id,
            org_id=case.org_id,
            merchant_id=charge.merchant_id,
            merchant_name=merchant_name,
            display_name=people.masked(names[case.created_by].display_name),
            points=charge.points,
            points_refunded=refunded[charge.id],
            note=charge.note,
            charged_at=charge.created_at,
        )
        for case, (charge, merchant_name) in ((one, rows[one.subject_id]) for one in found)
    ]
