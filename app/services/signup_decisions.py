"""Decisions about sign-ups: where its terms ask for it, an organizer approves each."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.activities import Activity, ActivityStatus
from app.models.signups import SignupStatus
from app.queries import signups as queries
from app.queries.shift_holds import NewHold
from app.queries.signups import SignupRow
from app.schemas.signup_decisions import SignupDecisionIn
from app.schemas.signups import SignupOut
from app.services import (
    activities,
    audit,
    notify,
    people,
    shift_holds,
    signups,
    waiting_lists,
)
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.signups import SignupNotFound


class SignupDecided(Refusal):
    code, status, title = "signups.decided", 409, "Decided already"
    zh, en = "该报名无需审核或已处理", "The sign-up does not wait for a decision."
    fact_names = ("status",)


class OwnSignupDecided(Refusal):
    code, status, title = "signups.own", 403, "Own sign-up"
    zh, en = "本人的报名须由他人审核", "Somebody else must decide about your sign-up."


class SignupDeclined(Refusal):
    code, status, title = "signups.declined", 409, "Sign-up declined"
    zh, en = "报名未通过审核，无需取消", "The sign-up was declined; there is nothing to give back."


async def give_back(tx: Session, person_id: UUID, signup_id: UUID) -> None:
    """Cancel a sign-up at its person's wish. One that was declined stays so.

    Raises SignupDeclined, and what ``signups.cancel`` raises.
    """
    found = await queries.lock_own(tx, signup_id, person_id)
    if found is not None and found.status == SignupStatus.declined:
        raise SignupDeclined
    await signups.cancel(tx, person_id, signup_id)


async def decide(tx: Session, caller: UUID, signup_id: UUID, body: SignupDecisionIn) -> SignupOut:
    """Approve a sign-up, which gets a place or waits for one, or decline it with a reason.

    Raises SignupNotFound, Forbidden, OwnSignupDecided, SignupDecided, ActivityNotOpen, ShiftClash.
    """
    found = await queries.lock(tx, signup_id)
    if found is None:
        raise SignupNotFound
    try:
        activity = await activities.co_organized(tx, caller, found.activity_id)
    except ActivityNotFound:
        raise SignupNotFound from None
    await people.require_no_part(tx, caller, {found.person_id: OwnSignupDecided})
    if found.status != SignupStatus.pending:
        raise SignupDecided(status=found.status)
    if activity.status != ActivityStatus.published or now() >= activity.ends_at:
        raise ActivityNotOpen(status=activity.status, ends_at=activity.ends_at)
    decided = await (_approve(tx, found) if body.approved else _decline(tx, found))
    await audit.write_about(
        tx,
        caller,
        "approved" if body.approved else "rejected",
        ("signup", signup_id),
        activity.org_id,
        before=SignupStatus.pending,
        after=decided.status,
        reason=body.reason,
        facts=audit.about("activity", activity.id) | {"person": str(found.person_id)},
    )
    await _tell(tx, activity, found.person_id, decided, body.reason)
    return decided


async def _approve(tx: Session, found: SignupRow) -> SignupOut:
    room, _ = await waiting_lists.lock(tx, found.activity_id, found.session)
    status, number, position = waiting_lists.enter(room, 1 + found.friends)
    if room.holds_time and status == SignupStatus.confirmed:
        wanted = NewHold(found.id, found.person_id, room.own.starts_at, room.own.ends_at)
        for clash in (await shift_holds.hold(tx, [wanted])).values():
            raise clash
    await queries.change(tx, found.id, status, now(), number)
    await waiting_lists.save(tx, room.seats, room.sessions)
    shown = SignupOut.model_validate(found)
    return shown.model_copy(update={"status": status, "position": position})


async def _decline(tx: Session, found: SignupRow) -> SignupOut:
    await queries.change(tx, found.id, SignupStatus.declined, now())
    shown = SignupOut.model_validate(found)
    return shown.model_copy(update={"status": SignupStatus.declined})


async def _tell(
    tx: Session, activity: Activity, person_id: UUID, decided: SignupOut, reason: str | None
) -> None:
    facts = {"title": activity.title, "starts_at": activity.starts_at}
    subject = ("activity", activity.id)
    if decided.status == SignupStatus.declined:
        await notify.send(tx, person_id, "signup_declined", subject, **facts, reason=reason)
        return
    waits = decided.status == SignupStatus.waitlisted
    await notify.send(tx, person_id, "signup_approved", subject, **facts, waits=waits)
