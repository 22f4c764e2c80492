"""Sign-ups: claiming a place, the waiting list, cancelling."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.language import Bilingual
from app.core.paging import Page, PageParams, by_id
from app.models.activities import ActivityStatus
from app.models.notices import NoticeKind
from app.models.signups import SignupStatus
from app.queries import browsing as browsing_queries
from app.queries import signups as queries
from app.queries.signups import NewSignup, Seats, SignupRow
from app.schemas.signups import MySignupOut, SignupOut
from app.services import notify
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.notify import Message


class SignupsClosed(Refusal):
    code, status, title = "signups.closed", 409, "Sign-up closed"
    zh, en = "不在报名时间内", "Sign-up is not open at this time."
    fact_names = ("opens_at", "closes_at")

    def sentence(self) -> Bilingual:
        if now() >= self.facts["closes_at"]:
            return Bilingual("报名已截止", "Sign-up is over.")
        return Bilingual("报名尚未开始", "Sign-up is not open yet.")


class SignupNotFound(Refusal):
    code, status, title = "signups.not_found", 404, "No such sign-up"
    zh, en = "报名记录不存在", "There is no such sign-up."


class AlreadyCheckedIn(Refusal):
    code, status, title = "signups.checked_in", 409, "Already checked in"
    zh, en = "已签到，不能取消报名", "You have checked in; the sign-up cannot be cancelled."
    fact_names = ("checked_in_at",)


class TooLateToCancel(Refusal):
    code, status, title = "signups.too_late_to_cancel", 409, "Too late to cancel"
    zh, en = "活动已开始，不能取消报名", "The activity has begun; a place cannot be given back."
    fact_names = ("closes_at",)


class NotSignedUp(Refusal):
    """``status``: the caller's sign-up is ``waitlisted`` or ``cancelled``; without it: none."""

    code, status, title = "checkins.not_signed_up", 403, "Not signed up"
    zh, en = "您未报名或未获得名额", "You have no confirmed place at this activity."
    fact_names = ("status", "position")

    def sentence(self) -> Bilingual:
        return _NOT_SIGNED_UP[self.facts.get("status")]


_NOT_SIGNED_UP = {
    None: Bilingual("您未报名此活动", "You have not signed up to this activity."),
    SignupStatus.waitlisted: Bilingual(
        "您还在候补，未获得名额", "You are on the waiting list and have no place yet."
    ),
    SignupStatus.cancelled: Bilingual("您的报名已取消", "Your sign-up was cancelled."),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A command: a place for the person at the activity, or one in the waiting list."""

    activity_id: UUID
    person_id: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    signup: SignupOut
    is_new: bool


def conflict_keys(one: Claim) -> Iterable[Hashable]:
    """Return what two claims of one batch may not share: the person."""
    return (one.person_id,)


async def claim(tx: Session, claims: Sequence[Claim], at: datetime) -> list[Claimed | Refusal]:
    """Claim places in the order of the batch, in a fixed number of statements.

    ``at``: the checked clock (``moments.checked_now``), as nothing is posted.
    Precondition: no two claims share a conflict key. The rows of the activities are locked, so
    their counters cannot change concurrently; a CHECK on the counters also prevents oversold
    places. Outcomes: Claimed (with the existing sign-up for a repeated claim), or
    ActivityNotFound, ActivityNotOpen, SignupsClosed.
    """
    seats = await queries.lock_seats(tx, sorted({one.activity_id for one in claims}))
    known = await queries.living(tx, [(one.activity_id, one.person_id) for one in claims])
    outcomes: list[Claimed | Refusal] = []
    made: list[NewSignup] = []
    for one in claims:
        if row := known.get((one.activity_id, one.person_id)):
            outcomes.append(Claimed(SignupOut.model_validate(row), is_new=False))
            continue
        refused = refusal(seats.get(one.activity_id), at)
        if refused is not None:
            outcomes.append(refused)
            continue
        signup, position = _take(seats[one.activity_id], one.person_id, at)
        made.append(signup)
        row = SignupRow(
            signup.id, signup.activity_id, signup.person_id, signup.status, at, position
        )
        outcomes.append(Claimed(SignupOut.model_validate(row), is_new=True))
    if made:
        await queries.insert(tx, made)
        await queries.set_counters(tx, [seats[i] for i in sorted({m.activity_id for m in made})])
    return outcomes


async def cancel(tx: Session, person_id: UUID, signup_id: UUID) -> None:
    """Cancel; the first of the waiting list gets the place and a notice. Idempotent.

    A place can be given back until the activity begins: afterwards it would hide an absence, and
    promote somebody who cannot come any more. Nobody is promoted into a cancelled activity.
    Who only waits may leave at any time.

    Raises SignupNotFound, AlreadyCheckedIn, TooLateToCancel.
    """
    found = await queries.lock_own(tx, signup_id, person_id)
    if found is None:
        raise SignupNotFound
    await end(tx, found, AlreadyCheckedIn)


async def end(tx: Session, found: SignupRow, attended: type[Refusal]) -> SignupStatus | None:
    """Cancel a locked sign-up; return its status before, None if it was cancelled already.

    Raises ``attended`` for who has checked in, TooLateToCancel.
    """
    seats = (await queries.lock_seats(tx, [found.activity_id]))[found.activity_id]
    came_at = await queries.checked_in_at(tx, found.activity_id, found.person_id)
    if came_at is not None:
        raise attended(checked_in_at=came_at)
    at = now()  # not earlier: the locks may have been waited for
    takes_place = seats.status != ActivityStatus.cancelled
    if found.status == SignupStatus.confirmed and takes_place and at >= seats.starts_at:
        raise TooLateToCancel(closes_at=seats.starts_at)
    before = await queries.cancel(tx, found.id, at)
    if before is None:
        return None
    if before == SignupStatus.confirmed:
        seats.signups_confirmed -= 1
        if takes_place:
            await fill(tx, seats, 1)
    elif before == SignupStatus.waitlisted:
        seats.signups_waitlisted -= 1
    await queries.set_counters(tx, [seats])
    return SignupStatus(before)


async def hand_over(tx: Session, absorbed: UUID, kept: UUID, at: datetime) -> None:
    """Give a person's sign-ups to another account of the same person.

    Those to what is not over, and without a check-in. Of two to one activity the better one stays.
    """
    ahead = await queries.lock_ahead(tx, absorbed, at)
    if not ahead:
        return
    await queries.lock_seats(tx, sorted({one.activity_id for one in ahead}))
    theirs = await queries.living(tx, [(one.activity_id, kept) for one in ahead])
    given = []
    for one in ahead:
        other = theirs.get((one.activity_id, kept))
        if other is None:
            given.append(one.id)
            continue
        is_better = one.status == SignupStatus.confirmed != other.status
        ended = other if is_better else one
        with suppress(AlreadyCheckedIn, TooLateToCancel):
            await cancel(tx, ended.person_id, ended.id)
            given += [one.id] if is_better else []
    await queries.give_to(tx, given, kept)


async def fill(tx: Session, seats: Seats, number: int) -> None:
    """Give so many places that are free to the first who wait; they get a notice."""
    promoted = await queries.promote_first(tx, seats.id, number)
    seats.signups_waitlisted -= len(promoted)
    seats.signups_confirmed += len(promoted)
    if promoted:
        facts = await queries.title_and_start(tx, seats.id)
        await notify.send(tx, promoted, NoticeKind.promoted, ("activity", seats.id), **facts)


async def put_back(tx: Session, seats: Seats, number: int) -> bool:
    """Move so many of the latest places to the head of the waiting list, with a notice.

    False if fewer can be moved: the others have checked in.
    """
    moved = await queries.put_back_latest(tx, seats, number)
    seats.signups_confirmed -= len(moved)
    seats.signups_waitlisted += len(moved)
    if moved:
        facts = await queries.title_and_start(tx, seats.id)
        await notify.send(tx, moved, "activity_waitlisted", ("activity", seats.id), **facts)
    return len(moved) == number


async def remind(tx: Session, at: datetime, limit: int) -> int:
    """Remind people of tomorrow's activities at which they have a place; return how many.

    One reminder for a sign-up and a day: the row that records it and the message are written in
    one transaction, and of concurrent workers only one inserts the row.
    """
    tomorrow = local_date(at) + timedelta(days=1)
    reminded = await queries.remind(tx, tomorrow, limit)
    messages = [
        Message(
            one.person_id,
            ("activity", one.activity_id),
            {"title": one.title, "starts_at": one.starts_at},
        )
        for one in reminded
    ]
    await notify.send_each(tx, NoticeKind.activity_tomorrow, messages)
    return len(messages)


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[MySignupOut]:
    """Return the person's sign-ups, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        MySignupOut.model_validate,
    )


async def placeless(tx: Session, pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, NotSignedUp]:
    """Return the refusals of people without a place, with what they have instead."""
    parts = await browsing_queries.parts(tx, pairs)
    ended = await browsing_queries.cancelled(tx, pairs)

    def refusal(pair: tuple[UUID, UUID]) -> NotSignedUp:
        if status := parts[pair].status:
            return NotSignedUp(status=status, position=parts[pair].position)
        return NotSignedUp(status=SignupStatus.cancelled) if pair in ended else NotSignedUp()

    return {pair[1]: refusal(pair) for pair in pairs}


def seats_of(row: Mapping[str, Any]) -> Seats:
    """Return the places of an activity by its row, which is not locked."""
    return Seats(**{one.name: row[one.name] for one in fields(Seats)})


def refusal(seats: Seats | None, at: datetime) -> Refusal | None:
    """Return what a new sign-up is refused with, None if it is accepted."""
    if seats is None or seats.status == ActivityStatus.draft:
        return ActivityNotFound()
    if seats.status != ActivityStatus.published or at >= seats.ends_at:
        return ActivityNotOpen(status=seats.status, ends_at=seats.ends_at)
    if not seats.signup_opens_at <= at < seats.signup_closes_at:
        return SignupsClosed(opens_at=seats.signup_opens_at, closes_at=seats.signup_closes_at)
    return None


def has_place(seats: Seats) -> bool:
    """Whether the next sign-up gets a place: while people wait, a free place is theirs."""
    free = seats.capacity is None or seats.signups_confirmed < seats.capacity
    return free and seats.signups_waitlisted == 0


def _take(seats: Seats, person_id: UUID, at: datetime) -> tuple[NewSignup, int | None]:
    """Take a place or a queue number; return the sign-up and its waiting position."""
    if has_place(seats):
        seats.signups_confirmed += 1
        status, number, position = SignupStatus.confirmed, None, None
    else:
        seats.signups_waitlisted += 1
        seats.last_queue_number += 1
        status, number = SignupStatus.waitlisted, seats.last_queue_number
        position = seats.signups_waitlisted
    return NewSignup(new_id(), seats.id, person_id, status, number, at), position
