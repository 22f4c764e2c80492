"""SQL of agreements between organisations and merchants."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_, select

from app.core.db import Row, Session
from app.models.agreements import ACCEPTED, Agreement

# Under whose agreement a person spends at a merchant: of the organisation nearest above where the
# person lives. No row if there is none.
_PAYERS = """
SELECT DISTINCT ON (k.merchant_id, k.person_id) k.merchant_id, k.person_id,
       o.id AS org_id, o.path AS org_path
FROM unnest(CAST(:merchants AS uuid[]), CAST(:people AS uuid[])) AS k(merchant_id, person_id)
JOIN agreements a ON a.merchant_id = k.merchant_id AND a.state IN ('active', 'ended')
 AND a.since <= CAST(:day AS date) AND (a.until IS NULL OR a.until >= CAST(:day AS date))
JOIN orgs o ON o.id = a.org_id AND o.closed_at IS NULL
JOIN people p ON p.id = k.person_id
JOIN orgs h ON h.id = p.community_id AND h.path ^@ o.path
ORDER BY k.merchant_id, k.person_id, length(o.path) DESC
"""


def of_pair(merchant: UUID, org: UUID) -> ColumnElement[bool]:
    """Return the condition of what a merchant has accepted from an organisation."""
    return and_(
        col(Agreement.merchant_id) == merchant,
        col(Agreement.org_id) == org,
        col(Agreement.state).in_(ACCEPTED),
    )


async def payers(
    session: Session, merchants: Sequence[UUID], people: Sequence[UUID], day: date
) -> list[Row]:
    """Read under whose agreement people spend at merchants: two columns of pairs, one row each."""
    return await session.fetch(
        _PAYERS, {"merchants": list(merchants), "people": list(people), "day": day}
    )


async def between(
    session: Session, merchant: UUID, org: UUID, since: date, until: date | None
) -> Sequence[Agreement]:
    """Read what is in force on some of these days, the earliest first."""
    query = select(Agreement).where(of_pair(merchant, org))
    query = query.where(or_(col(Agreement.until).is_(None), col(Agreement.until) >= since))
    if until is not None:
        query = query.where(col(Agreement.since) <= until)
    return (await session.exec(query.order_by(col(Agreement.since)))).all()


async def orgs_of(session: Session, merchant: UUID, since: date, until: date) -> list[UUID]:
    """Read the organisations that have an agreement with a merchant on some of these days."""
    query = select(Agreement.org_id).where(
        col(Agreement.merchant_id) == merchant,
        col(Agreement.state).in_(ACCEPTED),
        col(Agreement.since) <= until,
        or_(col(Agreement.until).is_(None), col(Agreement.until) >= since),
    )
    return list(await session.exec(query.distinct()))
