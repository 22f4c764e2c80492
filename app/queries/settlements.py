"""SQL of settlements: the lines of a month, which are transfers of the merchant's account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, cast, func, literal, tuple_, update
from sqlalchemy.orm import aliased
from sqlmodel import and_, case, col, or_, select

from app.core.db import Session
from app.core.paging import Key
from app.models.agreements import ACCEPTED, Agreement
from app.models.ledger import Account, Transfer
from app.models.settlements import (
    LineKind,
    Settlement,
    SettlementDispute,
    SettlementDisputeState,
    SettlementPart,
)

_ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Span:
    """The lines of one statement: an account of a merchant, an organisation, and times."""

    account_id: int
    merchant_id: UUID
    org_id: UUID
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """A transfer; ``points`` are negative if it gave points back."""

    id: UUID
    kind: str
    points: int
    person_id: UUID
    note: str
    at: datetime
    agreement_id: UUID | None


def _is_of(span: Span) -> Any:
    either = or_(
        col(Transfer.to_account_id) == span.account_id,
        col(Transfer.from_account_id) == span.account_id,
    )
    return and_(
        either,
        col(Transfer.org_id) == span.org_id,
        col(Transfer.created_at) >= span.start,
        col(Transfer.created_at) < span.end,
    )


def _lines(span: Span) -> Any:
    """Select the lines with the agreement that was in force when the points were taken.

    A refund or an undo belongs to the agreement of the transfer that it gives back.
    """
    took = aliased(Transfer)
    gives_back = col(Transfer.from_account_id) == span.account_id
    is_charge = col(Transfer.source_type) == "charge"
    kind = case(
        (and_(gives_back, is_charge), literal(LineKind.refund)),
        (gives_back, literal(LineKind.undo)),
        (is_charge, literal(LineKind.charge)),
        else_=literal(LineKind.collect),
    )
    origin = func.coalesce(Transfer.closes_id, Transfer.source_id)
    day = cast(func.timezone(_ZONE, func.coalesce(took.created_at, Transfer.created_at)), Date)
    in_force = and_(
        col(Agreement.merchant_id) == span.merchant_id,
        col(Agreement.org_id) == span.org_id,
        col(Agreement.state).in_(ACCEPTED),
        col(Agreement.since) <= day,
        or_(col(Agreement.until).is_(None), col(Agreement.until) >= day),
    )
    other = case((gives_back, col(Transfer.to_account_id)), else_=col(Transfer.from_account_id))
    columns: tuple[Any, ...] = (
        col(Transfer.id).label("id"),
        kind.label("kind"),
        case((gives_back, -Transfer.amount), else_=col(Transfer.amount)).label("points"),
        col(Account.owner_id).label("person_id"),
        col(Transfer.reason).label("note"),
        col(Transfer.created_at).label("at"),
        col(Agreement.id).label("agreement_id"),
    )
    query: Any = select(*columns)
    return (
        query.select_from(Transfer)
        .join(Account, col(Account.id) == other)
        .outerjoin(took, and_(gives_back, col(took.id) == origin))
        .outerjoin(Agreement, in_force)
        .where(_is_of(span))
    )


async def lines(session: Session, span: Span, after: Key | None, limit: int) -> list[Line]:
    """Read the lines of a statement, newest first, after this one (time, id)."""
    query = _lines(span).order_by(col(Transfer.created_at).desc(), col(Transfer.id).desc())
    if after is not None:
        query = query.where(tuple_(Transfer.created_at, Transfer.id) < after)
    rows = await session.execute(query.limit(limit))
    return [Line(**row) for row in rows.mappings()]


async def line(session: Session, span: Span, transfer: UUID) -> Line | None:
    """Read one line, if it is of this statement."""
    rows = await session.execute(_lines(span).where(col(Transfer.id) == transfer))
    return next((Line(**row) for row in rows.mappings()), None)


async def sums(session: Session, span: Span) -> list[tuple[UUID | None, str, int]]:
    """Sum the points of a statement, at least 0, by agreement and kind of line."""
    found = _lines(span).subquery()
    total = func.sum(func.abs(found.c.points))
    query: Any = select(found.c.agreement_id, found.c.kind, total)
    rows: Any = await session.execute(query.group_by(found.c.agreement_id, found.c.kind))
    return [(agreement, kind, int(points)) for agreement, kind, points in rows]


async def first_line(session: Session, span: Span) -> datetime | None:
    """Read the time of the oldest line of a statement."""
    query = select(func.min(Transfer.created_at)).where(_is_of(span))
    return (await session.exec(query)).one()


async def orgs_of_account(
    session: Session, account_id: int, start: datetime, end: datetime
) -> list[UUID]:
    """Read under which organisations a merchant's account moved in a time."""
    either = or_(
        col(Transfer.to_account_id) == account_id, col(Transfer.from_account_id) == account_id
    )
    query = select(Transfer.org_id).where(
        either, col(Transfer.created_at) >= start, col(Transfer.created_at) < end
    )
    return list(await session.exec(query.distinct()))


async def last(session: Session, merchant: UUID, org: UUID, unit: int) -> Settlement | None:
    """Read the settlement of the latest month."""
    query = select(Settlement).where(Settlement.merchant_id == merchant, Settlement.org_id == org)
    query = query.where(Settlement.unit_id == unit).order_by(col(Settlement.month).desc())
    return (await session.exec(query.limit(1))).first()


async def of_month(
    session: Session, merchant: UUID, org: UUID, unit: int, month: date
) -> Settlement | None:
    query = select(Settlement).filter_by(
        merchant_id=merchant, org_id=org, unit_id=unit, month=month
    )
    return (await session.exec(query)).first()


async def parts(session: Session, settlement: UUID) -> Sequence[SettlementPart]:
    query = select(SettlementPart).where(SettlementPart.settlement_id == settlement)
    return (await session.exec(query.order_by(col(SettlementPart.id)))).all()


async def add_parts(session: Session, made: Sequence[SettlementPart]) -> None:
    session.add_all(made)
    await session.flush()


async def disputes(session: Session, settlement: UUID) -> Sequence[SettlementDispute]:
    """Read the disputes about a settled month, the oldest first."""
    query = select(SettlementDispute).where(SettlementDispute.settlement_id == settlement)
    return (await session.exec(query.order_by(col(SettlementDispute.id)))).all()


async def dispute_of(session: Session, transfer: UUID) -> SettlementDispute | None:
    query = select(SettlementDispute).where(SettlementDispute.transfer_id == transfer)
    return (await session.exec(query)).first()


async def upheld_about(session: Session, merchant: UUID, source: UUID) -> list[SettlementDispute]:
    """Read the upheld disputes about any line of a charge or collection, the oldest first."""
    query = (
        select(SettlementDispute)
        .join(Transfer, col(Transfer.id) == col(SettlementDispute.transfer_id))
        .where(SettlementDispute.merchant_id == merchant, Transfer.source_id == source)
        .where(SettlementDispute.state == SettlementDisputeState.upheld)
        .order_by(col(SettlementDispute.id))
    )
    return list(await session.exec(query))


async def states_of_lines(session: Session, transfers: Sequence[UUID]) -> dict[UUID, str]:
    """Read the states of the disputes about some lines."""
    query = select(SettlementDispute.transfer_id, SettlementDispute.state)
    rows = await session.exec(query.where(col(SettlementDispute.transfer_id).in_(transfers)))
    return dict(list(rows))


async def to_correct(
    session: Session, merchant: UUID, org: UUID, unit: int, *, locks: bool = False
) -> Sequence[SettlementDispute]:
    """Read, or lock, the upheld disputes that no settlement has taken in."""
    query = (
        select(SettlementDispute)
        .join(Settlement, col(Settlement.id) == col(SettlementDispute.settlement_id))
        .where(SettlementDispute.merchant_id == merchant, SettlementDispute.org_id == org)
        .where(SettlementDispute.state == SettlementDisputeState.upheld, Settlement.unit_id == unit)
        .where(col(SettlementDispute.corrected_in).is_(None))
        .order_by(col(SettlementDispute.id))
    )
    if locks:
        query = query.with_for_update(of=SettlementDispute)
    return (await session.exec(query)).all()


async def take_in(session: Session, disputes: Sequence[UUID], settlement: UUID) -> None:
    """Note which settlement has the corrections of locked disputes."""
    taken = update(SettlementDispute).where(col(SettlementDispute.id).in_(disputes))
    await session.execute(taken.values(corrected_in=settlement))


async def corrections(session: Session, settlement: UUID) -> Sequence[SettlementDispute]:
    """Read the disputes whose corrections a settlement has."""
    query = select(SettlementDispute).where(SettlementDispute.corrected_in == settlement)
    return (await session.exec(query.order_by(col(SettlementDispute.id)))).all()
