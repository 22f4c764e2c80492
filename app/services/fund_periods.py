"""Public figures of funds (公益银行): months, quarters and years.

The row of a month has sums since the beginning, and never changes once the month is closed. A
quarter or a year is the difference of two of these rows, so it never changes either.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.clock import local_date, midnight, month_start, now, period_start
from app.core.db import Session
from app.core.paging import Key, Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.funds import FundMonth
from app.models.orgs import Org
from app.queries import coverages as coverage_queries
from app.queries import funds as queries
from app.queries.coverages import Received
from app.schemas.fund_periods import FundPeriod, FundPeriodOut
from app.schemas.funds import FundMonthOut, FundOut
from app.services import coverages, orgs
from app.services.coverages import Valuation
from app.services.ledger import units
from app.services.policies import history

_MONTHS = {FundPeriod.month: 1, FundPeriod.quarter: 3, FundPeriod.year: 12}


class _Span(NamedTuple):
    """A period with transfers: ``months`` are all rows up to its last one, oldest first."""

    start: date
    end: datetime
    months: Sequence[FundMonth]
    before: FundMonth | None


async def months(
    tx: Session, org_id: UUID, unit: str | None, asked: PageParams
) -> Page[FundMonthOut]:
    """Return the months of a fund, newest first, each as the difference to the one before.

    Raises OrgNotFound, UnitUnknown.
    """
    org = await orgs.get(tx, org_id)
    unit_id = await _unit(tx, org, unit, _running_month())

    async def read(after: Key | None, limit: int) -> list[FundMonthOut]:
        # One month more: the first difference needs the sums before it.
        found = await queries.months(tx, org_id, unit_id, after[0] if after else None, limit + 1)
        before: list[FundMonth | None] = [*found[1:], None]  # one too long without a month
        return [FundMonthOut.of(*pair) for pair in zip(found, before, strict=False)][:limit]

    return await keyset(
        asked, (date,), read, lambda out: out, lambda out: (date.fromisoformat(f"{out.month}-01"),)
    )


async def figures(
    tx: Session, org_id: UUID, month: str | None, unit: str | None, *, subtree: bool
) -> FundOut:
    """Return an organisation's figures, or its subtree's, at the end of a month (YYYY-MM).

    By default in the unit in which the organisation awarded points then. Raises OrgNotFound,
    Invalid, UnitUnknown.
    """
    org = await orgs.get(tx, org_id)
    running = _running_month()
    first = _month(month) if month is not None else running
    if first > running:
        raise invalid("query.month", "该月份尚未开始", "the month has not begun")
    unit_id = await _unit(tx, org, unit, first)
    row = await queries.public(tx, org.path, unit_id, first, subtree=subtree)
    return FundOut(
        **{name: row[name] for name in queries.FIGURES},
        month=f"{first:%Y-%m}",
        as_of=_end_of(first) if row.is_closed else row.as_of,
        is_closed=row.is_closed,
    )


def _running_month() -> date:
    return local_date(now()).replace(day=1)


async def _unit(tx: Session, org: Org, unit: str | None, month: date) -> int:
    """Return the named unit; by default that of the programme at the end of a month, or now.

    Raises UnitUnknown.
    """
    if unit:
        return await units.unit_of(tx, unit)
    found = await history.load(tx)
    at = min(_end_of(month) - timedelta(seconds=1), now())
    return found.policy(at if found.versions(at, org.path) else now(), org.path).unit_id


def _month(month: str) -> date:
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        raise invalid("query.month", "应为年-月", "expected YYYY-MM") from None


def _end_of(month: date) -> datetime:
    return month_start(month.year, month.month, plus=1)


async def periods(
    tx: Session, org_id: UUID, period: FundPeriod, unit: str | None, asked: PageParams
) -> Page[FundPeriodOut]:
    """Return the periods of a fund in which points moved, newest first, with what it was worth.

    Raises OrgNotFound, UnitUnknown.
    """
    org = await orgs.get(tx, org_id)
    unit_id = await _unit(tx, org, unit, _running_month())
    spans = _spans(await coverage_queries.months(tx, org_id, unit_id), period)

    async def read(after: Key | None, limit: int) -> list[FundPeriodOut]:
        wanted = [one for one in reversed(spans) if after is None or one.start < after[0]][:limit]
        return await _shown(tx, org, unit_id, period, wanted)

    return await keyset(
        asked, (date,), read, lambda out: out, lambda out: (_start(out.starts_at, period),)
    )


def _start(at: datetime, period: FundPeriod) -> date:
    return local_date(period_start(at, period.value))


def _spans(months: Sequence[FundMonth], period: FundPeriod) -> list[_Span]:
    """Group rows by period, oldest first."""
    last = {_start(midnight(one.month), period): n for n, one in enumerate(months)}
    spans, before = [], None
    for start, n in last.items():
        end = month_start(start.year, start.month, plus=_MONTHS[period])
        spans.append(_Span(start, end, months[: n + 1], before))
        before = months[n]
    return spans


async def _shown(
    tx: Session, org: Org, unit: int, period: FundPeriod, spans: Sequence[_Span]
) -> list[FundPeriodOut]:
    known, (closed, written) = await history.load(tx), await coverage_queries.written(tx)
    ends = {one.start: min(one.end, written or one.end) for one in spans}
    begins = [midnight(one.start) for one in spans]
    received = await coverage_queries.received(tx, org.id, unit, [*begins, *ends.values()])
    return [
        _period_out(
            period,
            one,
            coverages.valued(known, org, unit, one.months, received[ends[one.start]], one.end),
            received[midnight(one.start)],
            ends[one.start],
            is_closed=closed is not None and one.end <= _end_of(closed),
        )
        for one in spans
    ]


def _period_out(
    period: FundPeriod,
    span: _Span,
    worth: Valuation,
    before: Received,
    until: datetime,
    *,
    is_closed: bool,
) -> FundPeriodOut:
    moved = FundMonthOut.of(span.months[-1], span.before)
    has_value = worth.point_value is not None
    return FundPeriodOut(
        **moved.model_dump(exclude={"month", "as_of", "is_closed"}),
        name=_name(span.start, period),
        starts_at=midnight(span.start),
        ends_at=span.end,
        money_cents=worth.received.money - before.money,
        goods_cents=worth.received.goods - before.goods,
        liability_cents=worth.liability if has_value else None,
        fund_cents=worth.fund if has_value else None,
        coverage_percent=worth.percent if has_value else None,
        as_of=until,
        is_closed=is_closed,
    )


def _name(start: date, period: FundPeriod) -> str:
    if period is FundPeriod.year:
        return f"{start:%Y}"
    if period is FundPeriod.quarter:
        return f"{start:%Y}-Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}"
