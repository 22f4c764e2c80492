"""Attendance: who signed up to an activity and who came, for its organizers; removing somebody."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.models.activities import Activity
from app.models.awards import AwardState
from app.models.cards import masked_number
from app.models.checkouts import Checkout, Departure
from app.models.corrections import Correction
from app.models.people import Role
from app.models.signups import SignupStatus
from app.queries import activities as activity_queries
from app.queries import attendance as queries
from app.queries import friends as friend_queries
from app.queries import signups as signup_queries
from app.queries.attendance import AttendanceFilter, Attendee, Participant
from app.schemas.attendance import AttendeeOut, ParticipantOut
from app.schemas.signups import SignupOut
from app.services import activities, audit, notify, people, signups
from app.services.activities import ActivityNotFound
from app.services.people import CardGuesses, Forbidden
from app.services.signups import SignupNotFound

Row = TypeVar("Row")


class ParticipantCheckedIn(Refusal):
    code, status, title = "attendance.checked_in", 409, "Already checked in"
    zh, en = "该居民已签到，不能取消其报名", "This person has checked in, so the sign-up stays."
    fact_names = ("checked_in_at",)


class OwnSignup(Refusal):
    code, status, title = "attendance.own", 403, "Own sign-up"
    zh, en = "本人的报名请自行取消", "Cancel your own sign-up instead."


async def list_signups(
    tx: Session,
    caller: UUID,
    activity_id: UUID,
    status: SignupStatus | None,
    q: str | None,
    card_no: str | None,
    guesses: CardGuesses,
    asked: PageParams,
) -> Page[ParticipantOut]:
    """Return the sign-ups of an activity in their order; without ``status`` those that stand.

    For whom names are masked there is no search by name (``q``).

    Raises ActivityNotFound, Forbidden, Invalid, what ``guesses`` raises; PersonNotFound for a card
    of none of them.
    """
    activity, masks = await readable(tx, caller, activity_id)
    wanted = await _filter(q, card_no, guesses, masks=masks)

    async def read(after: UUID | None, limit: int) -> list[ParticipantOut]:
        rows = await queries.signups(tx, activity.id, wanted, status, after, limit)
        came = await queries.first_checkins(tx, activity.id, [row[0].person_id for row in rows])
        return [_participant(row, came.get(row[0].person_id), masks=masks) for row in rows]

    found = await by_id(asked, read, lambda out: out)
    return await _known(found, card_no, guesses)


async def list_checkins(
    tx: Session,
    caller: UUID,
    activity_id: UUID,
    state: AwardState | None,
    q: str | None,
    card_no: str | None,
    guesses: CardGuesses,
    asked: PageParams,
) -> Page[AttendeeOut]:
    """Return the check-ins of an activity in their order; ``state``: of their awards.

    For whom names are masked there is no search by name (``q``).

    Raises ActivityNotFound, Forbidden, Invalid, what ``guesses`` raises; PersonNotFound for a card
    of none of them.
    """
    activity, masks = await readable(tx, caller, activity_id)
    wanted = await _filter(q, card_no, guesses, masks=masks)

    async def read(after: UUID | None, limit: int) -> list[AttendeeOut]:
        rows = await queries.checkins(tx, activity.id, wanted, state, after, limit)
        ids = [row[0].id for row in rows]
        left, corrected = await queries.checkouts(tx, ids), await queries.corrections(tx, ids)
        people_there = [row[0].person_id for row in rows]
        friends = await friend_queries.named(tx, activity.id, people_there)
        return [
            _attendee(
                row,
                left.get(row[0].id),
                corrected.get(row[0].id),
                friends.get((row[0].person_id, row[0].session))
                or friends.get((row[0].person_id, 0)),
                masks=masks,
            )
            for row in rows
        ]

    found = await by_id(asked, read, lambda out: out)
    return await _known(found, card_no, guesses)


async def remove(tx: Session, caller: UUID, signup_id: UUID, reason: str) -> SignupOut:
    """Cancel somebody's sign-up; the first who waits gets the place, and both a notice.

    Idempotent. Raises Forbidden, SignupNotFound, OwnSignup, ParticipantCheckedIn,
    TooLateToCancel.
    """
    found = await signup_queries.lock(tx, signup_id)
    if found is None:
        raise SignupNotFound
    try:
        activity = await activities.co_organized(tx, caller, found.activity_id)
    except ActivityNotFound:
        raise SignupNotFound from None
    if await people.is_any_of(tx, caller, found.person_id):
        raise OwnSignup
    before = await signups.end(tx, found, ParticipantCheckedIn, own=False)
    if before is not None:
        await audit.write_about(
            tx,
            caller,
            "removed",
            ("signup", signup_id),
            activity.org_id,
            before=before,
            after=SignupStatus.cancelled,
            reason=reason,
            facts=audit.about("activity", activity.id) | {"person": str(found.person_id)},
        )
        facts = {"title": activity.title, "starts_at": activity.starts_at, "reason": reason}
        subject = ("activity", activity.id)
        await notify.send(tx, found.person_id, "attendance_removed", subject, **facts)
    shown = SignupOut.model_validate(found)
    return shown.model_copy(update={"status": SignupStatus.cancelled, "position": None})


async def readable(tx: Session, caller: UUID, activity_id: UUID) -> tuple[Activity, bool]:
    """Return an activity, and whether names are masked: for auditors who do not organize it.

    Raises ActivityNotFound; Forbidden for who holds the role of an organizer nowhere.
    """
    try:
        return await activities.co_organized(tx, caller, activity_id), False
    except (ActivityNotFound, Forbidden):
        activity = await activity_queries.find(tx, activity_id)
        if activity and await people.holds(tx, caller, [Role.auditor], activity.org_path):
            return activity, True
        raise


async def _filter(
    q: str | None, card_no: str | None, guesses: CardGuesses, *, masks: bool
) -> AttendanceFilter:
    if masks:
        people.require_no_name(q)
    if card_no is None:
        return AttendanceFilter(q)
    await guesses.admit()
    return AttendanceFilter(q, people.serial_named(card_no, "query.card_no"))


async def _known(found: Page[Row], card_no: str | None, guesses: CardGuesses) -> Page[Row]:
    """Return a page. Raises PersonNotFound if a card was asked for that nobody there has.

    It counts as a guess: what the list masks of a number is not to be found out by trying.
    """
    if card_no is not None and not found.items:
        await guesses.count(1)
        raise people.PersonNotFound
    return found


def _participant(
    row: Participant, checked_in_at: datetime | None, *, masks: bool
) -> ParticipantOut:
    signup, name, serial, position = row
    return ParticipantOut(
        **signup.model_dump(exclude={"activity_id", "queue_number", "friend_names"}),
        friend_names=_friends(signup.friend_names, masks=masks),
        display_name=people.masked(name) if masks else name,
        card_no=masked_number(serial),
        position=position,
        checked_in_at=checked_in_at,
    )


def _friends(names: str | None, *, masks: bool) -> str | None:
    """Join the names of friends, which are kept one a line."""
    if names is None:
        return None
    return "、".join(people.masked(one) if masks else one for one in names.splitlines())


def _attendee(
    row: Attendee,
    checkout: Checkout | None,
    corrected: Correction | None,
    friends: str | None,
    *,
    masks: bool,
) -> AttendeeOut:
    checkin, name, serial, award = row
    left_at = corrected.left_at if corrected else checkout and checkout.left_at
    return AttendeeOut(
        **checkin.model_dump(exclude={"activity_id", "checked_in_at", "award_id"}),
        display_name=people.masked(name) if masks else name,
        card_no=masked_number(serial),
        checked_in_at=(corrected and corrected.came_at) or checkin.came_at or checkin.checked_in_at,
        checked_out_at=left_at,
        friend_names=_friends(friends, masks=masks),
        departure=checkout and Departure(checkout.departure),
        is_annulled=corrected is not None and corrected.came_at is None,
        correction=corrected and corrected.reason,
        award_id=award and award.id,
        points=award.points if award else 0,
        minutes=award.minutes if award else 0,
        state=AwardState(award.state) if award else None,
    )
