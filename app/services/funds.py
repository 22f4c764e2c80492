"""Funds (公益银行): receipts, and writing the figures of months."""

from datetime import date, datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, month_start
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.core.paging import Page, PageParams
from app.models.funds import FundReceipt, ReceiptKind, ReceiptState
from app.models.ledger import Kind, Purpose
from app.models.people import Role
from app.queries import funds as queries
from app.queries import records as record_queries
from app.queries.ledger import posting as posting_queries
from app.schemas.funds import (
    ReceiptDecisionIn,
    ReceiptIn,
    ReceiptOut,
    ReceiptReversalIn,
)
from app.services import coverages, notify, orgs, people, records
from app.services.attachments.subjects import Access, Subject
from app.services.ledger import moments, posting
from app.services.ledger.types import MINUTES, AccountKey, InsufficientPoints, Posting
from app.services.policies import history

MOVES = {
    ReceiptState.standing: {ReceiptState.reversal_proposed},
    ReceiptState.reversal_proposed: {ReceiptState.standing, ReceiptState.reversed},
}
WORDS = {ReceiptKind.donation: "捐赠", ReceiptKind.budget: "预算拨入"}
# Transactions that began before the end of a month are over by then.
CLOSING_GRACE = timedelta(minutes=5)


class ReceiptNotFound(Refusal):
    code, status, title = "funds.receipt_not_found", 404, "No such receipt"
    zh, en = "收入记录不存在", "There is no such receipt."


class ReceiptWrongState(records.WrongState):
    code = "funds.wrong_state"


class OwnReversal(Refusal):
    code, status, title = "funds.own_reversal", 403, "Own reversal"
    zh, en = "须由另一名管理员确认冲正", "Another administrator must confirm your reversal."


async def receive(tx: Session, caller: UUID, org_id: UUID, body: ReceiptIn) -> ReceiptOut:
    """Record a donation or a budget. Raises OrgNotFound, Forbidden, OrgClosed."""
    org = await records.authorized_open(tx, caller, [Role.administrator], org_id)
    at = await moments.moment(tx)
    policy = await history.in_force(tx, org.path, at)
    receipt = FundReceipt(
        id=new_id(),
        org_id=org_id,
        unit_id=policy.unit_id,
        kind=body.kind,
        points=body.points,
        giver=body.giver,
        note=body.note or "",
        form=body.form,
        value_cents=body.value_cents,
        goods=body.goods,
        created_by=caller,
        created_at=at,
    )
    await records.create(tx, caller, receipt)
    entry = Posting(
        id=receipt.id,
        payer=AccountKey(org_id, Purpose.income, policy.unit_id),
        payee=AccountKey(org_id, policy.fund, policy.unit_id),
        amount=body.points,
        kind=Kind(body.kind.value),
        reason=f"{WORDS[body.kind]}：{body.giver}",
        reference=f"receipt:{receipt.id}",
        source_type="receipt",
        source_id=receipt.id,
        org_id=org_id,
    )
    unwrap(await posting.post(tx, [entry], at))
    await coverages.assess(tx, org, at)
    return ReceiptOut.model_validate(receipt)


async def propose_reversal(
    tx: Session, caller: UUID, org_id: UUID, receipt_id: UUID, body: ReceiptReversalIn
) -> ReceiptOut:
    """Propose to reverse a receipt that was entered by mistake: another one must confirm it.

    Raises ReceiptNotFound, ReceiptWrongState.
    """
    receipt = await _locked(tx, caller, org_id, receipt_id)
    receipt.reversal_proposed_by, receipt.reversal_reason = caller, body.reason
    state = ReceiptState.reversal_proposed
    await records.move(tx, caller, receipt, state, MOVES, ReceiptWrongState, reason=body.reason)
    await notify.send_to_deciders(
        tx, "receipt_reversals_waiting", org_id, but=[caller], roles=[Role.administrator]
    )
    return ReceiptOut.model_validate(receipt)


async def decide_reversal(
    tx: Session, caller: UUID, org_id: UUID, receipt_id: UUID, body: ReceiptDecisionIn
) -> ReceiptOut:
    """Confirm a proposed reversal, or let the receipt stand. Who proposed it may only do that.

    A limited fund must still have the points. Raises ReceiptNotFound, OwnReversal,
    ReceiptWrongState, InsufficientPoints.
    """
    receipt = await _locked(tx, caller, org_id, receipt_id)
    proposer = receipt.reversal_proposed_by
    if proposer is None:
        raise ReceiptWrongState(status=receipt.state)
    if body.confirmed and await people.is_any_of(tx, caller, proposer):
        raise OwnReversal
    state = ReceiptState.reversed if body.confirmed else ReceiptState.standing
    if body.confirmed:
        receipt.reversal_confirmed_by = caller
    else:
        receipt.reversal_proposed_by = receipt.reversal_reason = None
    await records.move(tx, caller, receipt, state, MOVES, ReceiptWrongState, reason=body.reason)
    if body.confirmed:
        await _take_out(tx, receipt)
    await notify.send(
        tx,
        proposer,
        "receipt_reversal_decided",
        ("fund_receipt", receipt.id),
        giver=receipt.giver,
        points=receipt.points,
        confirmed=body.confirmed,
        reason=body.reason,
    )
    return ReceiptOut.model_validate(receipt)


async def _locked(tx: Session, caller: UUID, org_id: UUID, receipt_id: UUID) -> FundReceipt:
    """Lock a receipt of an organisation. Raises ReceiptNotFound, also outside one's subtree."""
    receipt = await records.locked(
        tx, FundReceipt, receipt_id, caller, [Role.administrator], ReceiptNotFound
    )
    if receipt.org_id != org_id:
        raise ReceiptNotFound
    return receipt


async def _take_out(tx: Session, receipt: FundReceipt) -> None:
    """Move the points of a receipt back to where they came from. Raises InsufficientPoints."""
    at = await moments.moment(tx)
    given = await posting_queries.find_transfer(tx, receipt.id)
    assert given is not None, "a receipt has a transfer"
    fund = await posting.key_of(tx, given.to_account_id)
    income = await posting.key_of(tx, given.from_account_id)
    locked = await posting.lock(tx, [fund, income], at)
    if fund.floor is not None and locked[fund].balance < receipt.points:
        raise InsufficientPoints(needed=receipt.points, available=locked[fund].balance)
    entry = Posting(
        id=new_id(),
        payer=fund,
        payee=income,
        amount=receipt.points,
        kind=Kind.reversal,
        reason=f"冲正：{receipt.reversal_reason}",
        reference=f"reversal:{receipt.id}",
        source_type="receipt",
        source_id=receipt.id,
        org_id=receipt.org_id,
        closes_id=receipt.id,
    )
    unwrap(await posting.post(tx, [entry], at, locked))
    await coverages.assess(tx, await orgs.get(tx, receipt.org_id), at)


async def receipts(tx: Session, org_id: UUID, asked: PageParams) -> Page[ReceiptOut]:
    """Return the receipts of a fund, newest first. Raises OrgNotFound."""
    await orgs.get(tx, org_id)
    query = record_queries.where(FundReceipt, org_id=org_id)
    return await records.page(tx, query, FundReceipt, ReceiptOut, asked)


async def receipt(tx: Session, org_id: UUID, receipt_id: UUID) -> ReceiptOut:
    """Return a receipt of a fund. Raises OrgNotFound, ReceiptNotFound."""
    await orgs.get(tx, org_id)
    found = await record_queries.find(tx, FundReceipt, receipt_id)
    if found is None or found.org_id != org_id:
        raise ReceiptNotFound
    return ReceiptOut.model_validate(found)


async def months_to_write(tx: Session, at: datetime) -> list[date]:
    """Return the first days of the months that are not closed, the current one last.

    A month without a transfer has no row and is returned again each time; that is cheap.
    """
    month = await queries.first_unclosed(tx)
    months = []
    while month is not None and midnight(month) <= at:
        months.append(month)
        month = local_date(_end(month))
    return months


async def write_month(tx: Session, month: date, at: datetime) -> None:
    """Write the figures of a month; a month that is over is closed for ever."""
    end = _end(month)
    is_over = _is_over(month, at)
    moved = await queries.month_of_transfers(tx, midnight(month), min(end, at), hours=MINUTES)
    await queries.write_month(
        tx, month, moved, as_of=min(end, at), closed_at=at if is_over else None
    )


def _is_over(month: date, at: datetime) -> bool:
    return at >= _end(month) + CLOSING_GRACE


def _end(month: date) -> datetime:
    return month_start(month.year, month.month, plus=1)


async def _access(tx: Session, caller: UUID | None, receipt_id: UUID) -> Access | None:
    """Receipts are public; their attachments are not, as they may show an account or address."""
    receipt = await record_queries.find(tx, FundReceipt, receipt_id)
    if receipt is None:
        return None
    org = await orgs.get(tx, receipt.org_id)
    manages = await people.holds(tx, caller, [Role.administrator], org.path)
    reads = await people.holds(tx, caller, people.READERS, org.path)
    return Access(org.id, reads=reads, attaches=manages, manages=manages)


ATTACHABLE = Subject("fund_receipt", _access, most=9)
