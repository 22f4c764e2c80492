"""SQL of awards as those read them who have them or review them."""

from datetime import datetime
from uuid import UUID

from app.core.db import Row, Session

# The lot of an award that was available at once has its id; else it came with its release. What
# came back after that lot's end has a lot more.
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

_OF_SUBTREE = """
SELECT a.id, a.person_id, a.org_id, a.rule_key, a.title, a.points, a.minutes, a.state, a.reason,
       a.awarded_at, a.release_at, a.evidence, a.proposed_by, a.proposal_id, a.reviews_needed,
       p.display_name,
       (SELECT count(*) FROM award_reviews r WHERE r.award_id = a.id AND r.approved) AS approvals,
       (SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.id), '[]')
        FROM award_objections b WHERE b.award_id = a.id) AS objections
FROM awards a JOIN orgs o ON o.id = a.org_id JOIN people p ON p.id = a.person_id
WHERE o.path ^@ :path
  AND (CAST(:state AS text) IS NULL OR a.state = :state)
  AND (CAST(:before AS uuid) IS NULL OR a.id < :before)
ORDER BY a.id DESC LIMIT :limit
"""


async def of_person(
    session: Session, person: UUID, unit: int, at: datetime, before: UUID | None, limit: int
) -> list[Row]:
    """Read a person's awards, newest first, with what is left of their lots at a moment."""
    wanted = {"person": person, "unit": unit, "at": at, "before": before, "limit": limit}
    return await session.fetch(_OF_PERSON, wanted)


async def of_subtree(
    session: Session, org_path: str, state: str | None, before: UUID | None, limit: int
) -> list[Row]:
    """Read the awards of a subtree, newest first, with their reviews and objections."""
    wanted = {"path": org_path, "state": state, "before": before, "limit": limit}
    return await session.fetch(_OF_SUBTREE, wanted)
