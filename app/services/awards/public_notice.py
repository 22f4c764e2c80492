"""Public notice (公示): everybody sees who is to get what, and may object before it is paid."""

from datetime import datetime
from uuid import UUID

from app.core.clock import BEGINNING, now
from app.core.db import Row, Session
from app.core.errors import Refusal
from app.core.ids import NIL, new_id
from app.core.paging import Page, PageParams, keyset
from app.models.awards import AwardState
from app.models.notices import NoticeKind
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.schemas.awards import AwardNoticeOut, AwardOut, DecisionIn, ObjectionIn, ObjectionOut
from app.services import audit, notify, orgs, people
from app.services.awards.review import AwardNotFound, reviewable, take_back
from app.services.awards.wording import message, to_out

ROOT = "/"
FIRST = (BEGINNING, NIL)


class NotInNotice(Refusal):
    code, status, title = "awards.not_in_notice", 409, "Not in public notice"
    zh, en = "该积分记录不在公示期", "This award is not in public notice."
    fact_names = ("status",)


class ObjectedBefore(Refusal):
    code, status, title = "awards.objected_before", 409, "Objected before"
    zh, en = "您已对该记录提出过异议", "You have objected to this award before."


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


async def in_notice(tx: Session, org_id: UUID | None, asked: PageParams) -> Page[AwardNoticeOut]:
    """Return awards in public notice, of a subtree or all, with masked names."""
    path = (await orgs.get(tx, org_id)).path if org_id is not None else ROOT
    return await keyset(
        asked,
        (datetime, UUID),
        lambda after, limit: reviewing_queries.notices(tx, path, after or FIRST, limit),
        _notice,
        lambda row: (row.release_at, row.id),
    )


def _notice(row: Row) -> AwardNoticeOut:
    return AwardNoticeOut(
        award=to_out(row),
        display_name=people.masked(row.display_name),
        org_id=row.org_id,
        title=row.title,
        ends_at=row.release_at,
        has_objection=row.is_stopped,
    )


async def object_to(tx: Session, caller: UUID, award_id: UUID, body: ObjectionIn) -> ObjectionOut:
    """Object to an award in public notice: its release stops until somebody decides.

    Raises AwardNotFound, NotInNotice, ObjectedBefore.
    """
    award = await granting_queries.find(tx, award_id, lock=True)
    if award is None:
        raise AwardNotFound
    if award.state != AwardState.notice:
        raise NotInNotice(status=award.state)
    objection = new_id()
    if not await reviewing_queries.object_to(tx, objection, award_id, caller, body.reason):
        raise ObjectedBefore
    parties = {caller, award.person_id, award.proposed_by}
    await notify.send_to_deciders(tx, NoticeKind.objections_waiting, award.org_id, but=parties)
    return ObjectionOut(id=objection, award_id=award_id, reason=body.reason, upheld=None)


async def decide(tx: Session, caller: UUID, objection_id: UUID, body: DecisionIn) -> AwardOut:
    """Decide an objection. Upheld, the award is rejected; else its notice goes on.

    Raises ObjectionNotFound, OwnProposal, OwnAward, OwnObjection, ObjectionDecided.
    """
    objection = await reviewing_queries.objection(tx, objection_id)
    if objection is None:
        raise ObjectionNotFound
    try:
        award = await reviewable(tx, caller, objection.award_id)
    except AwardNotFound:
        raise ObjectionNotFound from None
    if objection.person_id == caller:
        raise OwnObjection
    at = now()
    if award.state != AwardState.notice or not await reviewing_queries.decide(
        tx, objection_id, upheld=body.upheld, decision=body.reason, by=caller, at=at
    ):
        raise ObjectionDecided(status=award.state)
    verb = "objection_upheld" if body.upheld else "objection_dismissed"
    await audit.write(tx, caller, verb, award, reason=body.reason)
    if body.upheld:
        await take_back(tx, award, f"公示异议成立：{body.reason}", at)
        await notify.send_each(tx, NoticeKind.award_rejected, [message(award, reason=body.reason)])
    await notify.send(
        tx,
        objection.person_id,
        NoticeKind.objection_decided,
        ("award", award.id),
        title=award.title,
        upheld=body.upheld,
        reason=body.reason,
    )
    return to_out(award)
