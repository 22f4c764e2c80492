"""SQL of what stands between an award and its points: reviews, notices, objections."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Row, Session
from app.models.awards import Award, AwardObjection, AwardState

# The first to name a number keeps it; naming it again in the same proposal is no new use.
_CLAIM_NUMBERS = """
WITH wanted AS (
    SELECT * FROM unnest(CAST(:fields AS text[]), CAST(:numbers AS text[])) AS k(field, number)
), inserted AS (
    INSERT INTO award_evidence_numbers (unit_id, rule_key, field, number, proposal_id)
    SELECT :unit, :rule, field, number, :proposal FROM wanted ORDER BY field, number
    ON CONFLICT DO NOTHING
    RETURNING field, number
)
SELECT field, number FROM wanted EXCEPT SELECT field, number FROM inserted
"""

_GIVE_BACK_NUMBERS = """
DELETE FROM award_evidence_numbers
WHERE proposal_id = :proposal AND (field, number) NOT IN (
    SELECT * FROM unnest(CAST(:fields AS text[]), CAST(:numbers AS text[]))
)
"""

# Whoever ends another award of the proposal waits here, and then sees that this one has ended.
_LOCK_NUMBERS = """
SELECT FROM award_evidence_numbers WHERE proposal_id = :proposal
ORDER BY unit_id, rule_key, field, number FOR UPDATE
"""

_STANDING = """
SELECT CAST(evidence AS text) FROM awards
WHERE proposal_id = :proposal AND state NOT IN ('rejected', 'reversed')
"""

_REVIEW = """
INSERT INTO award_reviews (award_id, reviewer_id, approved, reason)
VALUES (:award, :reviewer, :approved, :reason)
ON CONFLICT DO NOTHING
RETURNING award_id
"""

_APPROVALS = "SELECT count(*) AS n FROM award_reviews WHERE award_id = :award AND approved"

_GIVE_NOTICE = """
UPDATE awards SET state = 'notice', release_at = CAST(:until AS timestamptz) WHERE id = :id
"""

_WAIT_UNTIL = "UPDATE awards SET release_at = CAST(:until AS timestamptz) WHERE id = :id"

_OBJECT = """
WITH inserted AS (
    INSERT INTO award_objections (id, award_id, person_id, reason)
    VALUES (:id, :award, :person, :reason)
    ON CONFLICT (award_id, person_id) DO NOTHING
    RETURNING award_id
)
UPDATE awards a SET open_objections = open_objections + 1 FROM inserted i WHERE a.id = i.award_id
RETURNING a.id
"""

_DECIDE = """
WITH decided AS (
    UPDATE award_objections
    SET upheld = :upheld, decision = :decision, decided_by = :by, decided_at = :at
    WHERE id = :id AND decided_at IS NULL
    RETURNING award_id
)
UPDATE awards a SET open_objections = open_objections - 1 FROM decided d WHERE a.id = d.award_id
RETURNING a.id
"""

_SHOWN = """
    a.id, a.person_id, a.org_id, a.rule_key, a.title, a.points, a.minutes, a.state, a.reason,
    a.awarded_at, a.release_at, a.open_objections > 0 AS is_stopped, p.display_name
"""

_NOTICES = f"""
SELECT {_SHOWN} FROM awards a JOIN people p ON p.id = a.person_id JOIN orgs o ON o.id = a.org_id
WHERE a.state = 'notice' AND o.path ^@ :path
  AND (a.release_at, a.id) > (CAST(:after AS timestamptz), CAST(:after_id AS uuid))
ORDER BY a.release_at, a.id LIMIT :limit
"""  # noqa: S608 - a constant list of columns


async def claim_numbers(
    session: Session, *, unit: int, rule: str, proposal: UUID, numbers: Sequence[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Use evidence numbers (field, number) up; return those that were used before."""
    rows = await session.fetch(
        _CLAIM_NUMBERS,
        {
            "fields": [field for field, _ in numbers],
            "numbers": [number for _, number in numbers],
            "unit": unit,
            "rule": rule,
            "proposal": proposal,
        },
    )
    return {(row.field, row.number) for row in rows}


async def give_back_numbers(
    session: Session, proposal: UUID, kept: Sequence[tuple[str, str]]
) -> None:
    """Let go of the numbers that a proposal has claimed, but for some."""
    wanted = {"fields": [field for field, _ in kept], "numbers": [number for _, number in kept]}
    await session.fetch(_GIVE_BACK_NUMBERS, wanted | {"proposal": proposal})


async def standing_evidence(session: Session, proposal: UUID) -> list[dict[str, str]]:
    """Lock the numbers of a proposal; return the evidence of its awards that still stand."""
    await session.fetch(_LOCK_NUMBERS, {"proposal": proposal})
    rows = await session.fetch(_STANDING, {"proposal": proposal})
    return [json.loads(row.evidence) for row in rows]


async def review(
    session: Session, award: UUID, reviewer: UUID, *, approved: bool, reason: str | None
) -> bool:
    """Note a review; False if this person has reviewed it before."""
    rows = await session.fetch(
        _REVIEW,
        {"award": award, "reviewer": reviewer, "approved": approved, "reason": reason},
    )
    return bool(rows)


async def approvals(session: Session, award: UUID) -> int:
    return int((await session.fetch(_APPROVALS, {"award": award}))[0].n)


async def give_notice(session: Session, award: UUID, until: datetime) -> None:
    """Show a locked award to everybody until then."""
    await session.fetch(_GIVE_NOTICE, {"id": award, "until": until})


async def wait_until(session: Session, award: UUID, until: datetime) -> None:
    """Let a locked award that is approved wait until then."""
    await session.fetch(_WAIT_UNTIL, {"id": award, "until": until})


async def lock_due(session: Session, at: datetime, limit: int) -> list[Award]:
    """Lock awards whose time has come and that nobody objects to, oldest first."""
    query = (
        select(Award)
        .where(col(Award.state).in_([AwardState.pending, AwardState.notice]))
        .where(col(Award.release_at) <= at, Award.open_objections == 0)
        .order_by(col(Award.release_at), col(Award.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(await session.exec(query))


async def object_to(
    session: Session, objection: UUID, award: UUID, person: UUID, reason: str
) -> bool:
    """Note an objection to a locked award; False if the person has objected before."""
    wanted = {"id": objection, "award": award, "person": person, "reason": reason}
    return bool(await session.fetch(_OBJECT, wanted))


async def objection(session: Session, objection_id: UUID) -> AwardObjection | None:
    return await session.get(AwardObjection, objection_id)


async def decide(
    session: Session, objection_id: UUID, *, upheld: bool, decision: str, by: UUID, at: datetime
) -> bool:
    """Decide an objection; False if it has been decided."""
    wanted = {"id": objection_id, "upheld": upheld, "decision": decision, "by": by, "at": at}
    return bool(await session.fetch(_DECIDE, wanted))


async def notices(session: Session, org_path: str, after: tuple[Any, ...], limit: int) -> list[Row]:
    """Read awards in public notice in a subtree, soonest to end first."""
    wanted = {"path": org_path, "after": after[0], "after_id": after[1], "limit": limit}
    return await session.fetch(_NOTICES, wanted)
