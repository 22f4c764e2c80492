"""Sign-ups: claiming a place, waiting for one, giving it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.paging import Page, PageParams, by_id
from app.models.activities import ActivityStatus
from app.models.notices import NoticeKind
from app.models.signups import SignupStatus
from app.queries import signups as queries
from app.queries.signups import NewSignup, Seats, SignupRow
from app.schemas.signups import SignupOut
from app.services import notify
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.notify import Message


class SignupsClosed(Refusal):
    code, status, title = "signups.closed", 409, "Sign-up closed"
    zh, en = "不在报名时间内", "Sign-up is not open at this time."
    fact_names = ("opens_at", "closes_at")


class SignupNotFound(Refusal):
    code, status, title = "signups.not_found", 404, "No such sign-up"
    zh, en = "报名记录不存在", "There is no such sign-up."


class AlreadyCheckedIn(Refusal):
    code, status, title = "signups.checked_in", 409, "Already checked in"
    zh, en = "已签到，不能取消报名", "You have checked in; the sign-up cannot be cancelled."


@dataclass(frozen=True, slots=True)
class Claim:
    """A command: a place at the activity for the person, or one in the waiting list."""

    activity_id: UUID
    person_id: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    signup: SignupOut
    is_new: bool


async def claim(tx: Session, claims: Sequence[Claim], at: datetime) -> list[Claimed | Refusal]:
    """Claim places in the order of the list, in a fixed number of statements.

    The activity's row is locked, so the counters that decide are nobody else's meanwhile;
    a CHECK on them stands behind that. Outcomes: Claimed (the same sign-up again for a
    second claim), or ActivityNotFound, ActivityNotOpen, SignupsClosed.
    """
    seats = await queries.lock_seats(tx, sorted({one.activity_id for one in claims}))
    known = await queries.living(tx, [(one.activity_id, one.person_id) for one in claims])
    outcomes: list[Claimed | Refusal] = []
    made: list[NewSignup] = []
    for one in claims:
        key = (one.activity_id, one.person_id)
        if key in known:
            outcomes.append(Claimed(SignupOut.model_validate(known[key]), is_new=False))
            continue
        refusal = _refusal(seats.get(one.activity_id), at)
        if refusal is not None:
            outcomes.append(refusal)
            continue
        signup, position = _take(seats[one.activity_id], one.person_id, at)
        made.append(signup)
        known[key] = SignupRow(
            signup.id, signup.activity_id, signup.person_id, signup.status, at, position
        )
        outcomes.append(Claimed(SignupOut.model_validate(known[key]), is_new=True))
    if made:
        await queries.insert(tx, made)
        await queries.set_counters(tx, [seats[i] for i in sorted({m.activity_id for m in made})])
    return outcomes


async def cancel(tx: Session, person_id: UUID, signup_id: UUID) -> None:
    """Give a place back; the first of the waiting list gets it and is told.

    Cancelling twice is the same as once. Raises SignupNotFound, AlreadyCheckedIn.
    """
    found = await queries.lock_own(tx, signup_id, person_id)
    if found is None:
        raise SignupNotFound
    seats = (await queries.lock_seats(tx, [found.activity_id]))[found.activity_id]
    if await queries.has_checked_in(tx, found.activity_id, person_id):
        raise AlreadyCheckedIn
    before = await queries.cancel(tx, signup_id, now())
    if before is None:
        return
    if before == SignupStatus.confirmed:
        promoted = await queries.promote_first(tx, found.activity_id)
        if promoted is None:
            seats.signups_confirmed -= 1
        else:
            seats.signups_waitlisted -= 1
            facts = await queries.title_and_start(tx, found.activity_id)
            subject = ("activity", found.activity_id)
            await notify.send(tx, promoted, NoticeKind.promoted, subject, **facts)
    elif before == SignupStatus.waitlisted:
        seats.signups_waitlisted -= 1
    await queries.set_counters(tx, [seats])


async def remind(tx: Session, at: datetime, limit: int) -> int:
    """Remind people of activities of tomorrow at which they have a place; return how many.

    Each is told once for a sign-up and a day: the row that notes it and the message are of
    one transaction, so a kill leaves both or none, and of two workers one inserts the row.
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


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[SignupOut]:
    """Return the person's sign-ups, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        SignupOut.model_validate,
    )


def _refusal(seats: Seats | None, at: datetime) -> Refusal | None:
    if seats is None or seats.status == ActivityStatus.draft:
        return ActivityNotFound()
    if seats.status != ActivityStatus.published or at >= seats.ends_at:
        return ActivityNotOpen(status=seats.status, ends_at=seats.ends_at)
    if not seats.signup_opens_at <= at < seats.signup_closes_at:
        return SignupsClosed(opens_at=seats.signup_opens_at, closes_at=seats.signup_closes_at)
    return None


def _take(seats: Seats, person_id: UUID, at: datetime) -> tuple[NewSignup, int | None]:
    """Take a seat or a number in the queue; return the sign-up and its waiting position.

    Nobody overtakes: while somebody waits, a free seat is theirs.
    """
    free = seats.capacity is None or seats.signups_confirmed < seats.capacity
    if free and seats.signups_waitlisted == 0:
        seats.signups_confirmed += 1
        status, number, position = SignupStatus.confirmed, None, None
    else:
        seats.signups_waitlisted += 1
        seats.last_queue_number += 1
        status, number = SignupStatus.waitlisted, seats.last_queue_number
        position = seats.signups_waitlisted
    return NewSignup(new_id(), seats.id, person_id, status, number, at), position
