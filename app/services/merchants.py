"""Merchants: the monthly statement."""

from datetime import datetime
from uuid import UUID

from app.core.clock import month_start
from app.core.db import Session
from app.core.paging import Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.merchants import Merchant
from app.queries import merchants as queries
from app.queries.merchants import StatementItem
from app.schemas.redemptions import PayerOut, StatementItemOut, StatementOut
from app.services import people

MAX_ITEMS = 1000


async def of_staff(tx: Session, staff_id: UUID) -> Merchant:
    """Return the merchant at whose counter the person works; raise Forbidden if none."""
    merchant = await queries.find(tx, await people.merchant_of(tx, staff_id))
    assert merchant is not None, "the grant refers to it"
    return merchant


async def org_of_staff(tx: Session, staff_id: UUID) -> UUID:
    """Return the organisation of the merchant at whose counter the person works.

    Raises Forbidden.
    """
    return (await of_staff(tx, staff_id)).org_id


async def statement(tx: Session, caller: UUID, month: str) -> StatementOut:
    """Return what the caller's merchant took in a month (YYYY-MM, Asia/Shanghai).

    Raises Forbidden, Invalid.
    """
    merchant = await of_staff(tx, caller)
    start, end = _month(month)
    sums = await queries.sums(tx, merchant.id, start, end)
    rows = await queries.statement(tx, merchant.id, start, end, None, limit=MAX_ITEMS + 1)
    return StatementOut(
        merchant_id=merchant.id,
        merchant_name=merchant.name,
        month=month,
        charged=sums.get("charge", 0),
        refunded=-sums.get("refund", 0),
        collected=sums.get("collect", 0),
        net=sum(sums.values()),
        items=[_item(row) for row in rows[:MAX_ITEMS]],
        truncated=len(rows) > MAX_ITEMS,
    )


async def statement_items(
    tx: Session, caller: UUID, month: str, asked: PageParams
) -> Page[StatementItemOut]:
    """Return a page of the items of a statement, newest first. Raises Forbidden, Invalid."""
    merchant = await of_staff(tx, caller)
    start, end = _month(month)
    return await keyset(
        asked,
        (datetime, UUID, str),
        lambda after, limit: queries.statement(tx, merchant.id, start, end, after, limit=limit),
        _item,
        lambda row: (row.at, row.id, row.kind),
    )


def _item(row: StatementItem) -> StatementItemOut:
    return StatementItemOut(
        kind=row.kind,
        id=row.id,
        points=row.points,
        person=PayerOut(display_name=people.masked(row.person_name)),
        note=row.note,
        at=row.at,
    )


def _month(month: str) -> tuple[datetime, datetime]:
    year, number = int(month[:4]), int(month[5:])
    if not (2000 <= year < 2100 and 1 <= number <= 12):
        raise invalid("query.month", "应为年-月", "expected YYYY-MM")
    return month_start(year, number), month_start(year, number, plus=1)
