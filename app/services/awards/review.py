"""Review: proposed awards need approvals by others, and are then in public notice (公示)."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.normalize import normalized
from app.models.awards import Award, AwardState
from app.models.notices import NoticeKind
from app.queries import people as people_queries
from app.queries.awards import attended_times
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.queries.ledger import posting as posting_queries
from app.schemas.awards.reading import AwardOut
from app.schemas.awards.review import RejectionIn
from app.services import audit, notify, orgs, people
from app.services.awards import announced, cutting
from app.services.awards.postings import minutes_reversal, pending_reversal
from app.services.awards.release import release
from app.services.awards.wording import message, to_out, trail
from app.services.ledger import moments, posting
from app.services.ledger.posting import Locked


class AwardNotFound(Refusal):
    code, status, title = "awards.not_found", 404, "No such award"
    zh, en = "积分记录不存在", "There is no such award."


class AwardNotPending(Refusal):
    code, status, title = "awards.not_pending", 409, "Award not pending"
    zh, en = "该积分记录不在待审核状态", "This award is not pending."
    fact_names = ("status",)


class EvidenceMissing(Refusal):
    code, status, title = "awards.evidence_missing", 409, "Evidence missing"
    zh, en = "请先补充该规则要求的材料", "The evidence that its rule demands is missing."


class OwnProposal(Refusal):
    code, status, title = "awards.own_proposal", 403, "Own proposal"
    zh, en = "不能审核本人提交的积分", "Somebody else must approve what you proposed."


class OwnAward(Refusal):
    code, status, title = "awards.own_award", 403, "Own award"
    zh, en = "发给本人的积分须由他人处理", "Somebody else must decide on points for you."


class ReviewedBefore(Refusal):
    code, status, title = "awards.reviewed_before", 409, "Reviewed before"
    zh, en = "您已审核过该记录，须另一人审核", "You have reviewed it; another person must."
    fact_names = ("reviews_missing",)


async def approve(tx: Session, caller: UUID, award_id: UUID) -> AwardOut:
    """Approve a pending award. The last missing approval starts its waiting hours and notice.

    Then it is cut to what the caps leave. Raises AwardNotFound, OwnProposal, OwnAward,
    AwardNotPending, EvidenceMissing, ReviewedBefore.
    """
    at = await moments.moment(tx)
    award = await reviewable(tx, caller, award_id)
    if await note_approval(tx, caller, award, at):
        await approved(tx, award, at, await cutting.lock(tx, [award], at))
    await write_approval(tx, caller, award)
    return to_out(award)


async def note_approval(tx: Session, caller: UUID, award: Award, at: datetime) -> bool:
    """Note the caller's approval of a locked award; return whether it needs no more.

    Raises AwardNotPending, EvidenceMissing, ReviewedBefore.
    """
    waits_for_time = award.reviews_needed == 0 or award.release_at is not None
    if award.state != AwardState.pending or waits_for_time:
        raise AwardNotPending(status=award.state)
    if await announced.lacks_evidence(tx, award):
        raise EvidenceMissing
    await _require_first_review(tx, caller, award)
    if not await reviewing_queries.review(tx, award.id, caller, at, approved=True, reason=None):
        raise await _reviewed_before(tx, award)
    return await reviewing_queries.approvals(tx, award.id) >= award.reviews_needed


async def write_approval(tx: Session, caller: UUID, award: Award) -> None:
    before, after = AwardState.pending, award.state
    facts = trail(award)
    await audit.write(tx, caller, "approved", award, before=before, after=after, facts=facts)


async def approved(tx: Session, award: Award, at: datetime, locked: Locked) -> None:
    """Cut an award that needs no more approvals, and begin what it waits for, or release it."""
    await cutting.cut(tx, award, at, locked)
    if not award.points:
        await _tell_no_points(tx, award)
    wait = timedelta(hours=award.wait_hours, days=award.notice_days)
    if not wait:
        await release(tx, [award], at, locked)
        award.state = AwardState.available
        return
    if award.notice_days:
        await reviewing_queries.give_notice(tx, award, at + wait)
    else:
        await reviewing_queries.wait_until(tx, award, at + wait)
    if award.points:
        told = message(award, available_at=award.release_at)
        await notify.send_each(tx, NoticeKind.award_approved, [told])


async def _tell_no_points(tx: Session, award: Award) -> None:
    subject, kind = ("award", award.id), NoticeKind.award_without_points
    capped, has_hours = award.points_before_caps > 0, award.minutes > 0
    facts = {"title": award.title, "capped": capped, "has_hours": has_hours}
    await notify.send(tx, award.person_id, kind, subject, **facts)


async def reject(tx: Session, caller: UUID, award_id: UUID, body: RejectionIn) -> AwardOut:
    """Reject an award that is not available yet: its points go back to the fund.

    Raises AwardNotFound, OwnProposal, OwnAward, AwardNotPending, ReviewedBefore.
    """
    award = await reviewable(tx, caller, award_id)
    at = await moments.moment(tx)
    await note_rejection(tx, caller, award, body.reason, at)
    await rejected(tx, caller, award, body.reason, at)
    return to_out(award)


async def note_rejection(
    tx: Session, caller: UUID, award: Award, reason: str, at: datetime
) -> None:
    """Note the caller's rejection of a locked award. Raises AwardNotPending, ReviewedBefore."""
    if award.state not in (AwardState.pending, AwardState.pending_budget):
        raise AwardNotPending(status=award.state)
    await _require_first_review(tx, caller, award)
    if not await reviewing_queries.review(tx, award.id, caller, at, approved=False, reason=reason):
        raise await _reviewed_before(tx, award)


async def _require_first_review(tx: Session, caller: UUID, award: Award) -> None:
    """Raise ReviewedBefore for who reviewed a locked award, by another account too."""
    if await people.is_any_of(tx, caller, *await reviewing_queries.reviewers(tx, award.id)):
        raise await _reviewed_before(tx, award)


async def _reviewed_before(tx: Session, award: Award) -> ReviewedBefore:
    given = await reviewing_queries.approvals(tx, award.id)
    return ReviewedBefore(reviews_missing=max(award.reviews_needed - given, 0))


async def rejected(
    tx: Session,
    caller: UUID,
    award: Award,
    reason: str,
    at: datetime,
    locked: Locked | None = None,
) -> None:
    """Carry out a rejection that is noted. ``locked``: see ``take_back``."""
    before, facts = award.state, trail(award)
    await take_back(tx, award, f"审核未通过：{reason}", at, locked)
    await audit.write(
        tx,
        caller,
        "rejected",
        award,
        before=before,
        after=award.state,
        reason=reason,
        facts=facts,
    )
    await notify.send_each(tx, NoticeKind.award_rejected, [message(award, reason=reason)])


async def take_back(
    tx: Session, award: Award, reason: str, at: datetime, locked: Locked | None = None
) -> None:
    """Reject a locked award whose points are not available; release its evidence.

    ``locked``: its accounts and that of its fund, if the caller has locked them.
    """
    given = await posting_queries.find_transfer(tx, award.id)
    reason = reason[:200]
    postings = []
    if award.minutes and award.hours_at_once:
        postings.append(minutes_reversal(award, award.person_id, reason))
    if given is not None and award.points:  # there were points, and the fund has paid them
        fund = await posting.key_of(tx, given.from_account_id)
        entry = pending_reversal(award, fund, award.points, reason, f"reversal:{award.id}")
        postings.append(replace(entry, closes_id=award.id))
    for outcome in await posting.post(tx, postings, at, locked):
        unwrap([outcome])
    await granting_queries.move(tx, [award.id], AwardState.rejected)
    award.state = AwardState.rejected
    await free_evidence(tx, award)


async def free_evidence(tx: Session, award: Award) -> None:
    """Release the attended time and the numbers of an award that has ended.

    Numbers that other awards of its proposal name stay used.
    """
    await attended_times.free(tx, award.id)
    if award.proposal_id is None:
        return
    await reviewing_queries.lock_numbers(tx, award.proposal_id)
    standing = await reviewing_queries.standing_evidence(tx, award.proposal_id)
    kept = {(field, normalized(number)) for one in standing for field, number in one.items()}
    await reviewing_queries.give_back_numbers(tx, award.proposal_id, sorted(kept))


async def reviewable(tx: Session, caller: UUID, award_id: UUID) -> Award:
    """Lock an award of the caller's subtree that the caller neither proposed nor receives.

    Raises AwardNotFound, OwnProposal, OwnAward.
    """
    award = await organized(tx, caller, await granting_queries.find(tx, award_id, lock=True))
    if await people.is_any_of(tx, caller, award.proposed_by):
        raise OwnProposal
    if await people.is_any_of(tx, caller, award.person_id):
        raise OwnAward
    return award


async def organized(tx: Session, caller: UUID, award: Award | None) -> Award:
    """Return an award of a subtree that the caller organizes. Raises AwardNotFound."""
    if award is None:
        raise AwardNotFound
    org = await orgs.get(tx, award.org_id)
    if not await people_queries.has_role_at(tx, caller, people.ORGANIZERS, org.path):
        raise AwardNotFound
    return award
