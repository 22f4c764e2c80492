"""Offers of shifts: made, refused, withdrawn, and ended when the shift starts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.validation_messages import invalid
from app.models.activities import Activity, ActivityStatus
from app.models.signups import Signup, SignupStatus
from app.models.swaps import Swap
from app.models.swaps import SwapState as State
from app.queries import activities as activity_queries
from app.queries import records as record_queries
from app.queries import signups as signup_queries
from app.queries import swaps as queries
from app.queries.swaps import Shift
from app.schemas.swaps import SwapIn, SwapOut
from app.services import audit, eligibility, notify, records
from app.services.activities import ActivityNotOpen
from app.services.notify import Message
from app.services.sessions import NotOnShift, SessionNotFound
from app.services.swaps import listing

MOVES = {State.proposed: {State.accepted, State.refused, State.withdrawn, State.expired}}


class SwapNotFound(Refusal):
    code, status, title = "swaps.not_found", 404, "No such swap"
    zh, en = "换班请求不存在", "There is no such offer of a shift."


class SwapWrongState(records.WrongState):
    code = "swaps.wrong_state"


class SwapThere(Refusal):
    code, status, title = "swaps.there", 409, "Offered already"
    zh, en = "该班次已有待答复的换班请求", "This place is offered already: withdraw that first."


class ShiftBegun(Refusal):
    code, status, title = "swaps.begun", 409, "Shift begun"
    zh, en = "班次已开始，不能换班", "The shift has begun."
    fact_names = ("starts_at",)


class ShiftAttended(Refusal):
    """Else one place would admit two people, and pay both."""

    code, status, title = "swaps.checked_in", 409, "Checked in already"
    zh, en = "已签到，不能换班", "Who has checked in at a shift keeps it."


async def propose(tx: Session, caller: UUID, shift_id: UUID, body: SwapIn) -> SwapOut:
    """Offer one's place at a shift, in exchange for another's or to whoever takes it.

    Raises SessionNotFound, ActivityNotOpen, NotOnShift, NotEligible (under 14, without a guardian's
    consent), ShiftBegun, ShiftAttended, SwapThere, Invalid (the place asked for).
    """
    shift = await queries.shift(tx, shift_id)
    if shift is None:
        raise SessionNotFound
    own = await queries.place(tx, shift.session, caller)
    if own is None:
        raise NotOnShift
    await eligibility.require_consent(tx, caller)
    locked = await queries.lock_signups(tx, [own.id])
    if not holds(locked[own.id], caller):
        raise NotOnShift
    activity = await activity_queries.find(tx, own.activity_id)
    assert activity is not None, "a session has an activity"
    starts, places = [shift.session.starts_at], [own]
    asked = None
    if body.with_signup_id is not None:
        asked, wanted = await _asked_for(tx, own, body.with_signup_id)
        starts.append(wanted.session.starts_at)
        places.append(asked)
    require_ahead(activity, starts)
    await require_unattended(tx, places)
    if await queries.is_proposed(tx, own.id):
        raise SwapThere
    swap = Swap(
        org_id=activity.org_id,
        created_by=caller,
        activity_id=activity.id,
        shift_id=shift_id,
        signup_id=own.id,
        with_signup_id=asked.id if asked else None,
        asked_id=asked.person_id if asked else None,
        expires_at=min(starts),
    )
    await records.create(tx, caller, swap, **audit.about("activity", activity.id))
    if asked is not None:
        facts = {"title": activity.title, "starts_at": starts[1]}
        await notify.send(tx, asked.person_id, "swap_proposed", ("swap", swap.id), **facts)
    return (await listing.shown(tx, caller, [swap]))[0]


async def _asked_for(tx: Session, own: Signup, signup_id: UUID) -> tuple[Signup, Shift]:
    """Return another person's place at another shift of the activity. Raises Invalid."""
    asked = await queries.signup(tx, signup_id)
    shifts = await queries.shifts_of(tx, [signup_id])
    if (
        asked is None
        or asked.id not in shifts
        or asked.status != SignupStatus.confirmed
        or asked.activity_id != own.activity_id
        or asked.session == own.session
        or asked.person_id == own.person_id
    ):
        raise invalid(
            "body.with_signup_id",
            "不是他人在该活动另一班次的名额",
            "nobody's place at another shift",
        )
    return asked, shifts[asked.id]


def holds(signup: Signup, person_id: UUID) -> bool:
    """Whether a place is the person's."""
    return signup.person_id == person_id and signup.status == SignupStatus.confirmed


def require_ahead(activity: Activity, starts: Sequence[datetime]) -> None:
    """Raise ActivityNotOpen unless it is published, ShiftBegun if one of the shifts has begun."""
    if activity.status != ActivityStatus.published:
        raise ActivityNotOpen(
            status=activity.status, starts_at=activity.starts_at, ends_at=activity.ends_at
        )
    if now() >= min(starts):
        raise ShiftBegun(starts_at=min(starts))


async def require_unattended(tx: Session, places: Sequence[Signup]) -> None:
    """Raise ShiftAttended if somebody has checked in by one of the places."""
    for one in places:
        if await signup_queries.checked_in_at(tx, one) is not None:
            raise ShiftAttended


async def refuse(tx: Session, caller: UUID, swap_id: UUID) -> SwapOut:
    """Refuse an exchange that one was asked for. Raises SwapNotFound, SwapWrongState."""
    swap = await record_queries.lock(tx, Swap, swap_id)
    if swap is None or swap.asked_id != caller:
        raise SwapNotFound
    await records.move(tx, caller, swap, State.refused, MOVES, SwapWrongState)
    return await _told(tx, caller, swap, swap.created_by, "swap_refused")


async def withdraw(tx: Session, caller: UUID, swap_id: UUID) -> SwapOut:
    """Take one's own offer back. Raises SwapNotFound, SwapWrongState."""
    swap = await record_queries.lock(tx, Swap, swap_id)
    if swap is None or swap.created_by != caller:
        raise SwapNotFound
    await records.move(tx, caller, swap, State.withdrawn, MOVES, SwapWrongState)
    return await _told(tx, caller, swap, swap.asked_id, "swap_withdrawn")


async def expire(tx: Session, *, at: datetime, limit: int) -> int:
    """End the offers of shifts that have begun; who made them is told. Returns how many."""
    due = await queries.due(tx, at, limit)
    await end(tx, due)
    return len(due)


async def end(tx: Session, swaps: Sequence[Swap]) -> None:
    """End offers that nobody can accept any more; who made them is told."""
    titles = await queries.titles(tx, [one.activity_id for one in swaps])
    shifts = await queries.sessions(tx, [one.shift_id for one in swaps])
    for one in swaps:
        await records.move(tx, None, one, State.expired, MOVES, SwapWrongState)
    messages = [
        Message(
            one.created_by,
            ("swap", one.id),
            {
                "title": titles[one.activity_id],
                "starts_at": shifts[one.shift_id].session.starts_at,
            },
        )
        for one in swaps
    ]
    await notify.send_each(tx, "swap_expired", messages)


async def _told(
    tx: Session, caller: UUID, swap: Swap, person_id: UUID | None, kind: str
) -> SwapOut:
    """Tell the other of the two what has become of an offer; return it."""
    [out] = await listing.shown(tx, caller, [swap])
    shift = out.wanted if kind == "swap_withdrawn" and out.wanted else out.offered
    if person_id is not None:
        facts = {"title": out.activity_title, "starts_at": shift.starts_at}
        await notify.send(tx, person_id, kind, ("swap", swap.id), **facts)
    return out
