"""SQL of lists of awards: of a person, and of a subtree."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from app.core.db import Row, Session
from app.models.awards import Award, AwardReview
from app.models.orgs import Org
from app.models.people import Person

# The transfer that brought an award's lot is the award's own if it was available at once, else its
# release. Points that came back after the end of that lot have lots of their own (origin_id).
# As SQL: a lateral of four filtered aggregates over these lots.
_OF_PERSON = """
SELECT a.id, a.org_id, a.rule_key, a.title, a.points, a.minutes, a.state, a.reason, a.awarded_at,
       a.release_at, a.open_objections > 0 AS has_objection,
       lots.remaining, lots.expires_at, lots.has_expired
FROM awards a
LEFT JOIN ledger_transfers r ON r.closes_id = a.id AND r.kind = 'release'
LEFT JOIN LATERAL (
    SELECT coalesce(sum(l.remaining) FILTER (WHERE l.expires_at > :at), 0) AS remaining,
           coalesce(min(l.expires_at) FILTER (WHERE l.expires_at > :at AND l.remaining > 0),
                    max(l.expires_at)) AS expires_at,
           bool_or((l.expires_at <= :at AND l.remaining > 0) OR EXISTS (
               SELECT FROM ledger_lot_uses u JOIN ledger_transfers t ON t.id = u.transfer_id
               WHERE u.lot_id = l.id AND t.kind = 'expiry')) AS has_expired
    FROM ledger_lots l
    WHERE l.transfer_id = coalesce(r.id, a.id) OR l.origin_id = coalesce(r.id, a.id)
) lots ON true
WHERE a.person_id = :person AND a.unit_id = :unit
  AND (CAST(:before AS uuid) IS NULL OR a.id < :before)
ORDER BY a.id DESC LIMIT :limit
"""


async def of_person(
    session: Session, person: UUID, unit: int, at: datetime, before: UUID | None, limit: int
) -> list[Row]:
    """Read a person's awards, newest first, with the points left in their lots at a moment."""
    wanted = {"person": person, "unit": unit, "at": at, "before": before, "limit": limit}
    return await session.fetch(_OF_PERSON, wanted)


async def of_subtree(
    session: Session, org_path: str, state: str | None, before: UUID | None, limit: int
) -> Sequence[tuple[Award, str, int]]:
    """Read the awards of a subtree, newest first, with names and numbers of approvals."""
    approvals = (
        select(func.count())
        .where(AwardReview.award_id == Award.id, AwardReview.approved)
        .scalar_subquery()
    )
    query = (
        select(Award, Person.display_name, approvals)
        .join(Org, col(Org.id) == col(Award.org_id))
        .join(Person, col(Person.id) == col(Award.person_id))
        .where(col(Org.path).startswith(org_path, autoescape=True))
        .order_by(col(Award.id).desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(Award.state == state)
    if before is not None:
        query = query.where(col(Award.id) < before)
    return (await session.exec(query)).all()
