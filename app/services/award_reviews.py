"""Reviews of many awards at once: all or none, or with an outcome for each.

A refused award has been written nothing about: every check comes before its first row.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.core.db import Session
from app.core.language import Bilingual
from app.models.awards import Award
from app.queries.awards import granting as granting_queries
from app.schemas.award_reviews import (
    ApprovalsIn,
    RefusedReviewOut,
    RejectionsIn,
    ReviewsOut,
)
from app.services.awards import cutting, review
from app.services.awards.wording import to_out
from app.services.ledger import moments

# What speaks against the review of one award.
REFUSALS = (
    review.AwardNotFound,
    review.OwnProposal,
    review.OwnAward,
    review.AwardNotPending,
    review.ReviewedBefore,
    review.EvidenceMissing,
)


async def approve(tx: Session, caller: UUID, body: ApprovalsIn) -> ReviewsOut:
    """Approve pending awards, in this order.

    Unless ``partial``, raises as ``review.approve``, and names the award that is refused.
    """
    at = await moments.moment(tx)
    complete = []

    async def note(award: Award) -> None:
        if await review.note_approval(tx, caller, award, at):
            complete.append(award)

    awards, refused = await _each(tx, caller, body, note)
    locked = await cutting.lock(tx, complete, at)
    for award in complete:
        await review.approved(tx, award, at, locked)
    for award in awards:
        await review.write_approval(tx, caller, award)
    return ReviewsOut(items=[to_out(award) for award in awards], refused=refused)


async def reject(tx: Session, caller: UUID, body: RejectionsIn) -> ReviewsOut:
    """Reject awards that are not available yet.

    Unless ``partial``, raises as ``review.reject``, and names the award that is refused.
    """
    at = await moments.moment(tx)

    async def note(award: Award) -> None:
        await review.note_rejection(tx, caller, award, body.reason, at)

    awards, refused = await _each(tx, caller, body, note)
    locked = await cutting.lock(tx, awards, at)
    for award in awards:
        await review.rejected(tx, caller, award, body.reason, at, locked)
    return ReviewsOut(items=[to_out(award) for award in awards], refused=refused)


async def _each(
    tx: Session, caller: UUID, body: ApprovalsIn, note: Callable[[Award], Awaitable[None]]
) -> tuple[list[Award], list[RefusedReviewOut]]:
    """Lock the awards and note the review of each; return them, and those that are refused."""
    # In the order of their ids, so that two lists of the same awards do not wait for each other.
    await granting_queries.lock_many(tx, body.award_ids)
    awards, refused = [], []
    for place, award_id in enumerate(body.award_ids):
        try:
            award = await review.reviewable(tx, caller, award_id)
            await note(award)
        except REFUSALS as refusal:
            msg = Bilingual(refusal.zh, refusal.en)
            if not body.partial:
                fields = [{"field": f"body.award_ids.{place}", "msg": msg}]
                raise type(refusal)(fields=fields, **refusal.facts) from None
            facts = {name: str(fact) for name, fact in refusal.facts.items()}
            refused.append(
                RefusedReviewOut(award_id=award_id, code=refusal.code, msg=msg, facts=facts)
            )
        else:
            awards.append(award)
    return awards, refused
