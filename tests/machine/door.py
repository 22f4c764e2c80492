"""What presences come to, by the rules alone: the model of ``AttendanceMachine``.

Times are whole minutes since the beginning of the run, and so a time that counts is a set of
minutes. The rules are those of docs/decisions/0009 and 0045, the numbers those of POLICY.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.machine.model import Refused, require

OPENS, CLOSES = 30, 30  # before the start of a session, after its end
FORGOTTEN = 30  # minutes that count of who forgets to check out
HALF_HOUR = 30
POLICY = f"""
[programme]
name = "考勤状态机的积分办法"
unit = "points"
[caps]
day = 100
emergency_day = 100
month = 2000
year = 20000
[lots]
months = 1
[attendance]
forgotten_minutes = {FORGOTTEN}
[release.rotating_code]
[release.steward_scan]
[release.manual]
reviewers = 1
[rules.service]
name = "志愿服务"
category = "volunteer"
per = "hour"
points = 2
hours = true
[rules.extra]
name = "专业服务附加"
category = "volunteer"
per = "hour"
points = 4
[rules.talk]
name = "参加活动"
category = "activity"
per = "session"
points = 3
[[tiers]]
key = "sprout"
name = "青芽卡"
points_12m = 0
hours_12m = 0
benefits = "无"
"""


@dataclass(frozen=True)
class Paid:
    """What a rule pays: points and minutes of service for so many half hours of presence."""

    points: Callable[[int], int]
    minutes: Callable[[int], int]
    by_time: bool


RULES = {
    "service": Paid(lambda halves: halves, lambda halves: 30 * halves, by_time=True),
    "extra": Paid(lambda halves: 2 * halves, lambda halves: 0, by_time=True),
    "talk": Paid(lambda halves: 3, lambda halves: 0, by_time=False),
}


@dataclass(frozen=True)
class Session:
    number: int
    start: int
    end: int


@dataclass
class Event:
    """An activity; without sessions it is its own, with number 0."""

    rule: str
    checks_out: bool
    sessions: list[Session]
    invited: set[int]  # who has a place

    def at(self, now: int) -> Session:
        """Return the session that runs or opens, else that has just ended, else the next."""
        running = [one for one in self.sessions if one.start - OPENS <= now < one.end]
        ended = [one for one in self.sessions if one.end <= now < one.end + CLOSES]
        later = [one for one in self.sessions if now < one.start]
        found = running or ended or later or self.sessions
        return min(found, key=lambda one: (one.start, one.number))


@dataclass(eq=False)
class Presence:
    """``left``: None while the person is inside. ``came``: None once it was annulled."""

    person: int
    event: Event
    session: Session
    came: int | None
    is_walk_in: bool
    left: int | None = None
    is_over: bool = False  # there is a check-out, of whatever kind
    counted: frozenset[int] = frozenset()
    points: int = 0
    minutes: int = 0

    @property
    def is_open(self) -> bool:
        return self.event.checks_out and not self.is_over


@dataclass
class Door:
    events: list[Event]
    now: int = 0
    presences: list[Presence] = field(default_factory=list)  # in the order of their check-ins

    def of(self, person: int, event: Event) -> list[Presence]:
        return [one for one in self.presences if (one.person, one.event) == (person, event)]

    def come(
        self, person: int, event: Event, number: int | None = None, *, walks_in: bool = False
    ) -> tuple[Presence, bool]:
        """Return the presence, and whether it is a new one."""
        session = event.at(self.now)
        if number is not None:
            [session] = [one for one in event.sessions if one.number == number]
        is_open = session.start - OPENS <= self.now < session.end + CLOSES
        require(is_open, "checkins.outside_window")
        is_invited = person in event.invited
        require(is_invited or walks_in, "checkins.not_signed_up")
        for known in self.of(person, event):
            if known.session == session:
                return known, False
        presence = Presence(person, event, session, self.now, not is_invited)
        self.presences.append(presence)
        if not event.checks_out:
            self.pay(presence, session.end)
        return presence, True

    def let_in(
        self, person: int, event: Event, number: int | None, *, walks_in: bool
    ) -> tuple[Presence, bool]:
        """As ``come``, by a steward, who is told of an annulment."""
        presence, is_new = self.come(person, event, number, walks_in=walks_in)
        require(presence.came is not None, "corrections.annulled")
        return presence, is_new

    def leave(self, person: int, event: Event) -> tuple[Presence, bool]:
        require(event.checks_out, "checkouts.not_asked")
        known = self.of(person, event)
        require(bool(known), "checkouts.not_checked_in")
        inside = [one for one in known if one.is_open]
        if not inside:
            require(known[-1].came is not None, "corrections.annulled")
            return known[-1], False
        presence = inside[-1]
        require(self.now < presence.session.end + CLOSES, "checkouts.over")
        presence.is_over, presence.left = True, self.now
        self.pay(presence, self.now)
        return presence, True

    def close(self) -> int:
        """End the presences of who forgot to check out; return how many."""
        late = [
            one for one in self.presences if one.is_open and one.session.end + CLOSES <= self.now
        ]
        for one in late:
            assert one.came is not None
            one.is_over, one.left = True, max(one.came, one.session.end)
            self.pay(one, max(one.came, one.session.start) + FORGOTTEN)
        return len(late)

    def correct(self, one: Presence, came: int | None, left: int | None) -> None:
        require(one.came is not None, "corrections.annulled")
        came = one.came if came is None else came
        left = one.left if left is None else left
        if left is None and not one.event.checks_out:
            left = one.session.end
        assert came is not None
        if left is None:
            raise Refused("corrections.still_inside")
        opens, closes = one.session.start - OPENS, one.session.end + CLOSES
        is_past = left <= self.now or not one.event.checks_out
        in_order = opens <= came <= left <= closes
        require(in_order and came <= self.now and is_past, "request.invalid")
        self.take_back(one)
        one.came, one.left, one.is_over = came, left, True
        self.pay(one, left)

    def annul(self, one: Presence) -> None:
        require(one.came is not None, "corrections.annulled")
        self.take_back(one)
        one.came, one.left, one.is_over = None, None, True

    def pay(self, one: Presence, until: int) -> None:
        """Pay a presence until then, for the minutes that no other presence is paid for."""
        assert one.came is not None
        paid = RULES[one.event.rule]
        present = range(max(one.came, one.session.start), min(until, one.session.end))
        others = [o.counted for o in self.presences if self.shares_time(o, one)]
        free = frozenset(present).difference(*others) if paid.by_time else frozenset[int]()
        halves = len(free) // HALF_HOUR
        one.counted = free if halves else frozenset()
        one.points, one.minutes = paid.points(halves), paid.minutes(halves)

    def shares_time(self, one: Presence, other: Presence) -> bool:
        """Whether no minute may count for both: extras are paid on top of hours of service."""
        same = (one.person, one.event.rule) == (other.person, other.event.rule)
        return same and one is not other

    def take_back(self, one: Presence) -> None:
        one.counted, one.points, one.minutes = frozenset(), 0, 0

    def balances(self, person: int) -> tuple[int, int]:
        """Return the points and the minutes of service of a person."""
        theirs = [one for one in self.presences if one.person == person]
        return sum(one.points for one in theirs), sum(one.minutes for one in theirs)

    def counters(self, event: Event) -> list[tuple[int, int, int]]:
        """Return session, check-ins and check-outs; first of the whole, whose number is 0."""
        parts = [one.number for one in event.sessions if one.number]
        rows = [one for one in self.presences if one.event is event]
        return [
            (
                number,
                sum(number in (0, one.session.number) for one in rows),
                sum(number in (0, one.session.number) for one in rows if self.has_left(one)),
            )
            for number in [0, *parts]
        ]

    def has_left(self, one: Presence) -> bool:
        return one.event.checks_out and one.is_over
