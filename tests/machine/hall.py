"""What sign-ups to an activity come to, by the rules alone: the model of ``SignupMachine``."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.machine.model import Refused

HELD = ("confirmed", "offered")


@dataclass
class Entry:
    """A sign-up. ``order``: of all sign-ups; ``number``: in the waiting list of its session."""

    person: int
    session: int
    friends: int
    order: int
    status: str = "cancelled"
    number: int = 0
    offer_until: datetime | None = None

    @property
    def places(self) -> int:
        return 1 + self.friends


@dataclass
class Hall:
    """An activity. ``sessions``: the capacity of each; without any: session 0 is the whole."""

    capacity: int | None
    sessions: dict[int, int]
    friends: int
    offer: timedelta | None
    approves: bool
    overlap: bool  # the sessions are shifts at one time
    now: datetime
    entries: list[Entry] = field(default_factory=list)
    last: dict[int, int] = field(default_factory=dict)

    def living(self, person: int, session: int) -> Entry | None:
        found = [
            one
            for one in self.entries
            if (one.person, one.session) == (person, session) and one.status != "cancelled"
        ]
        return found[0] if found else None

    def taken(self, session: int | None = None) -> int:
        return sum(
            one.places
            for one in self.entries
            if one.status in HELD and session in (None, one.session)
        )

    def waiting(self, session: int | None = None) -> list[Entry]:
        found = [
            one
            for one in self.entries
            if one.status == "waitlisted" and session in (None, one.session)
        ]
        return sorted(found, key=lambda one: (one.number, one.order))

    def free(self, session: int) -> int:
        whole = 99 if self.capacity is None else self.capacity - self.taken()
        return min(whole, self.sessions[session] - self.taken(session)) if session else whole

    def clashes(self, person: int) -> bool:
        return self.overlap and any(
            one.person == person and one.status in HELD for one in self.entries
        )

    def position(self, entry: Entry) -> int | None:
        if entry.status != "waitlisted":
            return None
        return self.waiting(entry.session).index(entry) + 1

    def sign_up(self, person: int, session: int, friends: int) -> Entry:
        if known := self.living(person, session):
            return known
        capacities = [self.sessions[session]] if session else []
        capacities += [] if self.capacity is None else [self.capacity]
        if friends > min([self.friends, *(one - 1 for one in capacities)]):
            raise Refused("signups.too_many_friends")
        if self.clashes(person):
            raise Refused("signups.clash")
        entry = Entry(person, session, friends, len(self.entries))
        if self.approves:
            entry.status = "pending"
        else:
            self.enter(entry)
        self.entries.append(entry)
        return entry

    def enter(self, entry: Entry) -> None:
        """Give a place, or a number behind all who wait: nobody overtakes."""
        if self.free(entry.session) >= entry.places and not self.waiting(entry.session):
            entry.status = "confirmed"
            return
        self.last[entry.session] = self.last.get(entry.session, 0) + 1
        entry.status, entry.number = "waitlisted", self.last[entry.session]

    def decide(self, entry: Entry, *, approved: bool) -> Entry:
        if entry.status != "pending":
            raise Refused("signups.decided")
        if not approved:
            entry.status = "declined"
            return entry
        gets = self.free(entry.session) >= entry.places and not self.waiting(entry.session)
        if gets and self.clashes(entry.person):
            raise Refused("signups.clash")
        self.enter(entry)
        return entry

    def cancel(self, entry: Entry) -> None:
        if entry.status == "declined":
            raise Refused("signups.declined")
        if entry.status == "cancelled":
            return
        counted, entry.status = entry.status in (*HELD, "waitlisted"), "cancelled"
        if counted:  # who waits may keep a place free that is too few for it
            self.fill(self.reached(entry.session))

    def reached(self, session: int) -> list[int]:
        """Return the sessions to which a free place of this one may go."""
        return [session] if self.capacity is None or not session else sorted(self.sessions)

    def accept(self, entry: Entry) -> Entry:
        if entry.status == "confirmed":
            return entry
        if entry.status != "offered":
            raise Refused("signups.no_offer")
        entry.status = "confirmed"
        return entry

    def lapse(self) -> None:
        """End the offers that are over, session by session, and pass the places on."""
        over = [
            one
            for one in self.entries
            if one.status == "offered" and one.offer_until and one.offer_until <= self.now
        ]
        for one in over:
            one.status = "lapsing"
        for session in sorted({one.session for one in over}):
            # Those of later sessions still hold theirs.
            for one in over:
                one.status = "offered" if one.session > session else "cancelled"
            self.fill(self.reached(session))

    def fill(self, sessions: Iterable[int]) -> None:
        whole = 99 if self.capacity is None else self.capacity - self.taken()
        chosen: list[Entry] = []
        for session in sessions:
            places = self.free(session)
            for one in self.waiting(session):
                if self.clashes(one.person):
                    continue
                places -= one.places
                if places < 0:
                    break
                chosen.append(one)
        for one in sorted(chosen, key=lambda one: (one.number, one.order)):
            whole -= one.places
            if whole < 0:
                break
            if not self.clashes(one.person):
                one.status = "offered" if self.offer else "confirmed"
                one.offer_until = self.now + self.offer if self.offer else None

    def fill_shifts(self) -> None:
        if self.overlap:
            for session in sorted(self.sessions):
                if self.waiting(session) and self.free(session) > 0:
                    self.fill(self.reached(session))

    def resize(self, capacity: int | None) -> int:
        """Change the capacity; the latest go back to the heads of their lists: return how many."""
        if capacity == self.capacity:
            return 0
        self.capacity = capacity
        excess = 0 if capacity is None else self.taken() - capacity
        if excess <= 0:
            self.fill(sorted(self.sessions) or [0])
            return 0
        latest = sorted((e for e in self.entries if e.status in HELD), key=lambda e: -e.order)
        heads: dict[int, int] = {}
        moved = 0
        for one in latest:
            if excess <= 0:
                break
            listed = self.waiting(one.session)
            after = self.last.get(one.session, 0) + 1
            head = heads.setdefault(one.session, listed[0].number if listed else after)
            one.status, one.number, heads[one.session] = "waitlisted", head - 1, head - 1
            excess -= one.places
            moved += 1
        return moved
