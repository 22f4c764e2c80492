"""The machine of presences: the service and the model do the same acts, and must agree."""

from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text
from sqlmodel import col, select

from app.core.clock import now
from app.core.errors import Refusal, unwrap
from app.jobs import checkouts as jobs
from app.models.activities import Activity
from app.models.cards import Card, card_number
from app.models.ledger import Purpose
from app.queries.ledger import reading
from app.schemas.checkins import CodeAction
from app.schemas.corrections import CorrectionIn
from app.schemas.stewards import StewardIn
from app.services import checkins, checkouts, corrections, stewards
from app.services.checkins import Scan
from app.services.checkouts import Leave
from app.services.ledger.types import MINUTES, POINTS
from tests.factories.activities import make_activity, sign_up
from tests.factories.guesses import Uncounted
from tests.factories.ledger import verified
from tests.factories.people import TestPerson, make_people
from tests.factories.presences import make_with_sessions
from tests.machine.county import START, County
from tests.machine.door import Door, Event, Presence, Session
from tests.machine.machine import EveryRule
from tests.machine.model import Refused

PEOPLE, INVITED = 3, 2  # the last one has no place anywhere
# Of minutes since START: two sessions, and two activities at the same time.
EVENING = [Session(1, 30, 95), Session(2, 125, 205)]
FAIR, COURSE = Session(0, 60, 180), Session(0, 45, 150)
OVER = 300
who = st.integers(0, PEOPLE - 1)
where = st.integers(0, 2)
rules = st.sampled_from(["service", "service", "extra", "talk"])
# Who leaves: mostly somebody who came. Times of corrections, None: unchanged: after the start of
# the session, and before the end or now.
mostly = st.none() | st.integers(0, 30) | st.integers(0, 30)
since = st.none() | st.sampled_from([-35, -20, 0, 0, 10, 25, 31, 50])
until = st.none() | st.sampled_from([-20, 0, 0, 0, 5, 20, 31, 60])


class AttendanceMachine(RuleBasedStateMachine):
    county: ClassVar[County]
    runs: ClassVar[list[Counter[str]]]

    def __init__(self) -> None:
        super().__init__()
        self._rules_strategy = EveryRule(self)
        self.clock = self.county.start_clock()
        self.told = Counter[str]()
        self.runs.append(self.told)
        self.agreed = False
        self.ids: dict[Presence, UUID] = {}  # of check-ins
        self.people: list[TestPerson]
        self.cards: list[str]
        self.activities: list[Activity]
        self.door: Door

    @initialize(evening=rules, fair=rules, course=rules)
    def begin(self, evening: str, fair: str, course: str) -> None:
        invited = set(range(INVITED))
        self.door = Door(
            [
                Event(evening, True, EVENING, invited),
                Event(fair, False, [FAIR], invited),
                Event(course, True, [COURSE], invited),
            ]
        )
        self.county.run(self._make())

    async def _make(self) -> None:
        runtime = self.county.runtime
        self.people = await make_people(runtime, PEOPLE)
        self.activities = [await self._make_one(event) for event in self.door.events]
        for activity in self.activities:
            await sign_up(runtime, activity, *self.people[:INVITED])
        async with runtime.database.read() as tx:
            ids = [one.id for one in self.people]
            cards = await tx.exec(select(Card).where(col(Card.person_id).in_(ids)))
            numbers = {one.person_id: card_number(one.serial) for one in cards}
        self.cards = [numbers[one] for one in ids]

    async def _make_one(self, event: Event) -> Activity:
        runtime, first = self.county.runtime, event.sessions[0]
        same: dict[str, Any] = {
            "org": self.county.root,
            "rule_key": event.rule,
            "checks_out": event.checks_out,
        }
        spans = [(_at(one.start), (one.end - one.start) / 60) for one in event.sessions]
        if first.number:
            return await make_with_sessions(runtime, *spans, **same)
        [(starts_at, hours)] = spans
        return await make_activity(runtime, starts_at=starts_at, hours=hours, **same)

    def both(self, act: str, imagined: Callable[[], Any], real: Coroutine[Any, Any, Any]) -> Any:
        """Let both do an act; they must refuse it alike. Return what each told of it."""
        self.agreed = False
        refused, expected = "", None
        try:
            expected = imagined()
        except Refused as refusal:
            refused = str(refusal)
        found, told = "", None
        try:
            told = self.county.run(real)
        except Refusal as refusal:
            found = refusal.code
        self.agree(act, found, refused)
        self.told[f"{act}: {refused or 'done'}"] += 1
        return None if refused else (expected, told)

    def agree(self, about: str, found: object, expected: object) -> None:
        assert found == expected, f"{about}, unlike the model: {found}, not {expected}"

    def told_of(self, act: str, came_of_it: Any) -> None:
        """Compare a presence as both tell of it: the session, and whether it was there before."""
        if came_of_it is not None:
            (presence, is_new), (checkin_id, session, told_new) = came_of_it
            self.agree(act, (session, told_new), (presence.session.number, is_new))
            self.agree(act, checkin_id, self.ids.setdefault(presence, checkin_id))
            self.told[f"{act}: again"] += not is_new

    @rule(person=who, place=where)
    def come(self, person: int, place: int) -> None:
        event = self.door.events[place]
        done = self.both("come", lambda: self.door.come(person, event), self._come(person, place))
        self.told_of("come", done)

    async def _come(self, person: int, place: int) -> tuple[UUID, int, bool]:
        scan = Scan(self.activities[place].serial, self.people[person].id)
        async with self.county.runtime.database.transaction() as tx:
            done = unwrap(await checkins.record(tx, [scan], now()))
        return done.result.checkin.id, done.result.checkin.session, done.is_new

    @rule(person=who, place=where, walks_in=st.booleans(), pick=st.sampled_from([None, None, 0, 1]))
    def let_in(self, person: int, place: int, walks_in: bool, pick: int | None) -> None:
        """A steward at the door scans a card, and may name the session."""
        event = self.door.events[place]
        number = None if pick is None else event.sessions[pick % len(event.sessions)].number
        done = self.both(
            "let in",
            lambda: self.door.let_in(person, event, number, walks_in=walks_in),
            self._steward(
                person, place, action=CodeAction.check_in, session=number, walk_in=walks_in
            ),
        )
        self.told_of("let in", done)

    async def _steward(self, person: int, place: int, **body: Any) -> tuple[UUID, int, bool]:
        asked = StewardIn(card_no=self.cards[person], **body)
        caller, activity = self.county.reviewer.id, self.activities[place].id
        async with self.county.runtime.database.transaction() as tx:
            done = await stewards.record(tx, caller, activity, asked, Uncounted())
        return done.checkin_id, done.session, done.is_new

    @rule(person=who, place=where, pick=mostly)
    def leave(self, person: int, place: int, pick: int | None) -> None:
        person, place = self.leaving(person, place, pick)
        event = self.door.events[place]
        done = self.both(
            "leave", lambda: self.door.leave(person, event), self._leave(person, place)
        )
        self.told_of("leave", done)

    async def _leave(self, person: int, place: int) -> tuple[UUID, int, bool]:
        leave = Leave(self.activities[place].serial, self.people[person].id)
        async with self.county.runtime.database.transaction() as tx:
            done = unwrap(await checkouts.record(tx, [leave], now()))
        return done.result.checkin.id, done.result.checkin.session, done.is_new

    @rule(person=who, place=where, pick=mostly)
    def let_out(self, person: int, place: int, pick: int | None) -> None:
        person, place = self.leaving(person, place, pick)
        event = self.door.events[place]
        done = self.both(
            "leave",
            lambda: self.door.leave(person, event),
            self._steward(person, place, action=CodeAction.check_out),
        )
        self.told["let out: done"] += done is not None
        self.told_of("leave", done)

    @rule(minutes=st.sampled_from([1, 14, 20, 30, 30, 45, 75]))
    def wait(self, minutes: int) -> None:
        self.clock.shift(timedelta(minutes=minutes))
        self.door.now += minutes

    @rule(is_due=st.sampled_from([True, False]))
    def close_forgotten(self, is_due: bool) -> None:
        """Run the job, which may be late."""
        if not is_due:
            return
        done = self.both("forget", self.door.close, jobs.close_forgotten(self.county.runtime))
        self.agree("forget", done[1] >= done[0], True)
        self.told["forget: some"] += done[0] > 0

    @rule(pick=st.integers(0, 30), came=since, left=until)
    def correct(self, pick: int, came: int | None, left: int | None) -> None:
        if one := self.picked(pick):
            came = None if came is None else one.session.start + came
            left = None if left is None else min(self.door.now, one.session.end) - left
            was_open = one.is_open
            done = self.both(
                "correct",
                lambda: self.door.correct(one, came, left),
                self._correct(one, came, left),
            )
            self.told["correct: was inside"] += done is not None and was_open

    async def _correct(self, one: Presence, came: int | None, left: int | None) -> None:
        body = CorrectionIn(
            checked_in_at=None if came is None else _at(came),
            checked_out_at=None if left is None else _at(left),
            reason="现场负责人确认",
        )
        async with self.county.runtime.database.transaction() as tx:
            await corrections.correct(tx, self.county.reviewer.id, self.ids[one], body)

    @rule(pick=st.integers(0, 30), is_meant=st.sampled_from([True, False, False]))
    def annul(self, pick: int, is_meant: bool) -> None:
        if is_meant and (one := self.picked(pick)):
            self.both("annul", lambda: self.door.annul(one), self._annul(one))

    async def _annul(self, one: Presence) -> None:
        async with self.county.runtime.database.transaction() as tx:
            await corrections.annul(tx, self.county.reviewer.id, self.ids[one], "代签")

    def leaving(self, person: int, place: int, pick: int | None) -> tuple[int, int]:
        """Return who leaves where: who is there, if one is picked."""
        inside = [one for one in self.door.presences if one.is_open]
        if pick is None or not inside:
            return person, place
        one = inside[pick % len(inside)]
        return one.person, self.door.events.index(one.event)

    def picked(self, pick: int) -> Presence | None:
        found = self.door.presences
        return found[pick % len(found)] if found else None

    @invariant()
    def as_in_the_model(self) -> None:
        if "door" not in self.__dict__:
            return
        self.agreed = False
        balances, counters, walk_ins = self.county.run(self._rows())
        door = self.door
        self.agree("balances", balances, [(*door.balances(n), 0) for n in range(PEOPLE)])
        counted = [door.counters(event) for event in door.events]
        self.agree("counters", [columns for columns, _ in counters], counted)
        self.agree("rows", [rows for _, rows in counters], counted)
        self.agree("walk-ins", walk_ins, sum(one.is_walk_in for one in door.presences))
        self.told["shared time"] += any(
            one.came is not None and len(one.counted) % 30 and one.points for one in door.presences
        )
        self.agreed = True

    async def _rows(self) -> tuple[list[tuple[int, int, int]], list[tuple[Any, Any]], int]:
        """Return points, minutes and pending points of people; counters and rows; walk-ins."""
        ids = [one.id for one in self.people]
        async with self.county.runtime.database.read() as tx:
            found = await reading.balances(tx, ids)
            balances = [
                (
                    found.get((one, Purpose.available, POINTS), 0),
                    found.get((one, Purpose.available, MINUTES), 0),
                    sum(n for (owner, p, _), n in found.items() if (owner, p) == (one, "pending")),
                )
                for one in ids
            ]
            counters, walk_ins = [], 0
            for activity in self.activities:
                rows = list(await tx.execute(text(_COUNTERS), {"id": activity.id}))
                columns = [(one.number, one.checkins, one.checkouts) for one in rows]
                counters.append((columns, [(one.number, one.came, one.went) for one in rows]))
                walk_ins += rows[0].walk_ins
        return balances, counters, walk_ins

    def teardown(self) -> None:
        """After the last session nobody is inside, and the ledger verifies."""
        try:
            if self.agreed:
                self.wait(max(OVER - self.door.now, 0))
                self.close_forgotten(is_due=True)
                self.as_in_the_model()
                inside = [one for one in self.door.presences if one.is_open]
                self.agree("inside for ever", inside, [])
                report = self.county.run(verified(self.county.runtime))
                self.agree("ledger", report.differences, [])
        finally:
            self.county.stop_clock()


def _at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


_COUNTERS = """
SELECT x.number, x.checkins, x.checkouts, count(c.id) AS came, count(o.id) AS went,
       count(*) FILTER (WHERE c.is_walk_in) AS walk_ins
FROM (
    SELECT 0 AS number, checkins, checkouts FROM activities WHERE id = :id
    UNION ALL
    SELECT number, checkins, checkouts FROM activity_sessions WHERE activity_id = :id
) x
LEFT JOIN checkins c ON c.activity_id = :id AND x.number IN (0, c.session)
LEFT JOIN checkouts o ON o.checkin_id = c.id
GROUP BY x.number, x.checkins, x.checkouts ORDER BY x.number
"""
