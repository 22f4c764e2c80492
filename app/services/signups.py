"""Sign-ups: claiming a place, cancelling, and what each brings."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from uuid import UUID

from app.core.clock import local_date, now, years_before
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.language import Bilingual
from app.core.paging import Page, PageParams, by_id
from app.models.activities import ActivityStatus
from app.models.signups import SignupStatus
from app.queries import browsing as browsing_queries
from app.queries import shift_holds as hold_queries
from app.queries import signups as queries
from app.queries import waiting_lists as waiting_queries
from app.queries.shift_holds import NewHold
from app.queries.signups import Key, NewSignup, SignupRow, Standing
from app.queries.waiting_lists import Seats, SessionSeats
from app.schemas.signups import MySignupOut, SignupOut
from app.services import answers, eligibility, people, shift_holds, signup_terms, waiting_lists
from app.services.activities import ActivityNotFound
from app.services.signup_pauses import SignupsPaused
from app.services.signup_terms import AnswersMissing, NotAClass, OnlyChildren
from app.services.waiting_lists import Room


class SignupNotFound(Refusal):
    code, status, title = "signups.not_found", 404, "No such sign-up"
    zh, en = "报名记录不存在", "There is no such sign-up."


class AlreadyCheckedIn(Refusal):
    code, status, title = "signups.checked_in", 409, "Already checked in"
    zh, en = "已签到，不能取消报名", "You have checked in; the sign-up cannot be cancelled."
    fact_names = ("checked_in_at",)


class TooLateToCancel(Refusal):
    code, status, title = "signups.too_late_to_cancel", 409, "Too late to cancel"
    zh, en = "已过可取消报名的时间", "It is too late to give the place back."
    fact_names = ("closes_at",)


class NotSignedUp(Refusal):
    """``status``: the caller's sign-up, if it is not confirmed; without it: none."""

    code, status, title = "checkins.not_signed_up", 403, "Not signed up"
    zh, en = "您未报名或未获得名额", "You have no confirmed place at this activity."
    fact_names = ("status", "position")

    def sentence(self) -> Bilingual:
        return _NOT_SIGNED_UP.get(self.facts.get("status"), Bilingual(self.zh, self.en))


_NOT_SIGNED_UP = {
    None: Bilingual("您未报名此活动", "You have not signed up to this activity."),
    SignupStatus.waitlisted: Bilingual(
        "您还在候补，未获得名额", "You are on the waiting list and have no place yet."
    ),
    SignupStatus.pending: Bilingual("报名尚待审核", "Your sign-up waits for approval."),
    SignupStatus.offered: Bilingual("请先接受名额", "Accept the place that is offered first."),
    SignupStatus.declined: Bilingual("报名未通过审核", "Your sign-up was declined."),
    SignupStatus.cancelled: Bilingual("您的报名已取消", "Your sign-up was cancelled."),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A command: a place for the person, or one in the waiting list.

    ``session``: 0: at the activity as a whole. ``friends``: who come along, each in a place.
    """

    activity_id: UUID
    person_id: UUID
    session: int = 0
    friends: int = 0

    @property
    def key(self) -> Key:
        return self.activity_id, self.session, self.person_id


@dataclass(frozen=True, slots=True)
class Claimed:
    signup: SignupOut
    is_new: bool


# What is known of a claim: what came of it, or what it takes a place of.
Judged = Claimed | Refusal | Room


def conflict_keys(one: Claim) -> Iterable[Hashable]:
    """Return what two claims of one batch may not share: the person."""
    return (one.person_id,)


async def claim(tx: Session, claims: Sequence[Claim], at: datetime) -> list[Claimed | Refusal]:
    """Claim places in the order of the batch, in a fixed number of statements.

    ``at``: the checked clock (``moments.checked_now``), as nothing is posted.
    Precondition: no two claims share a conflict key. The rows of the activities are locked, then
    those of sessions, so their counters cannot change concurrently; CHECKs on the counters also
    prevent oversold places. Outcomes: Claimed (with the existing sign-up for a repeated claim), or
    one of ``signup_terms.REFUSALS``, of a child also NotAClass.
    """
    seats = await waiting_queries.lock_seats(tx, sorted({one.activity_id for one in claims}))
    named = sorted({(one.activity_id, one.session) for one in claims if one.session})
    sessions = await waiting_queries.lock_sessions(tx, named) if named else {}
    born_after = years_before(local_date(at), people.LEADERBOARD_MIN_AGE)
    found = await queries.standing(tx, [one.key for one in claims], at, born_after)
    judged = [
        _judge(one, seats, sessions, standing, at)
        for one, standing in zip(claims, found, strict=True)
    ]
    judged = await _admitted(tx, claims, judged)
    ids = [new_id() for _ in claims]
    held = await shift_holds.hold(tx, _wanted(claims, judged, ids))
    outcomes: list[Claimed | Refusal] = []
    made: list[NewSignup] = []
    rooms: dict[tuple[UUID, int], Room] = {}
    for signup_id, one, room in zip(ids, claims, judged, strict=True):
        if not isinstance(room, Room):
            outcomes.append(room)
        elif signup_id in held:
            outcomes.append(held[signup_id])
        else:
            signup, position = _take(room, one, signup_id, at)
            made.append(signup)
            rooms[one.activity_id, one.session] = room
            outcomes.append(Claimed(_shown(signup, position), is_new=True))
    if made:
        await _save(tx, made, rooms)
    return outcomes


async def _save(
    tx: Session, made: Sequence[NewSignup], rooms: dict[tuple[UUID, int], Room]
) -> None:
    keyed = sorted(rooms.items(), key=itemgetter(0))
    waits = [one for one in made if one.status != SignupStatus.confirmed]
    freed = [one.id for one in waits if rooms[one.activity_id, one.session].holds_time]
    if freed:
        await hold_queries.end(tx, freed)
    await queries.insert(tx, made)
    seats = {room.seats.id: room.seats for _, room in keyed}
    await waiting_queries.set_counters(tx, list(seats.values()))
    if sessions := [one for _, room in keyed for one in room.sessions]:
        await waiting_queries.set_session_counters(tx, sessions)


def _judge(
    one: Claim,
    seats: Mapping[UUID, Seats],
    sessions: Mapping[tuple[UUID, int], SessionSeats],
    found: Standing,
    at: datetime,
) -> Judged:
    if found.signup is not None:
        return Claimed(SignupOut.model_validate(found.signup), is_new=False)
    place = seats.get(one.activity_id)
    room = Room(place, sessions.get((one.activity_id, one.session))) if place else None
    refused = signup_terms.refusal(room, at)
    if room is None or refused is not None:
        return refused or ActivityNotFound()
    if room.seats.for_minors != found.is_child:
        return NotAClass() if found.is_child else OnlyChildren()
    return (
        signup_terms.wrong_session(room, one.session)
        or personal(found)
        or signup_terms.too_many_friends(room, one.friends)
        or room
    )


def personal(found: Standing) -> Refusal | None:
    """Return what a person is refused with by every activity; None: nothing."""
    if found.paused_until is not None:
        return SignupsPaused(until=found.paused_until)
    return eligibility.needs_guardian() if found.lacks_consent else None


async def _admitted(tx: Session, claims: Sequence[Claim], judged: Sequence[Judged]) -> list[Judged]:
    """Replace rooms by the refusals of who is not eligible, or has not answered a form."""
    rooms = [
        (one.person_id, room.seats)
        for one, room in zip(claims, judged, strict=True)
        if isinstance(room, Room)
    ]
    refused: dict[tuple[UUID, UUID], Refusal] = {}
    if asked := [(person, seats) for person, seats in rooms if seats.eligibility is not None]:
        refused |= await eligibility.refusals(tx, asked)
    if pairs := {(seats.id, person) for person, seats in rooms if seats.has_form}:
        for activity, person in await answers.missing(tx, pairs):
            refused.setdefault((person, activity), AnswersMissing())
    return [
        refused.get((one.person_id, one.activity_id), room) if isinstance(room, Room) else room
        for one, room in zip(claims, judged, strict=True)
    ]


def _wanted(
    claims: Sequence[Claim], judged: Sequence[Judged], ids: Sequence[UUID]
) -> list[NewHold]:
    return [
        NewHold(signup_id, one.person_id, room.own.starts_at, room.own.ends_at)
        for signup_id, one, room in zip(ids, claims, judged, strict=True)
        if isinstance(room, Room) and room.holds_time
    ]


def _take(room: Room, one: Claim, signup_id: UUID, at: datetime) -> tuple[NewSignup, int | None]:
    """Take places or a queue number; return the sign-up and its waiting position.

    Where an organizer approves sign-ups, nothing is taken yet.
    """
    status, number, position = SignupStatus.pending, None, None
    if not room.terms.needs_approval:
        status, number, position = waiting_lists.enter(room, 1 + one.friends)
    friends = one.friends
    made = NewSignup(
        signup_id, one.activity_id, one.session, one.person_id, status, number, friends, at
    )
    return made, position


def _shown(made: NewSignup, position: int | None) -> SignupOut:
    row = made._asdict() | {"position": position, "offer_until": None}
    return SignupOut.model_validate(row)


async def cancel(tx: Session, person_id: UUID, signup_id: UUID) -> None:
    """Cancel; the first of the waiting list gets the place and a notice. Idempotent.

    A place can be given back until the activity begins, or as long before as its terms say. Nobody
    is promoted into a cancelled activity. Who only waits, or was offered a place, may leave at any
    time.

    Raises SignupNotFound, AlreadyCheckedIn, TooLateToCancel.
    """
    found = await queries.lock_own(tx, signup_id, person_id)
    if found is None:
        raise SignupNotFound
    await end(tx, found, AlreadyCheckedIn)


async def end(
    tx: Session, found: SignupRow, attended: type[Refusal], *, own: bool = True
) -> SignupStatus | None:
    """Cancel a locked sign-up; return its status before, None if it was cancelled or declined.

    ``own``: its person does it, for whom the terms may set an earlier deadline than the start.
    Raises ``attended`` for who has checked in, TooLateToCancel.
    """
    room, sessions = await waiting_lists.lock(tx, found.activity_id, found.session)
    came_at = await queries.checked_in_at(tx, found)
    if came_at is not None:
        raise attended(checked_in_at=came_at)
    at = now()  # not earlier: the locks may have been waited for
    closes_at = signup_terms.cancels_until(room, own=own)
    takes_place = room.seats.status != ActivityStatus.cancelled
    if found.status == SignupStatus.confirmed and takes_place and at >= closes_at:
        raise TooLateToCancel(closes_at=closes_at)
    before = await queries.cancel(tx, found.id, at)
    if before is None:
        return None
    if before in (SignupStatus.confirmed, SignupStatus.offered):
        await waiting_lists.release(tx, room, sessions, [(found.id, 1 + found.friends)], at)
    elif before == SignupStatus.waitlisted:
        await waiting_lists.pass_over(tx, room, sessions, at)
    return SignupStatus(before)


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[MySignupOut]:
    """Return the person's sign-ups, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        MySignupOut.model_validate,
    )


async def placeless(tx: Session, pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, NotSignedUp]:
    """Return the refusals of people without a place, with what they have instead."""
    parts = await browsing_queries.parts(tx, pairs, now())
    ended = await browsing_queries.cancelled(tx, pairs)

    def refusal(pair: tuple[UUID, UUID]) -> NotSignedUp:
        if signups := parts[pair].signups:
            return NotSignedUp(status=signups[0].status, position=signups[0].position)
        return NotSignedUp(status=SignupStatus.cancelled) if pair in ended else NotSignedUp()

    return {pair[1]: refusal(pair) for pair in pairs}
