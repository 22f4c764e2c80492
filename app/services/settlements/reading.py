"""Settlements for both sides: lists, details, lines, and months that are not settled yet."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import CLOSED_ACCOUNT
from app.core.paging import Key, Page, PageParams, keyset
from app.models.ledger import Purpose
from app.models.merchants import Merchant
from app.models.orgs import Org
from app.models.settlements import Settlement, SettlementPart, SettlementState
from app.queries import agreements as agreement_queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries import settlements as queries
from app.queries.ledger import posting as ledger_queries
from app.queries.ledger import units as unit_queries
from app.queries.settlements import Line, Span
from app.schemas.redemptions import PayerOut
from app.schemas.settlements import (
    MerchantMonthOut,
    MerchantMonthsOut,
    SettlementDetailOut,
    SettlementDisputeOut,
    SettlementLineOut,
    SettlementOut,
    SettlementPartOut,
)
from app.services import orgs, people, records
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
from app.services.policies import naming
from app.services.settlements import figures
from app.services.settlements.figures import Part


class SettlementNotFound(Refusal):
    code, status, title = "settlements.not_found", 404, "No such settlement"
    zh, en = "结算单不存在", "There is no such settlement."


async def readable(tx: Session, caller: UUID, settlement_id: UUID) -> Settlement:
    """Return a settlement of the caller's merchant, or below an organisation that they read.

    Raises SettlementNotFound.
    """
    found = await record_queries.find(tx, Settlement, settlement_id)
    if found is None:
        raise SettlementNotFound
    org = await orgs.get(tx, found.org_id)
    if not await people.holds(tx, caller, people.READERS, org.path) and not (
        await people_queries.is_staff_of(tx, caller, found.merchant_id)
    ):
        raise SettlementNotFound
    return found


async def org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    """Return the organisation of the settlement of the argument ``settlement_id``."""
    found = await record_queries.find(tx, Settlement, asked["settlement_id"])
    if found is None:
        raise SettlementNotFound
    return found.org_id


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    merchant_id: UUID | None,
    state: SettlementState | None,
    asked: PageParams,
) -> Page[SettlementOut]:
    """Return the settlements of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    return await records.browse(
        tx,
        caller,
        people.READERS,
        org_id,
        Settlement,
        SettlementOut,
        asked,
        merchant_id=merchant_id,
        state=state,
    )


async def of_staff(tx: Session, staff: Staff, asked: PageParams) -> Page[SettlementOut]:
    """Return the settlements of the merchant of its staff, of every organisation.

    Raises Forbidden, MerchantNotYours.
    """
    merchant = await merchants.of_staff(tx, staff)
    query = record_queries.where(Settlement, merchant_id=merchant.id)
    return await records.page(tx, query, Settlement, SettlementOut, asked)


async def show(tx: Session, caller: UUID, settlement_id: UUID) -> SettlementDetailOut:
    """Return a settlement with its parts and disputes. Raises SettlementNotFound."""
    return await shown(tx, await readable(tx, caller, settlement_id))


async def shown(tx: Session, found: Settlement) -> SettlementDetailOut:
    """Return all that is told of a settlement."""
    merchant = await merchants.get(tx, found.merchant_id)
    org = await orgs.get(tx, found.org_id)
    disputed = await queries.disputes(tx, found.id)
    corrected = await queries.corrections(tx, found.id)
    return SettlementDetailOut(
        **SettlementOut.model_validate(found).model_dump(),
        merchant_name=merchant.name,
        org_name=org.name,
        unit_name=await unit_queries.unit_name(tx, found.unit_id),
        parts=parts_of(await queries.parts(tx, found.id)),
        disputes=[SettlementDisputeOut.model_validate(one) for one in disputed],
        corrections=[SettlementDisputeOut.model_validate(one) for one in corrected],
    )


def parts_of(parts: Sequence[SettlementPart]) -> list[SettlementPartOut]:
    return [SettlementPartOut.model_validate(one) for one in parts]


async def lines(
    tx: Session, caller: UUID, settlement_id: UUID, asked: PageParams
) -> Page[SettlementLineOut]:
    """Return the lines of a settlement, newest first. Raises SettlementNotFound."""
    found = await readable(tx, caller, settlement_id)
    span = await span_of(tx, found)

    async def read(after: Key | None, limit: int) -> list[SettlementLineOut]:
        rows = await queries.lines(tx, span, after, limit) if span is not None else []
        return await lines_of(tx, rows)

    return await keyset(
        asked, (datetime, UUID), read, lambda line: line, lambda line: (line.at, line.id)
    )


async def span_of(tx: Session, found: Settlement) -> Span | None:
    """Return where the lines of a settlement are."""
    start, end = figures.bounds(found.month)
    return await figures.span_of(tx, found.merchant_id, found.org_id, found.unit_id, start, end)


async def lines_of(tx: Session, rows: Sequence[Line]) -> list[SettlementLineOut]:
    """Return lines with masked names, their notes in the reader's language, and disputes."""
    names = await people_queries.names(tx, sorted({row.person_id for row in rows}))
    notes = await naming.said(tx, [row.note for row in rows])
    states = await queries.states_of_lines(tx, [row.id for row in rows])
    shown = {one: people.masked(named.display_name) for one, named in names.items()}
    return [
        SettlementLineOut(
            id=row.id,
            kind=row.kind,
            points=row.points,
            person=PayerOut(display_name=shown.get(row.person_id, CLOSED_ACCOUNT.zh)),
            note=note,
            at=row.at,
            agreement_id=row.agreement_id,
            dispute=states.get(row.id),
        )
        for row, note in zip(rows, notes, strict=True)
    ]


async def month_of_merchant(
    tx: Session, caller: UUID, merchant_id: UUID, org_id: UUID, month: str
) -> MerchantMonthOut:
    """Return a month of a merchant under an organisation, settled or as it stands.

    Raises OrgNotFound, Forbidden, MerchantNotFound.
    """
    org = await records.authorized(tx, caller, people.READERS, org_id)
    merchant = await merchants.get(tx, merchant_id)
    return await _month(tx, merchant, org, figures.first_day(month))


async def months_of_staff(tx: Session, staff: Staff, month: str | None) -> MerchantMonthsOut:
    """Return a month of the merchant of its staff under each organisation, by default this one.

    Raises Forbidden, MerchantNotYours.
    """
    merchant = await merchants.of_staff(tx, staff)
    first = figures.first_day(month) if month else local_date(now()).replace(day=1)
    found = [
        await _month(tx, merchant, await orgs.get(tx, one), first)
        for one in await _orgs(tx, merchant, first)
    ]
    return MerchantMonthsOut(items=found)


async def _orgs(tx: Session, merchant: Merchant, first: date) -> list[UUID]:
    """Return the organisations of a merchant's month: its own first, then by id."""
    start, end = figures.bounds(first)
    own = await orgs.get(tx, merchant.org_id)
    unit_id = await figures.unit_of(tx, own, first)
    last = local_date(end) - figures.A_DAY
    others = set(await agreement_queries.orgs_of(tx, merchant.id, first, last))
    account = await ledger_queries.account_id(tx, merchant.id, Purpose.takings, unit_id)
    if account is not None:
        others |= set(await queries.orgs_of_account(tx, account, start, end))
    return [own.id, *sorted(others - {own.id})]


async def _month(tx: Session, merchant: Merchant, org: Org, first: date) -> MerchantMonthOut:
    unit_id = await figures.unit_of(tx, org, first)
    settled = await queries.of_month(tx, merchant.id, org.id, unit_id, first)
    told = {"merchant_id": merchant.id, "org_id": org.id, "org_name": org.name, "month": first}
    if settled is not None:
        same = settled.model_dump(include=set(MerchantMonthOut.model_fields) - told.keys())
        parts = parts_of(await queries.parts(tx, settled.id))
        return MerchantMonthOut(**told | same, settlement_id=settled.id, parts=parts)
    month = await figures.of_month(tx, merchant.id, org, first)
    corrected, carried = await open_cents(tx, merchant.id, org.id, unit_id, first)
    points = month.figures
    return MerchantMonthOut(
        **told,
        charged=points.charged,
        refunded=points.refunded,
        collected=points.collected,
        undone=points.undone,
        settlement_id=None,
        state=None,
        parts=[part_out(part) for part in month.parts],
        value_cents=month.value_cents,
        corrected_cents=corrected,
        carried_cents=carried,
        due_cents=month.value_cents + corrected + carried,
    )


async def open_cents(
    tx: Session, merchant_id: UUID, org_id: UUID, unit_id: int, first: date
) -> tuple[int, int]:
    """Return what corrections and the last settled month bring to a month after it."""
    last = await queries.last(tx, merchant_id, org_id, unit_id)
    if last is None or last.month >= first:
        return 0, 0
    upheld = await queries.to_correct(tx, merchant_id, org_id, unit_id)
    return sum(one.correction_cents or 0 for one in upheld), min(0, last.due_cents)


def part_out(part: Part) -> SettlementPartOut:
    return SettlementPartOut(
        agreement_id=part.agreement_id,
        charged=part.figures.charged,
        refunded=part.figures.refunded,
        collected=part.figures.collected,
        undone=part.figures.undone,
        cents_per_point=part.cents_per_point,
        subsidy_percent=part.subsidy_percent,
        cap_cents=part.cap_cents,
        value_cents=part.value_cents,
    )
