"""Public notice (公示): awards are shown to everybody, who may object before they are paid."""

from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, keyset
from app.models.awards import Award, AwardState
from app.models.cases import OPEN, Case, CaseKind, CaseOutcome
from app.models.notices import NoticeKind
from app.models.quotas import QuotaKind
from app.queries import cases as case_queries
from app.queries import records as record_queries
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.schemas.awards.reading import AwardNoticeOut, AwardOut, ObjectionOut
from app.schemas.awards.review import DecisionIn, ObjectionIn
from app.services import audit, cases, notify, orgs, people, quotas
from app.services.awards.review import AwardNotFound, reviewable, take_back
from app.services.awards.wording import message, to_out, trail
from app.services.ledger import moments
from app.services.policies import naming
from app.services.policies.naming import Book
from app.services.quotas import QuotaUsed

ROOT = "/"
MAX_OPEN_OBJECTIONS = 5  # per person
# Per person and day, decided or not: each one delays an award until it is decided.
MAX_OBJECTIONS_A_DAY = 10


class NotInNotice(Refusal):
    code, status, title = "awards.not_in_notice", 409, "Not in public notice"
    zh, en = "该积分记录不在公示期", "This award is not in public notice."
    # Without its state as a fact: anybody may object, and the state is not everybody's to know.


class ObjectedBefore(Refusal):
    code, status, title = "awards.objected_before", 409, "Objected before"
    zh, en = "您已对该记录提出过异议", "You have objected to this award before."


class TooManyObjections(Refusal):
    code, status, title = "awards.too_many_objections", 409, "Too many objections"
    zh, en = "您待处理的异议已达上限", "You have as many objections open as one may."
    fact_names = ("limit", "used")


class TooManyObjectionsToday(QuotaUsed):
    code = "awards.too_many_objections_today"
    zh, en = "您今天提出异议的次数已达上限", "You have objected as often as one day allows."


class ObjectionNotFound(Refusal):
    code, status, title = "awards.objection_not_found", 404, "No such objection"
    zh, en = "异议不存在", "There is no such objection."


class ObjectionDecided(Refusal):
    code, status, title = "awards.objection_decided", 409, "Objection decided"
    zh, en = "该异议已处理", "This objection has been decided."
    fact_names = ("status",)


class OwnObjection(Refusal):
    code, status, title = "awards.own_objection", 403, "Own objection"
    zh, en = "不能处理本人提出的异议", "Somebody else must decide on your objection."


class OwnReview(Refusal):
    code, status, title = "awards.own_review", 403, "Own review"
    zh, en = "不能处理对本人所审核积分的异议", "Somebody who has not reviewed it must decide."


async def in_notice(tx: Session, org_id: UUID | None, asked: PageParams) -> Page[AwardNoticeOut]:
    """Return awards in public notice, of a subtree or all, with masked names."""
    path = (await orgs.get(tx, org_id)).path if org_id is not None else ROOT
    names = await naming.book(tx)
    return await keyset(
        asked,
        (datetime, UUID),
        lambda after, limit: reviewing_queries.notices(tx, path, after, limit),
        lambda row: _notice(*row, names),
        lambda row: (row[0].release_at, row[0].id),
    )


def _notice(award: Award, display_name: str, names: Book) -> AwardNoticeOut:
    assert award.release_at is not None, "a public notice has an end"
    return AwardNoticeOut(
        award=to_out(award),
        display_name=people.masked(display_name),
        org_id=award.org_id,
        title=names.said(award.title),
        ends_at=award.release_at,
        has_objection=award.open_objections > 0,
    )


async def object_to(tx: Session, caller: UUID, award_id: UUID, body: ObjectionIn) -> ObjectionOut:
    """Object to an award in public notice: it is not released until the objection is decided.

    Raises AwardNotFound, NotInNotice, ObjectedBefore, TooManyObjections, TooManyObjectionsToday.
    """
    award = await granting_queries.find(tx, award_id, lock=True)
    if award is None:
        raise AwardNotFound
    if award.state != AwardState.notice:
        raise NotInNotice
    if await case_queries.lock_of(tx, CaseKind.objection, award_id, caller):
        raise ObjectedBefore
    used = await case_queries.count_open(tx, caller, CaseKind.objection)
    if used >= MAX_OPEN_OBJECTIONS:
        raise TooManyObjections(limit=MAX_OPEN_OBJECTIONS, used=used)
    kind, limit = QuotaKind.objections, MAX_OBJECTIONS_A_DAY
    await quotas.take(tx, caller, kind, limit, now(), TooManyObjectionsToday)
    case = await cases.open(
        tx, caller, CaseKind.objection, ("award", award_id), award.org_id, body.reason
    )
    await reviewing_queries.count_objections(tx, award, 1)
    reviewers = await reviewing_queries.reviewers(tx, award_id)
    parties = {caller, award.person_id, award.proposed_by, *reviewers}
    await notify.send_to_deciders(tx, NoticeKind.objections_waiting, award.org_id, but=parties)
    return ObjectionOut(id=case.id, award_id=award_id, reason=body.reason, upheld=None)


async def decide(tx: Session, caller: UUID, objection_id: UUID, body: DecisionIn) -> AwardOut:
    """Decide an objection. If it is upheld, the award is rejected; else its notice continues.

    Raises ObjectionNotFound, OwnProposal, OwnAward, OwnObjection, OwnReview, ObjectionDecided.
    """
    award, case = await _locked(tx, caller, objection_id)
    reviewers = await reviewing_queries.reviewers(tx, award.id)
    parties = dict.fromkeys(reviewers, OwnReview) | {case.created_by: OwnObjection}
    await people.require_no_part(tx, caller, parties)
    if award.state != AwardState.notice or case.state not in OPEN:
        raise ObjectionDecided(status=award.state)
    outcome = CaseOutcome.adopted if body.upheld else CaseOutcome.dismissed
    await cases.decide(tx, caller, case, outcome, body.reason, parties)
    await reviewing_queries.count_objections(tx, award, -1)
    if body.upheld:
        at = await moments.moment(tx)
        await take_back(tx, award, f"公示异议成立：{body.reason}", at)
    await _write_audit(tx, caller, award, case, body)
    if body.upheld:
        await end_objections(tx, caller, award)
        await notify.send_each(tx, NoticeKind.award_rejected, [message(award, reason=body.reason)])
    await notify.send(
        tx,
        case.created_by,
        NoticeKind.objection_decided,
        ("award", award.id),
        title=award.title,
        upheld=body.upheld,
        reason=body.reason,
    )
    return to_out(award)


async def _write_audit(
    tx: Session, caller: UUID, award: Award, case: Case, body: DecisionIn
) -> None:
    verb = "objection_upheld" if body.upheld else "objection_dismissed"
    before, facts = AwardState.notice, audit.about("case", case.id) | trail(award)
    await audit.write(
        tx, caller, verb, award, before=before, after=award.state, reason=body.reason, facts=facts
    )


async def _locked(tx: Session, caller: UUID, objection_id: UUID) -> tuple[Award, Case]:
    """Lock an award, then the objection to it. Raises ObjectionNotFound, OwnProposal, OwnAward."""
    award_id = await case_queries.subject_of(tx, objection_id, CaseKind.objection)
    if award_id is None:
        raise ObjectionNotFound
    try:
        award = await reviewable(tx, caller, award_id)
    except AwardNotFound:
        raise ObjectionNotFound from None
    case = await record_queries.lock(tx, Case, objection_id)
    assert case is not None, "no case is ever deleted"
    return award, case


async def end_objections(tx: Session, actor: UUID | None, award: Award) -> None:
    """End the open objections to a locked award that has ended, and notify who made them."""
    if award.open_objections:
        ended = await cases.lapse(tx, actor, CaseKind.objection, award.id)
        await reviewing_queries.count_objections(tx, award, -len(ended))
        openers, subject = [case.created_by for case in ended], ("award", award.id)
        await notify.send(tx, openers, NoticeKind.objection_ended, subject, title=award.title)
