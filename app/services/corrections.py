"""Corrections: an organizer mends the times of a check-in, or annuls it.

What was written stays: the award is reversed, and another one is given for the other times.
"""

from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.validation_messages import invalid
from app.models.awards import AwardState
from app.models.checkins import CLOSES_AFTER_END, OPENS_BEFORE_START, CheckinMethod
from app.models.checkouts import Departure
from app.models.corrections import Correction
from app.queries import checkins as checkin_queries
from app.queries import checkouts as checkout_queries
from app.queries import corrections as queries
from app.queries import people as people_queries
from app.queries.awards.granting import NewAward
from app.queries.checkins import Counter
from app.queries.checkouts import NewCheckout
from app.queries.corrections import Corrected
from app.schemas.corrections import CorrectionIn, CorrectionOut, OverlapOut
from app.services import activities, audit, notify, people
from app.services.activities import ActivityNotFound
from app.services.awards import attendance, granting, reversal, wording
from app.services.awards.review import OwnAward
from app.services.ledger import moments
from app.services.policies import rules

MOST = 20  # corrections of one check-in
MOST_OVERLAPS = 5  # that are told
# A correction gives another award, so that of what holds nobody has decided otherwise.
ENDED = (AwardState.reversed, AwardState.rejected)


class CheckinNotFound(Refusal):
    code, status, title = "corrections.not_found", 404, "No such check-in"
    zh, en = "签到记录不存在", "There is no such check-in."


class CheckinAnnulled(Refusal):
    code, status, title = "corrections.annulled", 409, "Check-in annulled"
    zh, en = "该签到已作废", "This check-in was annulled."


class StillInside(Refusal):
    """The presence has not ended: a correction must say until when it lasted."""

    code, status, title = "corrections.still_inside", 409, "Not checked out"
    zh, en = "该人员尚未签退，请同时填写签退时间", "The person has not checked out: say until when."


class AwardEnded(Refusal):
    """Somebody has decided that the award, or a part of it, does not hold: it is not given anew."""

    code, status, title = "corrections.award_ended", 409, "Award reversed or rejected"
    zh, en = (
        "该签到的积分已被冲正或驳回，不能通过更正重新发放",
        "The award of this check-in was reversed or rejected; a correction does not give it again.",
    )
    fact_names = ("status",)


class TooManyCorrections(Refusal):
    code, status, title = "corrections.too_many", 409, "Too many corrections"
    zh, en = "更正次数已达上限", "This check-in was corrected too often."
    fact_names = ("limit",)


async def correct(tx: Session, caller: UUID, checkin_id: UUID, body: CorrectionIn) -> CorrectionOut:
    """Replace the times of a check-in, and its award by one for the new times.

    Raises CheckinNotFound, OwnAward, CheckinAnnulled, AwardEnded, StillInside, TooManyCorrections,
    Invalid.
    """
    found = await _locked(tx, caller, checkin_id)
    if found.came_at is None:  # it would be taken back by filling in two times
        raise CheckinAnnulled
    if found.award_state in ENDED or found.points_reversed:
        raise AwardEnded(status=found.award_state)
    came_at = body.checked_in_at or found.came_at
    left_at = body.checked_out_at or found.left_at
    if left_at is None and not found.checks_out:
        left_at = found.ends_at
    if left_at is None:
        raise StillInside
    _require_times(found, came_at, left_at)
    at = await moments.moment(tx)
    done = await _write(tx, caller, found, came_at, left_at, body.reason, at)
    facts = {"title": found.title, "came_at": came_at, "left_at": left_at, "reason": body.reason}
    facts["overlaps"] = bool(done.overlapping)
    subject = ("activity", found.activity_id)
    await notify.send(tx, found.person_id, "correction_made", subject, **facts)
    return done


async def annul(tx: Session, caller: UUID, checkin_id: UUID, reason: str) -> CorrectionOut:
    """Take back what a check-in gave; the place stays used.

    Raises CheckinNotFound, OwnAward, CheckinAnnulled, TooManyCorrections.
    """
    found = await _locked(tx, caller, checkin_id)
    if found.came_at is None:
        raise CheckinAnnulled
    at = await moments.moment(tx)
    done = await _write(tx, caller, found, None, None, reason, at)
    subject = ("activity", found.activity_id)
    facts = {"title": found.title, "reason": reason, "overlaps": bool(done.overlapping)}
    await notify.send(tx, found.person_id, "correction_annulled", subject, **facts)
    return done


async def _locked(tx: Session, caller: UUID, checkin_id: UUID) -> Corrected:
    """Lock a check-in of an activity that the caller organizes, and which is not the caller's."""
    activity_id = await queries.activity_of(tx, checkin_id)
    if activity_id is None:
        raise CheckinNotFound
    try:
        await activities.co_organized(tx, caller, activity_id)
    except ActivityNotFound:
        raise CheckinNotFound from None
    found = await queries.lock(tx, checkin_id)
    if await people.is_any_of(tx, caller, found.person_id):
        raise OwnAward
    if found.number >= MOST:
        raise TooManyCorrections(limit=MOST)
    return found


def _require_times(found: Corrected, came_at: datetime, left_at: datetime) -> None:
    """Raise Invalid unless the times are in order, of the session, and have passed."""
    opens, closes = found.starts_at - OPENS_BEFORE_START, found.ends_at + CLOSES_AFTER_END
    if came_at > left_at:
        raise invalid("body.checked_out_at", "早于签到时间", "lies before the check-in")
    if came_at > now():
        raise invalid("body.checked_in_at", "晚于当前时间", "lies in the future")
    if not opens <= came_at <= closes:
        raise invalid("body.checked_in_at", "不在活动时间内", "lies outside the session")
    if left_at > closes:
        raise invalid("body.checked_out_at", "不在活动时间内", "lies outside the session")
    if found.checks_out and left_at > now():
        raise invalid("body.checked_out_at", "晚于当前时间", "lies in the future")


async def _write(
    tx: Session,
    caller: UUID,
    found: Corrected,
    came_at: datetime | None,
    left_at: datetime | None,
    reason: str,
    at: datetime,
) -> CorrectionOut:
    ended = found.award_id
    if ended is not None and not await reversal.take_back(tx, caller, ended, reason):
        ended = None  # it was reversed before, for another reason
    await _leave(tx, caller, found, at)
    award = None
    if came_at is not None and left_at is not None:
        award = await _pay(tx, found, came_at, left_at, at)
    correction = Correction(
        checkin_id=found.checkin_id,
        number=found.number + 1,
        came_before=found.came_at,
        left_before=found.left_at,
        came_at=came_at,
        left_at=left_at,
        reason=reason,
        ended_award_id=ended,
        award_id=award and award.id,
        created_by=caller,
        corrected_at=at,
    )
    await queries.insert(tx, correction)
    verb = "annulled" if came_at is None else "corrected"
    facts = audit.about("activity", found.activity_id) | {"person": str(found.person_id)}
    subject = ("checkin", found.checkin_id)
    await audit.write_about(tx, caller, verb, subject, found.org_id, reason=reason, facts=facts)
    return CorrectionOut(
        id=found.checkin_id,
        activity_id=found.activity_id,
        session=found.session,
        person_id=found.person_id,
        number=correction.number,
        checked_in_at=came_at,
        checked_out_at=left_at,
        checked_in_before=found.came_at,
        checked_out_before=found.left_at,
        reason=reason,
        award=award and wording.to_out(award),
        overlapping=await _overlapping(tx, found),
    )


async def _overlapping(tx: Session, found: Corrected) -> list[OverlapOut]:
    """Return what may have counted less because of this check-in: no moment counts twice.

    Other organizers decide about it, so it is told and not counted anew (decision 0045).
    """
    accounts = await people_queries.family(tx, found.person_id)
    others = await queries.overlapping(tx, found, accounts, MOST_OVERLAPS)
    return [
        OverlapOut(checkin_id=checkin, activity_id=activity, title=title)
        for checkin, activity, title in others
    ]


async def _leave(tx: Session, caller: UUID, found: Corrected, at: datetime) -> None:
    """End a presence that has not ended, so that nobody is counted as inside for ever."""
    if not found.checks_out or found.checkout_id is not None or found.came_at is None:
        return
    one = NewCheckout(
        id=new_id(),
        checkin_id=found.checkin_id,
        activity_id=found.activity_id,
        session=found.session,
        person_id=found.person_id,
        departure=Departure.corrected,
        left_at=max(found.came_at, min(now(), found.ends_at)),
        recorded_at=at,
        recorded_by=caller,
        award_id=None,
    )
    if await checkout_queries.insert(tx, [one]):
        counted = [(found.activity_id, found.version, found.session)]
        await checkin_queries.count(tx, Counter.checkouts, counted)


async def _pay(
    tx: Session, found: Corrected, came_at: datetime, left_at: datetime, at: datetime
) -> NewAward:
    """Give the award of the corrected presence. An organizer's word is that of a steward."""
    place = (found.org_path, found.rule_key)
    policy = (await attendance.policies(tx, {place}, at))[place]
    attended = rules.attended(came_at, found.starts_at, min(found.ends_at, left_at))
    grant = attendance.grant(
        found,
        policy,
        new_id(),
        "correction",
        CheckinMethod.steward,
        attended,
        number=found.number + 1,
    )
    [given] = await granting.grant(tx, [grant], at)
    await wording.tell_reviewers(tx, [given.award])
    return given.award
