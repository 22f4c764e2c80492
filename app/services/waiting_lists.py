"""Places of activities and sessions, and who moves up in their waiting lists, or back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.models.activities import ActivityStatus, SignupFor
from app.models.notices import NoticeKind
from app.models.signups import MOST_FRIENDS, SignupStatus
from app.queries import shift_holds
from app.queries import signups as signup_queries
from app.queries import waiting_lists as queries
from app.queries.waiting_lists import Moved, Seats, SessionSeats, Waiting
from app.schemas.signup_terms import SignupTermsIn, terms_of
from app.services import notify
from app.services.notify import Message


@dataclass(frozen=True, slots=True)
class Room:
    """What a sign-up takes places of: an activity, and the session if it is for one alone."""

    seats: Seats
    session: SessionSeats | None = None

    @property
    def own(self) -> Seats | SessionSeats:
        """That of the two which has the times and the waiting list."""
        return self.session or self.seats

    @property
    def parts(self) -> list[Seats | SessionSeats]:
        return [self.seats] if self.session is None else [self.seats, self.session]

    @property
    def sessions(self) -> list[SessionSeats]:
        return [] if self.session is None else [self.session]

    @property
    def number(self) -> int:
        return self.session.number if self.session else 0

    @property
    def terms(self) -> SignupTermsIn:
        return terms_of(self.seats.signup_terms)

    @property
    def holds_time(self) -> bool:
        """Whether a place may not clash with another shift."""
        return self.session is not None and self.session.is_shift and self.terms.no_clash

    def has(self, places: int) -> bool:
        """Whether the next sign-up gets places: while people wait, a free place is theirs."""
        free = self.free()
        return (free is None or free >= places) and self.own.signups_waitlisted == 0

    def free(self) -> int | None:
        """Return how many places are free; None: any number."""
        return least(*(_free(one) for one in self.parts))

    def take(self, places: int) -> None:
        """Take places; negative: give them back."""
        for one in self.parts:
            one.signups_confirmed += places

    def wait(self, people: int) -> None:
        """Let so many more sign-ups wait; negative: fewer."""
        for one in self.parts:
            one.signups_waitlisted += people

    def offer_until(self, at: datetime) -> datetime | None:
        """Until when a place that is free now is offered; None: it is given at once."""
        minutes = self.terms.offer_minutes
        if minutes is None:
            return None
        latest = self.own.starts_at if at < self.own.starts_at else self.own.ends_at
        return min(at + timedelta(minutes=minutes), latest)


def enter(room: Room, places: int) -> tuple[SignupStatus, int | None, int | None]:
    """Take places, or a number in the waiting list; return status, number, waiting position."""
    if room.has(places):
        room.take(places)
        return SignupStatus.confirmed, None, None
    room.wait(1)
    room.own.last_queue_number += 1
    return SignupStatus.waitlisted, room.own.last_queue_number, room.own.signups_waitlisted


def least(*numbers: int | None) -> int | None:
    return min((one for one in numbers if one is not None), default=None)


def _free(one: Seats | SessionSeats) -> int | None:
    return None if one.capacity is None else one.capacity - one.signups_confirmed


def seats_of(row: Mapping[str, Any]) -> Seats:
    """Return the places of an activity by its row, which is not locked."""
    known = {one.name for one in fields(Seats)} - {"has_form"}
    return Seats(**{name: row[name] for name in known})


async def lock(tx: Session, activity_id: UUID, session: int) -> tuple[Room, list[SessionSeats]]:
    """Lock what a sign-up takes places of.

    Return also all the sessions to which a place of it may go when it is given back: others than
    its own where the activity has fewer places than they have together.
    """
    seats = (await queries.lock_seats(tx, [activity_id]))[activity_id]
    if not session:
        return Room(seats), []
    if seats.capacity is None:
        locked = await queries.lock_sessions(tx, [(activity_id, session)])
    else:
        locked = await queries.lock_all_sessions(tx, [activity_id])
    return Room(seats, locked[activity_id, session]), list(locked.values())


async def sessions_of(tx: Session, seats: Seats) -> list[SessionSeats]:
    """Lock the sessions of a locked activity, if people sign up to them singly."""
    if seats.signup_for != SignupFor.session:
        return []
    return list((await queries.lock_all_sessions(tx, [seats.id])).values())


async def save(tx: Session, seats: Seats, sessions: Sequence[SessionSeats]) -> None:
    """Write the counters of a locked activity and of locked sessions."""
    await queries.set_counters(tx, [seats])
    if sessions:
        await queries.set_session_counters(tx, sessions)


async def fill(
    tx: Session, seats: Seats, sessions: Sequence[SessionSeats], at: datetime
) -> list[Moved]:
    """Give the free places to the first who wait; they get a notice. The counters are not saved.

    ``sessions``: locked ones; without any the places are those of the activity as a whole. Nobody
    moves up in a session that has begun.
    """
    rooms = {one.number: Room(seats, one) for one in sessions if at < one.starts_at}
    if not sessions:
        rooms = {0: Room(seats)}
    lists = [_waiting(room, at) for room in rooms.values() if room.own.signups_waitlisted]
    lists = [one for one in lists if one.free > 0]
    total = _places(_free(seats), seats.signups_waitlisted)
    if not lists or total <= 0 or seats.status != ActivityStatus.published:
        return []
    moved = await queries.promote(tx, seats.id, lists, total, at)
    for one in moved:
        rooms[one.session].take(one.places)
        rooms[one.session].wait(-1)
    if moved:
        facts = await signup_queries.title_and_start(tx, seats.id)
        await _tell(tx, seats.id, moved, {one.session: one for one in lists}, rooms, facts["title"])
    return moved


async def fill_session(tx: Session, activity_id: UUID, number: int, at: datetime) -> bool:
    """Give the free places of a session to who waits, counters saved; return whether any were."""
    room, sessions = await lock(tx, activity_id, number)
    moved = await fill(tx, room.seats, sessions, at)
    if moved:
        await save(tx, room.seats, sessions)
    return bool(moved)


def _waiting(room: Room, at: datetime) -> Waiting:
    free = _places(room.free(), room.own.signups_waitlisted)
    shift = room.session if room.holds_time else None
    begins, ends = (shift.starts_at, shift.ends_at) if shift else (None, None)
    return Waiting(room.number, free, begins, ends, room.offer_until(at))


def _places(free: int | None, waiting: int) -> int:
    """Return how many places can be given to so many sign-ups at most."""
    return waiting * (1 + MOST_FRIENDS) if free is None else free


async def _tell(
    tx: Session,
    activity_id: UUID,
    moved: Sequence[Moved],
    lists: Mapping[int, Waiting],
    rooms: Mapping[int, Room],
    title: str,
) -> None:
    for session in sorted({one.session for one in moved}):
        people = [one.person_id for one in moved if one.session == session]
        facts: dict[str, Any] = {"title": title, "starts_at": rooms[session].own.starts_at}
        kind: str = NoticeKind.promoted
        if until := lists[session].offer_until:
            kind, facts["offer_until"] = "signup_offered", until
        messages = [Message(person, ("activity", activity_id), facts) for person in people]
        await notify.send_each(tx, kind, messages)


async def put_back(
    tx: Session, seats: Seats, sessions: Sequence[SessionSeats], places: int
) -> bool:
    """Free so many places: the latest who have them go to the head of the waiting list, told so.

    The counters are not saved. False if fewer can be freed: the others have checked in.
    """
    rooms = {one.number: Room(seats, one) for one in sessions} or {0: Room(seats)}
    lasts = {number: room.own.last_queue_number for number, room in rooms.items()}
    moved = await queries.put_back(tx, seats.id, lasts, places)
    for one in moved:
        rooms[one.session].take(-one.places)
        rooms[one.session].wait(1)
    if moved:
        facts = await signup_queries.title_and_start(tx, seats.id)
        people = [one.person_id for one in moved]
        await notify.send(tx, people, "activity_waitlisted", ("activity", seats.id), **facts)
    return sum(one.places for one in moved) >= places


async def release(
    tx: Session,
    room: Room,
    sessions: Sequence[SessionSeats],
    freed: Collection[tuple[UUID, int]],
    at: datetime,
) -> None:
    """Free the places (sign-up, number) that were given back, pass them on, save the counters.

    Once it has begun nobody is promoted: they could not come any more.
    """
    room.take(-sum(places for _, places in freed))
    if room.session is not None and room.session.is_shift:
        await shift_holds.end(tx, [signup for signup, _ in freed])
    if at < room.own.starts_at:
        await fill(tx, room.seats, sessions, at)
    await save(tx, room.seats, sessions)


async def pass_over(
    tx: Session, room: Room, sessions: Sequence[SessionSeats], at: datetime
) -> None:
    """Let one sign-up fewer wait, give what it kept free to the next, save the counters.

    It keeps a place free if it needs more places than that, or if the place became free while its
    cancellation waited for the locks: then it was not promoted, and others began to wait behind it.
    """
    room.wait(-1)
    if at < room.own.starts_at:
        await fill(tx, room.seats, sessions, at)
    await save(tx, room.seats, sessions)
