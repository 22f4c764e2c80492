"""A month that is over is settled, once and in order, and marked as paid.

A settled month never changes: what is found wrong with it is corrected in the next settlement.
"""

from datetime import date, timedelta
from uuid import UUID

from app.core.clock import BEGINNING, local_date
from app.core.db import Session
from app.core.errors import Refusal
from app.models.merchants import Merchant
from app.models.orgs import Org
from app.models.settlements import Settlement, SettlementPart, SettlementState
from app.models.webhooks import WebhookEventType
from app.queries import merchants as merchant_queries
from app.queries import settlements as queries
from app.schemas.settlements import PaymentIn, SettlementDetailOut, SettlementIn
from app.services import agreements, notify, orgs, people, records
from app.services.ledger import moments
from app.services.merchants.access import MerchantNotFound
from app.services.settlements import figures, reading
from app.services.settlements.figures import Month
from app.services.settlements.reading import SettlementNotFound
from app.services.webhooks import events

MOVES = {SettlementState.settled: {SettlementState.paid}}
# After the end of the month: what was posted in it is committed by then, by any host's clock.
WAITS = timedelta(hours=1)


class OwnSettlement(Refusal):
    code, status, title = "settlements.own", 403, "Own settlement"
    zh, en = (
        "本店店员不能代表组织办理结算或裁定争议，争议提出人也不能自行裁定",
        "Staff of the merchant does not settle or decide; nobody decides their own dispute.",
    )


class SettlementTooEarly(Refusal):
    code, status, title = "settlements.too_early", 409, "The month is not over"
    zh, en = (
        "该月尚未结束，次月 1 日 1 时起可以结算",
        "The month can be settled an hour after its end.",
    )
    fact_names = ("opens_at",)


class MonthSettled(Refusal):
    """``month``: the latest one that is settled."""

    code, status, title = "settlements.month_settled", 409, "Settled already"
    zh, en = (
        "该月已结算，更正只能计入以后月份",
        "The month is settled; corrections are part of a later one.",
    )
    fact_names = ("month",)


class EarlierMonthOpen(Refusal):
    """``month``: the one to settle first."""

    code, status, title = "settlements.earlier_month_open", 409, "An earlier month is open"
    zh, en = "以前月份尚未结算，请先结算", "An earlier month comes first."
    fact_names = ("month",)


class NothingToSettle(Refusal):
    code, status, title = "settlements.nothing_to_settle", 409, "Nothing to settle"
    zh, en = (
        "该月双方没有协议，也没有往来",
        "The two had neither an agreement nor any points in that month.",
    )


class SettlementWrongState(records.WrongState):
    code = "settlements.wrong_state"


class NothingDue(Refusal):
    """``due_cents``: at most 0."""

    code, status, title = "settlements.nothing_due", 409, "Nothing is due"
    zh, en = "该月没有应付金额，差额结转下月", "Nothing is due; a difference is carried over."
    fact_names = ("due_cents",)


async def settle(tx: Session, caller: UUID, body: SettlementIn) -> SettlementDetailOut:
    """Settle a month of a merchant under an organisation.

    Raises OrgNotFound, Forbidden, MerchantNotFound, OwnSettlement, SettlementTooEarly,
    MonthSettled, EarlierMonthOpen, NothingToSettle.
    """
    org = await records.authorized(tx, caller, people.ORGANIZERS, body.org_id)
    merchant = await merchant_queries.lock(tx, body.merchant_id)  # one settlement at a time
    if merchant is None:
        raise MerchantNotFound
    if await agreements.works_at(tx, caller, merchant.id):
        raise OwnSettlement
    first = figures.first_day(body.month)
    closes_at = figures.bounds(first)[1] + WAITS
    if await moments.moment(tx) < closes_at:
        raise SettlementTooEarly(opens_at=closes_at)
    month = await figures.of_month(tx, merchant.id, org, first)
    last = await queries.last(tx, merchant.id, org.id, month.unit_id)
    await _require_in_order(tx, merchant, org, month, last)
    if not month.parts and last is None:
        raise NothingToSettle
    made = await _write(tx, caller, merchant, org, month, last)
    await _tell(tx, made, merchant, org)
    return await reading.shown(tx, made)


async def mark_paid(
    tx: Session, caller: UUID, settlement_id: UUID, body: PaymentIn
) -> SettlementDetailOut:
    """Mark a settlement as paid, with the reference of the payment.

    Raises SettlementNotFound, OwnSettlement, NothingDue, SettlementWrongState.
    """
    found = await records.locked(
        tx, Settlement, settlement_id, caller, people.ORGANIZERS, SettlementNotFound
    )
    if await agreements.works_at(tx, caller, found.merchant_id):
        raise OwnSettlement
    if found.due_cents <= 0:
        raise NothingDue(due_cents=found.due_cents)
    if found.state == SettlementState.settled:
        found.paid_at = await moments.recorded(tx)
        found.paid_by, found.paid_reference = caller, body.reference
    await records.move(tx, caller, found, SettlementState.paid, MOVES, SettlementWrongState)
    merchant = await merchant_queries.find(tx, found.merchant_id)
    assert merchant is not None, "a foreign key"
    await _tell(tx, found, merchant, await orgs.get(tx, found.org_id))
    return await reading.shown(tx, found)


async def _require_in_order(
    tx: Session, merchant: Merchant, org: Org, month: Month, last: Settlement | None
) -> None:
    """Raise MonthSettled or EarlierMonthOpen unless this is the next month with any line."""
    if last is not None and last.month >= month.first:
        raise MonthSettled(month=f"{last.month:%Y-%m}")
    since = figures.bounds(last.month)[1] if last is not None else BEGINNING
    span = await figures.span_of(tx, merchant.id, org.id, month.unit_id, since, month.start)
    earlier = await queries.first_line(tx, span) if span is not None else None
    if earlier is not None:
        raise EarlierMonthOpen(month=f"{local_date(earlier):%Y-%m}")


async def _write(
    tx: Session, caller: UUID, merchant: Merchant, org: Org, month: Month, last: Settlement | None
) -> Settlement:
    upheld = await queries.to_correct(tx, merchant.id, org.id, month.unit_id, locks=True)
    corrected = sum(one.correction_cents or 0 for one in upheld)
    carried = min(0, last.due_cents) if last is not None else 0
    points, opening = month.figures, last.closing if last is not None else 0
    made = Settlement(
        org_id=org.id,
        created_by=caller,
        merchant_id=merchant.id,
        unit_id=month.unit_id,
        month=month.first,
        charged=points.charged,
        refunded=points.refunded,
        collected=points.collected,
        undone=points.undone,
        opening=opening,
        closing=opening + points.net,
        value_cents=month.value_cents,
        corrected_cents=corrected,
        carried_cents=carried,
        due_cents=month.value_cents + corrected + carried,
    )
    await records.create(tx, caller, made, month=f"{month.first:%Y-%m}", due_cents=made.due_cents)
    await queries.add_parts(tx, _parts(made.id, month))
    await queries.take_in(tx, [one.id for one in upheld], made.id)
    return made


def _parts(settlement_id: UUID, month: Month) -> list[SettlementPart]:
    return [
        SettlementPart(settlement_id=settlement_id, **reading.part_out(part).model_dump())
        for part in month.parts
    ]


async def _tell(tx: Session, made: Settlement, merchant: Merchant, org: Org) -> None:
    """Notify the merchant's staff, and its till."""
    told = {person for person, _, _ in await merchant_queries.staff(tx, merchant.id)}
    await notify.send(
        tx,
        told,
        "settlement_moved",
        ("settlement", made.id),
        org=org.name,
        merchant=merchant.name,
        month=month_of(made.month),
        paid=made.state == SettlementState.paid,
    )
    is_paid = made.state == SettlementState.paid
    await events.write(
        tx,
        merchant.id,
        WebhookEventType.settlement_paid if is_paid else WebhookEventType.settlement_closed,
        settlement_id=made.id,
        org_id=org.id,
        month=month_of(made.month),
        due_cents=made.due_cents,
    )


def month_of(first: date) -> str:
    """Return the month of its first day: ``2026-11``."""
    return f"{first:%Y-%m}"
