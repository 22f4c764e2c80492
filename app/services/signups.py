"""Sign-ups: claiming a place, waiting for one, giving it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.paging import Page, PageParams, by_id
from app.models.activities import ActivityStatus
from app.models.signups import SignupStatus
from app.queries import outbox
from app.queries import signups as queries
from app.queries.signups import NewSignup, Seats, SignupRow
from app.schemas.signups import SignupOut
from app.services.activities import ActivityNotFound, ActivityNotOpen


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
            title = await queries.title_of(tx, found.activity_id)
            await outbox.put(
                tx,
                "notices.promoted",
                {"person_id": str(promoted), "text": f"候补成功：您已获得「{title}」的名额"},
            )
    elif before == SignupStatus.waitlisted:
        seats.signups_waitlisted -= 1
    await queries.set_counters(tx, [seats])


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
