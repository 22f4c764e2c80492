"""A month of a merchant under one organisation, in points and in yuan cents.

A charge or a collection belongs to the organisation of its transfer, a refund or an undo to that
of the transfer which it gives back (docs/decisions/0055). Each line is valued by the agreement
that was in force when the points were taken.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, month_start, now
from app.core.db import Session
from app.models.agreements import Agreement
from app.models.ledger import Purpose
from app.models.orgs import Org
from app.models.settlements import LineKind
from app.queries import agreements as agreement_queries
from app.queries import settlements as queries
from app.queries.ledger import posting as ledger_queries
from app.queries.settlements import Span
from app.services.policies import history
from app.services.policies.history import PolicyMissing

A_DAY, AN_INSTANT = timedelta(days=1), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """Points, each at least 0."""

    charged: int = 0
    refunded: int = 0
    collected: int = 0
    undone: int = 0

    @property
    def net(self) -> int:
        return self.charged - self.refunded + self.collected - self.undone


@dataclass(frozen=True, slots=True)
class Part:
    """What falls under one agreement; without one ``cents_per_point`` is 0."""

    agreement_id: UUID | None
    figures: Figures
    cents_per_point: int
    subsidy_percent: int
    cap_cents: int | None

    @property
    def value_cents(self) -> int:
        return value_cents(
            self.figures.net, self.cents_per_point, self.subsidy_percent, self.cap_cents
        )


@dataclass(frozen=True, slots=True)
class Month:
    """``first``: its first day. ``span``: where its lines are; None: no account yet."""

    unit_id: int
    first: date
    start: datetime
    end: datetime
    span: Span | None
    parts: Sequence[Part]

    @property
    def figures(self) -> Figures:
        return Figures(
            *(
                sum(getattr(part.figures, name) for part in self.parts)
                for name in ("charged", "refunded", "collected", "undone")
            )
        )

    @property
    def value_cents(self) -> int:
        return sum(part.value_cents for part in self.parts)


def value_cents(net: int, cents_per_point: int, subsidy_percent: int, cap_cents: int | None) -> int:
    """Return what the organisation pays for points; half a cent is rounded away from 0."""
    hundredths = net * cents_per_point * subsidy_percent
    cents = (abs(hundredths) + 50) // 100
    cents = cents if hundredths >= 0 else -cents
    return cents if cap_cents is None else min(cents, cap_cents)


def first_day(month: str) -> date:
    """Return the first day of a month: of ``2026-11`` 1 November 2026."""
    return date(int(month[:4]), int(month[5:]), 1)


def bounds(first: date) -> tuple[datetime, datetime]:
    """Return the first instant of a month, and of the next one."""
    return month_start(first.year, first.month), month_start(first.year, first.month, plus=1)


async def span_of(
    tx: Session, merchant_id: UUID, org_id: UUID, unit_id: int, start: datetime, end: datetime
) -> Span | None:
    """Return where the lines of a time are; None if the merchant has no account of the unit."""
    account = await ledger_queries.account_id(tx, merchant_id, Purpose.takings, unit_id)
    return Span(account, merchant_id, org_id, start, end) if account is not None else None


async def unit_of(tx: Session, org: Org, first: date) -> int:
    """Return the unit of an organisation's programme at the end of a month.

    Of a month before its first programme it is that of the programme in force now.
    """
    published = await history.load(tx)
    try:
        return published.policy(bounds(first)[1] - AN_INSTANT, org.path).unit_id
    except PolicyMissing:
        return published.policy(now(), org.path).unit_id


async def of_month(tx: Session, merchant_id: UUID, org: Org, first: date) -> Month:
    """Compute a month from the ledger, by agreement."""
    start, end = bounds(first)
    unit_id = await unit_of(tx, org, first)
    span = await span_of(tx, merchant_id, org.id, unit_id, start, end)
    points: dict[UUID | None, dict[str, int]] = defaultdict(dict)
    if span is not None:
        for agreement_id, kind, amount in await queries.sums(tx, span):
            points[agreement_id][kind] = amount
    last = local_date(end) - A_DAY
    in_force = await agreement_queries.between(tx, merchant_id, org.id, first, last)
    terms = {one.id: one for one in in_force}
    for agreement_id in points.keys() - terms.keys() - {None}:  # of what is refunded
        if (found := await tx.get(Agreement, agreement_id)) is not None:
            terms[found.id] = found
    parts = [_part(one, points.get(one.id, {})) for one in terms.values()]
    if None in points:
        parts.append(_part(None, points[None]))
    return Month(unit_id, first, start, end, span, parts)


def _part(agreement: Agreement | None, points: dict[str, int]) -> Part:
    figures = Figures(
        charged=points.get(LineKind.charge, 0),
        refunded=points.get(LineKind.refund, 0),
        collected=points.get(LineKind.collect, 0),
        undone=points.get(LineKind.undo, 0),
    )
    if agreement is None:
        return Part(None, figures, 0, 0, None)
    return Part(
        agreement.id,
        figures,
        agreement.cents_per_point,
        agreement.subsidy_percent,
        agreement.cap_cents,
    )
