"""Disputed lines of settled months: opened by either side, decided by an organizer.

An upheld dispute changes no settled month: the next settlement takes its correction in.
"""

from datetime import timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.models.settlements import Settlement, SettlementDispute, SettlementDisputeState
from app.queries import merchants as merchant_queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries import settlements as queries
from app.schemas.settlements import DisputeAnswerIn, SettlementDisputeIn, SettlementDisputeOut
from app.services import agreements, audit, notify, orgs, people, records
from app.services.ledger import moments
from app.services.settlements import bounds, reading, settling
from app.services.settlements.reading import SettlementNotFound
from app.services.settlements.settling import OwnSettlement

WITHIN = timedelta(days=90)  # after the month was settled
MOVES = {
    SettlementDisputeState.open: {SettlementDisputeState.upheld, SettlementDisputeState.rejected}
}


class LineNotFound(Refusal):
    code, status, title = "settlements.line_not_found", 404, "No such line"
    zh, en = "该结算单没有这一笔", "The settlement has no such line."


class DisputeNotFound(Refusal):
    code, status, title = "settlements.dispute_not_found", 404, "No such dispute"
    zh, en = "争议不存在", "There is no such dispute."


class LineDisputed(Refusal):
    code, status, title = "settlements.line_disputed", 409, "Disputed already"
    zh, en = "这一笔已提出过争议", "The line was disputed before."
    fact_names = ("status",)


class DisputeTooLate(Refusal):
    code, status, title = "settlements.dispute_too_late", 409, "Too late to dispute"
    zh, en = "结算 90 天后不能再提出争议", "A line can be disputed for 90 days."
    fact_names = ("closes_at",)


class DisputeWrongState(records.WrongState):
    code = "settlement_disputes.wrong_state"


class CorrectionTooLarge(Refusal):
    """``limit``: the most, in yuan cents: what the line is worth.

    Of a correction below 0 it is less what refunds and other corrections of the charge took.
    """

    code, status, title = "settlements.correction_too_large", 409, "Correction too large"
    zh, en = (
        "更正金额不能超过这一笔的价值，扣减时须减去已退款和已更正的部分",
        "A correction is at most what the line is worth; refunds of it are not deducted again.",
    )
    fact_names = ("limit",)


async def open_dispute(
    tx: Session, caller: UUID, settlement_id: UUID, body: SettlementDisputeIn
) -> SettlementDisputeOut:
    """Dispute a line, for the merchant or for the organisation.

    Raises SettlementNotFound, LineNotFound, LineDisputed, DisputeTooLate.
    """
    found = await record_queries.lock(tx, Settlement, settlement_id)
    if found is None:
        raise SettlementNotFound
    org = await orgs.get(tx, found.org_id)
    organizes = await people.holds(tx, caller, people.ORGANIZERS, org.path)
    if not organizes and not await people_queries.is_staff_of(tx, caller, found.merchant_id):
        raise SettlementNotFound
    span = await reading.span_of(tx, found)
    if span is None or await queries.line(tx, span, body.transfer_id) is None:
        raise LineNotFound
    before = await queries.dispute_of(tx, body.transfer_id)
    if before is not None:
        raise LineDisputed(status=before.state)
    closes_at = found.created_at + WITHIN
    if await moments.checked_now(tx) >= closes_at:
        raise DisputeTooLate(closes_at=closes_at)
    made = SettlementDispute(
        org_id=found.org_id,
        created_by=caller,
        settlement_id=found.id,
        merchant_id=found.merchant_id,
        **body.model_dump(),
    )
    await records.create(tx, caller, made, **audit.about("settlement", found.id))
    staff = {person for person, _, _ in await merchant_queries.staff(tx, found.merchant_id)}
    await notify.send_to_deciders(
        tx, "settlements_disputed", found.org_id, but={caller, *staff}, at_least=1
    )
    return SettlementDisputeOut.model_validate(made)


async def answer(
    tx: Session, caller: UUID, settlement_id: UUID, dispute_id: UUID, body: DisputeAnswerIn
) -> SettlementDisputeOut:
    """Decide a dispute: nobody decides their own, or one about a merchant where they work.

    Raises DisputeNotFound, OwnSettlement, DisputeWrongState, CorrectionTooLarge.
    """
    found = await records.locked(
        tx, SettlementDispute, dispute_id, caller, people.ORGANIZERS, DisputeNotFound
    )
    if found.settlement_id != settlement_id:
        raise DisputeNotFound
    works = await agreements.works_at(tx, caller, found.merchant_id)
    if works or await people.is_any_of(tx, caller, found.created_by):
        raise OwnSettlement
    if found.state == SettlementDisputeState.open:
        await _require_in_bounds(tx, found, body.correction_cents or 0)
        found.decided_by, found.decided_at = caller, await moments.recorded(tx)
        found.answer, found.correction_cents = body.reason, body.correction_cents
    to = SettlementDisputeState.upheld if body.upheld else SettlementDisputeState.rejected
    await records.move(tx, caller, found, to, MOVES, DisputeWrongState, reason=body.reason)
    await _tell(tx, found, body)
    return SettlementDisputeOut.model_validate(found)


async def _require_in_bounds(tx: Session, found: SettlementDispute, cents: int) -> None:
    """Refuse to correct a line by more than it is worth: it is taken out, or counted once more.

    Raises CorrectionTooLarge.
    """
    limit = await bounds.limit_of(tx, found, cents)
    if abs(cents) > limit:
        raise CorrectionTooLarge(limit=limit)


async def _tell(tx: Session, found: SettlementDispute, body: DisputeAnswerIn) -> None:
    """Notify who opened the dispute."""
    settlement = await record_queries.find(tx, Settlement, found.settlement_id)
    merchant = await merchant_queries.find(tx, found.merchant_id)
    assert settlement is not None, "a foreign key"
    assert merchant is not None, "a foreign key"
    await notify.send(
        tx,
        found.created_by,
        "settlement_answered",
        ("settlement", settlement.id),
        merchant=merchant.name,
        month=settling.month_of(settlement.month),
        upheld=body.upheld,
        reason=body.reason,
    )
