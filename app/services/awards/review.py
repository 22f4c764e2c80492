"""Review: what was proposed by hand needs others, then everybody may look at it (公示)."""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.core.normalize import normalized
from app.models.awards import Award, AwardState
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.queries import people as people_queries
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.queries.ledger import posting as posting_queries
from app.schemas.awards import AwardOut, RejectionIn
from app.services import audit, notify, orgs, people
from app.services.awards.postings import minutes_id, minutes_reversal
from app.services.awards.release import release
from app.services.awards.wording import message, to_out
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, Posting


class AwardNotFound(Refusal):
    code, status, title = "awards.not_found", 404, "No such award"
    zh, en = "积分记录不存在", "There is no such award."


class AwardNotPending(Refusal):
    code, status, title = "awards.not_pending", 409, "Award not pending"
    zh, en = "该积分记录不在待审核状态", "This award is not pending."
    fact_names = ("status",)


class OwnProposal(Refusal):
    code, status, title = "awards.own_proposal", 403, "Own proposal"
    zh, en = "不能审核本人提交的积分", "Somebody else must approve what you proposed."


class OwnAward(Refusal):
    code, status, title = "awards.own_award", 403, "Own award"
    zh, en = "不能审核发给本人的积分", "Somebody else must decide on points for you."


class ReviewedBefore(Refusal):
    code, status, title = "awards.reviewed_before", 409, "Reviewed before"
    zh, en = "您已审核过该记录，须另一人审核", "You have reviewed it; another person must."


async def approve(tx: Session, caller: UUID, award_id: UUID) -> AwardOut:
    """Approve a pending award. The last approval that it needs begins its hours and notice.

    Raises AwardNotFound, OwnProposal, OwnAward, AwardNotPending, ReviewedBefore.
    """
    award = await reviewable(tx, caller, award_id)
    waits_for_time = award.reviews_needed == 0 or award.release_at is not None
    if award.state != AwardState.pending or waits_for_time:
        raise AwardNotPending(status=award.state)
    if not await reviewing_queries.review(tx, award_id, caller, approved=True, reason=None):
        raise ReviewedBefore
    await audit.write(tx, caller, "approved", award)
    if await reviewing_queries.approvals(tx, award_id) >= award.reviews_needed:
        await _approved(tx, award, now())
    return to_out(award)


async def _approved(tx: Session, award: Award, at: datetime) -> None:
    wait = timedelta(hours=award.wait_hours, days=award.notice_days)
    if not wait:
        await release(tx, [award], at)
        award.state = AwardState.available
        return
    award.release_at = at + wait
    if award.notice_days:
        award.state = AwardState.notice
        await reviewing_queries.give_notice(tx, award.id, award.release_at)
    else:
        await reviewing_queries.wait_until(tx, award.id, award.release_at)
    told = message(award, available_at=award.release_at)
    await notify.send_each(tx, NoticeKind.award_approved, [told])


async def reject(tx: Session, caller: UUID, award_id: UUID, body: RejectionIn) -> AwardOut:
    """Reject an award that waits: its points go back to the fund.

    Raises AwardNotFound, OwnProposal, OwnAward, AwardNotPending, ReviewedBefore.
    """
    award = await reviewable(tx, caller, award_id)
    if award.state not in (AwardState.pending, AwardState.pending_budget):
        raise AwardNotPending(status=award.state)
    if not await reviewing_queries.review(tx, award_id, caller, approved=False, reason=body.reason):
        raise ReviewedBefore
    before = award.state
    await take_back(tx, award, f"审核未通过：{body.reason}", now())
    await audit.write(
        tx, caller, "rejected", award, before=before, after=award.state, reason=body.reason
    )
    await notify.send_each(tx, NoticeKind.award_rejected, [message(award, reason=body.reason)])
    return to_out(award)


async def take_back(tx: Session, award: Award, reason: str, at: datetime) -> None:
    """Reject a locked award whose points still wait. Its evidence numbers are free again."""
    given = await posting_queries.find_transfer(tx, award.id)
    reason = reason[:200]
    if given is None and await posting_queries.find_transfer(tx, minutes_id(award.id)):
        # While the points of attendance wait for money, its hours have counted.
        unwrap(await posting.post(tx, [minutes_reversal(award, reason)], at))
    if given is not None:  # there were points, and the fund could pay
        entry = Posting(
            id=new_id(),
            payer=AccountKey(award.person_id, Purpose.pending, award.unit_id),
            payee=await posting.key_of(tx, given.from_account_id),
            amount=award.points,
            kind=Kind.reversal,
            reason=reason,
            reference=f"reversal:{award.id}",
            source_type="award",
            source_id=award.id,
            org_id=award.org_id,
            closes_id=award.id,
        )
        unwrap(await posting.post(tx, [entry], at))
    await granting_queries.move(tx, [award.id], AwardState.rejected)
    award.state = AwardState.rejected
    await free_numbers(tx, award)


async def free_numbers(tx: Session, award: Award) -> None:
    """Let the numbers of an award that has ended be used again, but for what others name too."""
    if award.proposal_id is None:
        return
    standing = await reviewing_queries.standing_evidence(tx, award.proposal_id)
    kept = {(field, normalized(number)) for one in standing for field, number in one.items()}
    await reviewing_queries.give_back_numbers(tx, award.proposal_id, sorted(kept))


async def reviewable(tx: Session, caller: UUID, award_id: UUID) -> Award:
    """Lock an award of the caller's subtree that is neither proposed by the caller nor hers.

    Raises AwardNotFound, OwnProposal, OwnAward.
    """
    award = await granting_queries.find(tx, award_id, lock=True)
    if award is None:
        raise AwardNotFound
    org = await orgs.get(tx, award.org_id)
    if not await people_queries.has_role_at(tx, caller, people.ORGANIZERS, org.path):
        raise AwardNotFound
    if award.proposed_by == caller:
        raise OwnProposal
    if award.person_id == caller:
        raise OwnAward
    return award
