"""SQL of reviews, public notices, objections and evidence numbers of awards."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, inspect, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.awards import Award, AwardReview, AwardState, EvidenceNumber
from app.models.orgs import Org
from app.models.people import Person

# The first proposal to claim a number keeps it; claiming it again in the same proposal is no
# conflict.
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


async def claim_numbers(
    session: Session, *, unit: int, rule: str, proposal: UUID, numbers: Sequence[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Claim evidence numbers (field, number); return those that another proposal has claimed."""
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


async def numbers_of_proposal(session: Session, proposal: UUID) -> set[tuple[str, str]]:
    """Read the numbers (field, number) that a proposal has used up."""
    query = select(EvidenceNumber.field, EvidenceNumber.number)
    rows = await session.exec(query.where(EvidenceNumber.proposal_id == proposal))
    return {(field, number) for field, number in rows}


async def give_back_numbers(
    session: Session, proposal: UUID, kept: Sequence[tuple[str, str]]
) -> None:
    """Release the numbers that a proposal has claimed, except ``kept``."""
    wanted = {"fields": [field for field, _ in kept], "numbers": [number for _, number in kept]}
    await session.fetch(_GIVE_BACK_NUMBERS, wanted | {"proposal": proposal})


async def lock_numbers(session: Session, proposal: UUID) -> None:
    """Lock the evidence numbers of a proposal, in the order of their keys.

    A transaction that ends another award of the proposal waits for the locks, and then reads
    that this one has ended.
    """
    key = inspect(EvidenceNumber).primary_key
    query = select(EvidenceNumber.number).where(EvidenceNumber.proposal_id == proposal)
    await session.exec(query.order_by(*key).with_for_update())


async def standing_evidence(session: Session, proposal: UUID) -> Sequence[Mapping[str, str]]:
    """Return the evidence of the awards of a proposal that are neither rejected nor reversed.

    Exact while the numbers of the proposal are locked.
    """
    query = (
        select(Award.evidence)
        .where(Award.proposal_id == proposal)
        .where(col(Award.state).not_in([AwardState.rejected, AwardState.reversed]))
    )
    return (await session.exec(query)).all()


async def review(
    session: Session,
    award: UUID,
    reviewer: UUID,
    at: datetime,
    *,
    approved: bool,
    reason: str | None,
) -> bool:
    """Insert a review; False if this person has reviewed the award before."""
    values = {
        "award_id": award,
        "reviewer_id": reviewer,
        "approved": approved,
        "reason": reason,
        "created_at": at,
    }
    query = insert(AwardReview).values(values).on_conflict_do_nothing()
    made = await session.execute(query.returning(col(AwardReview.award_id)))
    return made.first() is not None


async def approvals(session: Session, award: UUID) -> int:
    query = select(func.count()).where(AwardReview.award_id == award, AwardReview.approved)
    return (await session.exec(query)).one()


async def give_notice(session: Session, award: Award, until: datetime) -> None:
    """Put a locked award into public notice until a moment."""
    award.state = AwardState.notice
    await wait_until(session, award, until)


async def wait_until(session: Session, award: Award, until: datetime) -> None:
    """Set the moment from which a locked award that is approved may be released."""
    award.release_at = until
    session.add(award)
    await session.flush()


async def lock_due(session: Session, at: datetime, limit: int) -> list[Award]:
    """Lock awards that are due for release and have no open objection, oldest first."""
    query = (
        select(Award)
        .where(col(Award.state).in_([AwardState.pending, AwardState.notice]))
        .where(col(Award.release_at) <= at, Award.open_objections == 0)
        .order_by(col(Award.release_at), col(Award.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(await session.exec(query))


async def lock_unpaid(session: Session, people: Sequence[UUID]) -> list[Award]:
    """Lock the awards of people that wait for a review, a notice or a budget, by id."""
    waits = [AwardState.pending, AwardState.pending_budget, AwardState.notice]
    query = (
        select(Award)
        .where(col(Award.person_id).in_(people), col(Award.state).in_(waits))
        .order_by(col(Award.id))
        .with_for_update()
    )
    return list(await session.exec(query))


async def reviewers(session: Session, award: UUID) -> Sequence[UUID]:
    """Return the people who have reviewed an award."""
    query = select(AwardReview.reviewer_id).where(AwardReview.award_id == award)
    return (await session.exec(query)).all()


async def count_objections(session: Session, award: Award, change: int) -> None:
    """Add ``change`` to the number of open objections to a locked award."""
    award.open_objections += change
    session.add(award)
    await session.flush()


async def notices(
    session: Session, org_path: str, after: tuple[Any, ...] | None, limit: int
) -> Sequence[tuple[Award, str]]:
    """Read awards in public notice in a subtree with their people's names, soonest to end first.

    ``after``: end of the notice and id of the last award of the page before.
    """
    key = tuple_(col(Award.release_at), col(Award.id))
    query = (
        select(Award, Person.display_name)
        .join(Person, col(Person.id) == col(Award.person_id))
        .join(Org, col(Org.id) == col(Award.org_id))
        .where(Award.state == AwardState.notice)
        .where(col(Org.path).startswith(org_path, autoescape=True))
        .order_by(col(Award.release_at), col(Award.id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(key > after)
    return (await session.exec(query)).all()
