"""Stewards: organizers at the door check others in and out, one by one or as a list."""

from collections.abc import Sequence
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.language import Bilingual, request_language
from app.models.activities import Activity
from app.models.awards import AwardState
from app.models.cards import CodePurpose
from app.models.checkins import CheckinMethod
from app.models.checkouts import Departure
from app.models.signups import SignupStatus
from app.queries import cards as card_queries
from app.queries import people as people_queries
from app.queries import signups as signup_queries
from app.schemas.base import ReasonOut
from app.schemas.checkins import CodeAction
from app.schemas.stewards import (
    StewardedOut,
    StewardIn,
    StewardItemOut,
    StewardListIn,
    StewardListOut,
    StewardOutcome,
)
from app.services import activities, audit, checkins, checkouts, people
from app.services.checkins import Recorded, Scan
from app.services.checkouts import CheckoutOver, Leave, Left, NotCheckedIn
from app.services.corrections import CheckinAnnulled
from app.services.eligibility import NotEligible
from app.services.ledger import moments
from app.services.people import CardGuesses, PersonNotFound
from app.services.redemptions import card_codes
from app.services.signups import NotSignedUp


class OwnPresence(Refusal):
    code, status, title = "stewards.own", 403, "Own presence"
    zh, en = "不能为本人签到签退，请扫描现场二维码", "Nobody checks in himself; scan the screen."


class HandoverNeeded(Refusal):
    code, status, title = "stewards.handover_needed", 409, "Hand-over needed"
    zh, en = "孩子须经接送交接离开", "Children leave this class by a hand-over."


_WORDS = {
    NotCheckedIn.code: Bilingual("此人尚未签到", "This person has not checked in."),
    CheckoutOver.code: Bilingual(
        "已过签退时间，请更正其签到记录",
        "It is too late to check out; correct the check-in instead.",
    ),
}
_PLACELESS = {
    None: Bilingual("此人未报名此活动", "This person has not signed up to this activity."),
    SignupStatus.waitlisted: Bilingual("此人还在候补", "This person is on the waiting list."),
    SignupStatus.pending: Bilingual("此人的报名尚待审核", "The sign-up waits for approval."),
    SignupStatus.offered: Bilingual(
        "此人尚未接受名额", "This person has not accepted the place that is offered."
    ),
    SignupStatus.declined: Bilingual("此人的报名未通过审核", "The sign-up was declined."),
    SignupStatus.cancelled: Bilingual("此人的报名已取消", "The sign-up was cancelled."),
}


async def record(
    tx: Session, caller: UUID, activity_id: UUID, body: StewardIn, guesses: CardGuesses
) -> StewardedOut:
    """Check a person in or out.

    Raises ActivityNotFound, Forbidden, OwnPresence, PersonNotFound, what ``guesses`` raises, of a
    card code CardCodeInvalid, CardCodeUsed, CardSuspended; HandoverNeeded, and what a scan is
    refused with.
    """
    activity = await activities.co_organized(tx, caller, activity_id)
    person_id = await _named(tx, caller, activity, body, guesses)
    [outcome] = await _record(tx, caller, activity, body, [person_id], CheckinMethod.steward)
    return unwrap([outcome])


async def record_list(
    tx: Session, caller: UUID, activity_id: UUID, body: StewardListIn, guesses: CardGuesses
) -> StewardListOut:
    """Check the members of a team in or out; one outcome each. Never the caller.

    Raises ActivityNotFound, Forbidden, HandoverNeeded, and what ``guesses`` raises.
    """
    activity = await activities.co_organized(tx, caller, activity_id)
    holders = await people.by_card(tx, body.card_nos, guesses)
    members = sorted(set(holders.values()))
    outcomes = await _record(tx, caller, activity, body, members, CheckinMethod.leader)
    by_person = dict(zip(members, outcomes, strict=True))
    items = [
        _item(number, by_person[holders[number]] if number in holders else PersonNotFound())
        for number in body.card_nos
    ]
    recorded = sum(one.outcome is StewardOutcome.recorded for one in items)
    subject = ("activity", activity_id)
    facts: dict[str, str | int] = {"action": body.action, "recorded": recorded}
    await audit.write_about(tx, caller, "list_recorded", subject, activity.org_id, facts=facts)
    return StewardListOut(
        items=items,
        recorded=recorded,
        refused=sum(one.outcome is StewardOutcome.refused for one in items),
    )


async def _named(
    tx: Session, caller: UUID, activity: Activity, body: StewardIn, guesses: CardGuesses
) -> UUID:
    """Return the person that a steward names. A card's code is used up by it."""
    if body.card_code is not None:
        at = now()
        rows = await card_queries.lock_codes(tx, [body.card_code])
        row = rows.get(body.card_code)
        code = card_codes.require_usable(row, at, CodePurpose.attendance, caller)
        await card_queries.use_codes(tx, [code.id], at, [caller])
        return code.person_id
    if body.card_no is not None:
        holders = await people.by_card(tx, [body.card_no], guesses)
        if body.card_no not in holders:
            raise PersonNotFound
        return holders[body.card_no]
    assert body.person_id is not None, "one of three is given"
    # Who did not sign up is named by a card: an id alone must not find anybody.
    if body.person_id not in await signup_queries.people_of(tx, activity.id):
        raise PersonNotFound
    return body.person_id


async def _record(
    tx: Session,
    caller: UUID,
    activity: Activity,
    body: StewardIn | StewardListIn,
    members: Sequence[UUID],
    method: CheckinMethod,
) -> list[StewardedOut | Refusal]:
    """Record people, one outcome each. Raises HandoverNeeded."""
    if activity.for_minors and body.action is CodeAction.check_out:
        raise HandoverNeeded
    own = await people.own(tx, caller)
    others = [one for one in members if one not in own]
    at = await moments.moment(tx)
    outcomes: Sequence[Recorded | Left | Refusal] = []
    if others and body.action is CodeAction.check_in:
        scans = [
            Scan(
                activity.serial,
                one,
                method=method,
                session=body.session,
                recorded_by=caller,
                may_walk_in=body.walk_in,
            )
            for one in others
        ]
        outcomes = await checkins.record(tx, scans, at)
    elif others:
        leaves = [
            Leave(activity.serial, one, Departure.steward, caller, session=body.session)
            for one in others
        ]
        outcomes = await checkouts.record(tx, leaves, at)
    names = await people_queries.names(tx, others)
    found = {
        one: _to_out(one, names[one].display_name, outcome)
        for one, outcome in zip(others, outcomes, strict=True)
    }
    return [OwnPresence() if one in own else found[one] for one in members]


def _item(number: str, outcome: StewardedOut | Refusal) -> StewardItemOut:
    if isinstance(outcome, Refusal):
        return StewardItemOut(
            card_no=number,
            outcome=StewardOutcome.refused,
            refusal=ReasonOut.of(outcome, request_language()),
            recorded=None,
        )
    kind = StewardOutcome.recorded if outcome.is_new else StewardOutcome.repeated
    return StewardItemOut(card_no=number, outcome=kind, refusal=None, recorded=outcome)


def _of_another(refusal: Refusal) -> Refusal:
    """Word a refusal for the steward; what was seen of the person is not told (0043)."""
    if isinstance(refusal, NotEligible):
        refusal.facts = {}
        refusal.words = Bilingual("此人不符合参加条件", "This person is not eligible.")
    elif isinstance(refusal, NotSignedUp):
        refusal.words = _PLACELESS.get(refusal.facts.get("status"), _PLACELESS[None])
    else:
        refusal.words = _WORDS.get(refusal.code)
    return refusal


def _to_out(
    person_id: UUID, name: str, outcome: Recorded | Left | Refusal
) -> StewardedOut | Refusal:
    if isinstance(outcome, Refusal):
        return _of_another(outcome)
    if isinstance(outcome, Recorded) and outcome.is_annulled:
        return CheckinAnnulled()
    checkin, award = outcome.result.checkin, outcome.result.award
    left_at = (
        outcome.result.checkin.checked_out_at if isinstance(outcome, Left) else outcome.left_at
    )
    return StewardedOut(
        checkin_id=checkin.id,
        activity_id=checkin.activity_id,
        session=checkin.session,
        person_id=person_id,
        display_name=name,
        checked_in_at=checkin.checked_in_at,
        checked_out_at=left_at,
        is_new=outcome.is_new,
        points=award and award.points,
        minutes=award and award.minutes,
        state=award and AwardState(award.state),
    )
