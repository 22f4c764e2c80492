"""A merchant's statement: what was charged, refunded, collected and undone in a period."""

from datetime import date, datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, month_start, now
from app.core.db import Session
from app.core.paging import Key, Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.merchants import Merchant
from app.queries import merchants as queries
from app.queries.merchants import StatementItem
from app.schemas.redemptions import PayerOut, StatementItemOut, StatementOut
from app.services import people
from app.services.merchants import access
from app.services.merchants.access import Staff
from app.services.policies import naming
from app.services.policies.naming import Book

MAX_ITEMS = 1000
A_DAY = timedelta(days=1)


def period_of(month: str | None, since: date | None, until: date | None) -> tuple[date, date]:
    """Return the first and the last day of a statement, by default of this month to date.

    ``month`` (YYYY-MM) excludes the two others. Raises Invalid.
    """
    if month is not None:
        if since is not None or until is not None:
            raise invalid("query.month", "不能与起止日期同时使用", "excludes since and until")
        year, number = int(month[:4]), int(month[5:])
        if not (2000 <= year < 2100 and 1 <= number <= 12):
            raise invalid("query.month", "应为年-月", "expected YYYY-MM")
        days = month_start(year, number), month_start(year, number, plus=1) - A_DAY
        return local_date(days[0]), local_date(days[1])
    last = until or local_date(now())
    first = since or last.replace(day=1)
    if not (first.year >= 2000 and first <= last and last.year < 2100):
        raise invalid("query.since", "开始日期不能晚于结束日期", "since must not lie after until")
    return first, last


async def statement(
    tx: Session, staff: Staff, month: str | None, days: tuple[date, date]
) -> StatementOut:
    """Return the statement of the merchant of its staff for some days (Asia/Shanghai).

    Raises Forbidden, MerchantNotYours.
    """
    return await _statement(tx, await access.of_staff(tx, staff), month, days)


async def of_merchant(
    tx: Session, caller: UUID, merchant_id: UUID, month: str | None, days: tuple[date, date]
) -> StatementOut:
    """Return the statement of a merchant for organizers, administrators and auditors above it.

    Raises MerchantNotFound.
    """
    merchant = await access.read_above(tx, caller, merchant_id)
    return await _statement(tx, merchant, month, days)


async def _statement(
    tx: Session, merchant: Merchant, month: str | None, days: tuple[date, date]
) -> StatementOut:
    start, end = midnight(days[0]), midnight(days[1] + A_DAY)
    sums = await queries.sums(tx, merchant.id, start, end)
    rows = await queries.statement(tx, merchant.id, start, end, None, limit=MAX_ITEMS + 1)
    names = await naming.book(tx, [row.note for row in rows if row.kind == "collect"])
    return StatementOut(
        merchant_id=merchant.id,
        merchant_name=merchant.name,
        month=month,
        since=days[0],
        until=days[1],
        charged=sums.get("charge", 0),
        refunded=-sums.get("refund", 0),
        collected=sums.get("collect", 0),
        undone=-sums.get("undo", 0),
        net=sum(sums.values()),
        items=[_item(row, names) for row in rows[:MAX_ITEMS]],
        truncated=len(rows) > MAX_ITEMS,
    )


async def statement_items(
    tx: Session, staff: Staff, days: tuple[date, date], asked: PageParams
) -> Page[StatementItemOut]:
    """Return a page of the items of a statement, newest first. Raises as ``statement``."""
    return await _items(tx, await access.of_staff(tx, staff), days, asked)


async def items_of_merchant(
    tx: Session, caller: UUID, merchant_id: UUID, days: tuple[date, date], asked: PageParams
) -> Page[StatementItemOut]:
    """Return a page of the items of a statement as ``of_merchant``. Raises MerchantNotFound."""
    return await _items(tx, await access.read_above(tx, caller, merchant_id), days, asked)


async def _items(
    tx: Session, merchant: Merchant, days: tuple[date, date], asked: PageParams
) -> Page[StatementItemOut]:
    start, end = midnight(days[0]), midnight(days[1] + A_DAY)

    async def read(after: Key | None, limit: int) -> list[StatementItemOut]:
        rows = await queries.statement(tx, merchant.id, start, end, after, limit=limit)
        names = await naming.book(tx, [row.note for row in rows if row.kind == "collect"])
        return [_item(row, names) for row in rows]

    return await keyset(
        asked,
        (datetime, UUID, str),
        read,
        lambda item: item,
        lambda item: (item.at, item.id, item.kind),
    )


def _item(row: StatementItem, names: Book) -> StatementItemOut:
    """``note``: of a collection the name of the reward, else what somebody wrote."""
    return StatementItemOut(
        kind=row.kind,
        id=row.id,
        points=row.points,
        person=PayerOut(display_name=people.masked(row.person_name)),
        note=names.said(row.note) if row.kind == "collect" else row.note,
        at=row.at,
    )
