"""Funds (公益银行): what comes in, who waits for it, and the figures that everybody may see."""

from datetime import date, datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, month_start, now
from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.awards import Award, AwardState
from app.models.funds import FundReceipt, ReceiptKind
from app.models.ledger import Kind, Purpose
from app.models.orgs import Org
from app.models.people import Role
from app.queries import funds as queries
from app.queries import records as record_queries
from app.queries.awards import reviewing as reviewing_queries
from app.queries.funds import Waiting
from app.schemas.funds import FundOut, ReceiptIn, ReceiptOut
from app.services import orgs, records
from app.services.awards.postings import award_posting
from app.services.ledger import posting, units
from app.services.ledger.types import MINUTES, AccountKey, Posting
from app.services.policies import history

WORDS = {ReceiptKind.donation: "捐赠", ReceiptKind.budget: "预算拨入"}
# A transaction that began before the end of a month is over by then.
CLOSING_GRACE = timedelta(minutes=5)


async def receive(tx: Session, caller: UUID, org_id: UUID, body: ReceiptIn) -> ReceiptOut:
    """Enter a donation or a budget. Raises OrgNotFound, Forbidden."""
    org = await records.authorized(tx, caller, [Role.administrator], org_id)
    at = now()
    policy = await history.in_force(tx, org.path, at)
    receipt = FundReceipt(
        id=new_id(),
        org_id=org_id,
        unit_id=policy.unit_id,
        kind=body.kind,
        points=body.points,
        giver=body.giver,
        note=body.note or "",
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
    return ReceiptOut.model_validate(receipt)


async def receipts(tx: Session, org_id: UUID, asked: PageParams) -> Page[ReceiptOut]:
    """Return what a fund got, newest first. Raises OrgNotFound."""
    await orgs.get(tx, org_id)
    query = record_queries.where(FundReceipt, org_id=org_id)
    return await records.page(tx, query, FundReceipt, ReceiptOut, asked)


async def figures(
    tx: Session, org_id: UUID, month: str | None, unit: str | None, *, subtree: bool
) -> FundOut:
    """Return an organisation's figures, or its subtree's, at the end of a month (YYYY-MM).

    They are of a unit, else of that in which the organisation gave points then. Raises
    OrgNotFound, Invalid, UnitUnknown.
    """
    org = await orgs.get(tx, org_id)
    first = _month(month) if month is not None else local_date(now()).replace(day=1)
    unit_id = await units.unit_of(tx, unit) if unit else await _unit_then(tx, org, first)
    row = await queries.public(tx, org.path, unit_id, first, subtree=subtree)
    return FundOut(
        **{name: row[name] for name in queries.FIGURES},
        month=f"{first:%Y-%m}",
        as_of=row.as_of,
        is_closed=row.is_closed,
    )


async def _unit_then(tx: Session, org: Org, month: date) -> int:
    """Return the unit of an organisation's programme at the end of a month, now if it runs."""
    found = await history.load(tx)
    at = min(_end(month) - timedelta(seconds=1), now())
    return found.policy(at if found.versions(at, org.path) else now(), org.path).unit_id


def _month(month: str) -> date:
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        raise invalid("query.month", "应为年-月", "expected YYYY-MM") from None


async def waiting(tx: Session) -> list[Waiting]:
    """Return the funds that owe awards."""
    return await queries.waiting(tx)


async def pay_waiting(tx: Session, fund: Waiting, at: datetime, limit: int) -> int:
    """Pay awards that wait for a fund, oldest first, as far as it lasts; return how many.

    Nobody is paid before somebody who waits longer. An award goes on from where it stopped:
    to its reviewers, its hours of waiting, or to the person.
    """
    awards = await queries.lock_waiting(tx, fund.org_id, fund.unit_id, limit)
    if not awards:
        return 0
    policy = await history.in_force(tx, fund.org_path, at)
    payer = AccountKey(fund.org_id, policy.fund, fund.unit_id)
    locked = await posting.lock(tx, [payer, *(_payee(award) for award in awards)])
    left = locked[payer].balance
    postings, states = list[Posting](), dict[UUID, AwardState]()
    for award in awards:
        if policy.fund is Purpose.budget and award.points > left:
            break
        left -= award.points
        states[award.id] = _next_state(award)
        if states[award.id] is AwardState.notice:  # nobody saw it while it waited for money
            await reviewing_queries.give_notice(tx, award.id, _notice_until(award, at))
        if award.points:
            postings.append(award_posting(award, payer, _payee(award), policy, at))
    for outcome in await posting.post(tx, postings, at, locked):
        unwrap([outcome])
    await queries.pay(tx, states)
    return len(states)


def _next_state(award: Award) -> AwardState:
    if award.reviews_needed:
        return AwardState.pending
    if award.release_at is None:
        return AwardState.available
    return AwardState.notice if award.notice_days else AwardState.pending


def _notice_until(award: Award, at: datetime) -> datetime:
    assert award.release_at is not None, "it waits for no reviewer"
    return max(award.release_at, at + timedelta(days=award.notice_days))


def _payee(award: Award) -> AccountKey:
    available = _next_state(award) is AwardState.available
    purpose = Purpose.available if available else Purpose.pending
    return AccountKey(award.person_id, purpose, award.unit_id)


async def months_to_write(tx: Session, at: datetime) -> list[date]:
    """Return the first days of the months that are not closed, the running one last.

    A month without a transfer has no row, and is looked at again: that costs next to nothing.
    """
    month = await queries.first_unclosed(tx)
    months = []
    while month is not None and midnight(month) <= at:
        months.append(month)
        month = local_date(_end(month))
    return months


async def write_month(tx: Session, month: date, at: datetime) -> None:
    """Write the figures of a month; one that is over is closed by it, for ever."""
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
