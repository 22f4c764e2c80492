"""SQL of coverages: what receipts are worth, and the periods in which prices are frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.coverages import PriceFreeze
from app.models.funds import FundMonth
from app.models.orgs import Org

# Receipts that were recorded before each moment and not reversed before it. Both times are those of
# transfers, which never enter a day that is closed: what stood at a moment never changes.
_RECEIVED = """
SELECT m.at,
       CAST(coalesce(sum(r.value_cents) FILTER (WHERE r.form = 'money'), 0) AS bigint) AS money,
       CAST(coalesce(sum(r.value_cents) FILTER (WHERE r.form = 'goods'), 0) AS bigint) AS goods,
       CAST(coalesce(sum(r.points) FILTER (WHERE r.form IS NULL), 0) AS bigint) AS points
FROM unnest(CAST(:moments AS timestamptz[])) AS m(at)
LEFT JOIN fund_receipts r
  ON r.org_id = :org AND r.unit_id = :unit AND r.created_at < m.at
 AND NOT EXISTS (SELECT FROM ledger_transfers t WHERE t.closes_id = r.id AND t.created_at < m.at)
GROUP BY m.at
"""


@dataclass(frozen=True, slots=True)
class Received:
    """What came in: money and goods in cents, and points whose value nobody stated."""

    money: int
    goods: int
    points: int


async def received(
    session: Session, org: UUID, unit: int, moments: Sequence[datetime]
) -> dict[datetime, Received]:
    """Sum the receipts that stood just before each moment."""
    wanted = {"org": org, "unit": unit, "moments": sorted(set(moments))}
    rows = await session.fetch(_RECEIVED, wanted)
    return {row.at: Received(row.money, row.goods, row.points) for row in rows}


async def months(session: Session, org: UUID, unit: int) -> Sequence[FundMonth]:
    """Read all months of a fund that have figures, oldest first."""
    query = select(FundMonth).where(FundMonth.org_id == org, FundMonth.unit_id == unit)
    return (await session.exec(query.order_by(col(FundMonth.month)))).all()


async def written(session: Session) -> tuple[date | None, datetime | None]:
    """Return the newest closed month of all funds, and until when any figures count."""
    closed = func.max(FundMonth.month).filter(col(FundMonth.closed_at).is_not(None))
    return (await session.exec(select(closed, func.max(FundMonth.as_of)))).one()


async def issuers(session: Session) -> Sequence[Org]:
    """Read the organisations that issued points, or whose prices are frozen."""
    frozen = select(PriceFreeze.org_id).where(col(PriceFreeze.ended_at).is_(None))
    issued = select(FundMonth.org_id)
    query = select(Org).where(or_(col(Org.id).in_(issued), col(Org.id).in_(frozen)))
    return (await session.exec(query.order_by(col(Org.id)))).all()


async def open_freeze(session: Session, org: UUID, *, lock: bool = False) -> PriceFreeze | None:
    """Read the freeze of an organisation that has not ended."""
    query = select(PriceFreeze).where(PriceFreeze.org_id == org)
    query = query.where(col(PriceFreeze.ended_at).is_(None))
    return (await session.exec(query.with_for_update() if lock else query)).first()


async def begin(session: Session, freeze: PriceFreeze) -> bool:
    """Insert a freeze; False if another one is open, that of a concurrent transaction too."""
    query = insert(PriceFreeze).values(freeze.model_dump(exclude={"id"})).on_conflict_do_nothing()
    return (await session.execute(query.returning(col(PriceFreeze.id)))).first() is not None


async def end(session: Session, freeze: PriceFreeze, at: datetime) -> None:
    freeze.ended_at = at
    session.add(freeze)
    await session.flush()
