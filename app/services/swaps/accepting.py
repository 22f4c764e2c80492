"""Accepting an offer of a shift: both sign-ups change hands in one transaction.

The offer is locked, then the sign-ups in the order of their ids, then the activity, as by a
cancellation. A check-in locks the sign-up too: it is seen here, or finds that the place is gone.
Counters stay as they are. The times that the places hold are deleted and inserted for the other
person; two acceptances at once that need each other's deleted times are a deadlock, after which one
of them runs again.
"""

from collections.abc import Sequence
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.activities import Activity
from app.models.sessions import ActivitySession
from app.models.swaps import Swap, SwapState
from app.queries import activities as activity_queries
from app.queries import records as record_queries
from app.queries import shift_holds as hold_queries
from app.queries import swaps as queries
from app.queries.swaps import Shift
from app.schemas.swaps import SwapOut
from app.services import audit, eligibility, notify, records, shift_holds
from app.services.notify import Message
from app.services.swaps import admitting, listing, offering
from app.services.swaps.offering import MOVES, SwapNotFound, SwapWrongState


class OwnSwap(Refusal):
    code, status, title = "swaps.own", 403, "Own swap"
    zh, en = "不能接受自己的换班请求", "Nobody accepts an offer of their own."


class SwapStale(Refusal):
    code, status, title = "swaps.stale", 409, "Places changed hands"
    zh, en = "名额已取消或转给他人，无法换班", "The places are not theirs any more."


class SwapClash(Refusal):
    """Facts: the times of the session that is in the way."""

    code, status, title = "swaps.clash", 409, "Another shift then"
    zh, en = (
        "换班后会与已报名的另一班次冲突",
        "One of you has another shift at that time.",
    )
    fact_names = ("starts_at", "ends_at")


async def accept(tx: Session, caller: UUID, swap_id: UUID) -> SwapOut:
    """Accept an offer: the sign-ups change hands, other offers of these places end.

    Raises SwapNotFound, OwnSwap, SwapWrongState, SwapStale, ActivityNotOpen, ShiftBegun,
    ShiftAttended, NotEligible (under 14, without a guardian's consent), SwapClash; of a shift that
    is given away also what ``admitting.require`` raises.
    """
    swap = await record_queries.lock(tx, Swap, swap_id)
    if swap is not None and swap.created_by == caller:
        raise OwnSwap
    if swap is None or swap.asked_id not in {None, caller}:
        raise SwapNotFound
    if swap.state != SwapState.proposed:
        raise SwapWrongState(status=swap.state)
    places = [one for one in (swap.signup_id, swap.with_signup_id) if one is not None]
    signups = await queries.lock_signups(tx, places)
    offered, wanted = signups[swap.signup_id], None
    if swap.with_signup_id is not None:
        wanted = signups[swap.with_signup_id]
    if not offering.holds(offered, swap.created_by) or (
        wanted and not offering.holds(wanted, caller)
    ):
        raise SwapStale
    activity = await activity_queries.lock(tx, swap.activity_id)
    assert activity is not None, "a swap has an activity"
    shifts = await queries.shifts_of(tx, places)
    offering.require_ahead(activity, [one.session.starts_at for one in shifts.values()])
    await offering.require_unattended(tx, list(signups.values()))
    if wanted is None:
        await admitting.require(tx, caller, activity.id, offered.session, now())
    else:
        await eligibility.require_consent(tx, caller)
    await _require_free(tx, caller, shifts[offered.id].session, places)
    offered.person_id = caller
    if wanted is not None:
        await _require_free(tx, swap.created_by, shifts[wanted.id].session, places)
        wanted.person_id = swap.created_by
    for one in signups.values():
        one.given_at = None  # whoever swaps takes the place knowingly
    await _hand_over_times(tx, {one.id: one.person_id for one in signups.values()})
    await queries.save_signups(tx, list(signups.values()))
    swap.accepted_by = caller
    await records.move(tx, caller, swap, SwapState.accepted, MOVES, SwapWrongState)
    for one in signups.values():
        facts = audit.about("swap", swap.id) | {"person": str(one.person_id)}
        await audit.write_about(tx, caller, "changed", ("signup", one.id), swap.org_id, facts=facts)
    await offering.end(tx, await queries.others(tx, swap))
    await _tell_both(tx, swap, activity, shifts)
    return (await listing.shown(tx, caller, [swap]))[0]


async def _require_free(
    tx: Session, person_id: UUID, wanted: ActivitySession, but: Sequence[UUID]
) -> None:
    """Raise SwapClash for a person who has signed up for this shift already."""
    if await queries.has_signup(tx, person_id, wanted, but):
        raise SwapClash(starts_at=wanted.starts_at, ends_at=wanted.ends_at)


async def _hand_over_times(tx: Session, people: dict[UUID, UUID]) -> None:
    """Give the times that sign-ups hold to their new people. Raises SwapClash.

    The sign-ups are not written yet: a refusal leaves nothing behind, as it ends the transaction.
    """
    held = await hold_queries.lift(tx, people)
    moved = [one._replace(person_id=people[one.signup_id]) for one in held]
    for clash in (await shift_holds.hold(tx, moved)).values():
        raise SwapClash(starts_at=clash.facts["starts_at"], ends_at=clash.facts["ends_at"])


async def _tell_both(
    tx: Session, swap: Swap, activity: Activity, shifts: dict[UUID, Shift]
) -> None:
    """Tell each of the two of each shift that changed hands."""
    assert swap.accepted_by is not None, "who has accepted is told"
    takers = {swap.signup_id: swap.accepted_by, swap.with_signup_id: swap.created_by}
    messages = [
        Message(
            person,
            ("swap", swap.id),
            {
                "title": activity.title,
                "starts_at": shift.session.starts_at,
                "takes": takers[place] == person,
            },
        )
        for place, shift in sorted(shifts.items())
        for person in (swap.created_by, swap.accepted_by)
    ]
    await notify.send_each(tx, "swap_accepted", messages)
