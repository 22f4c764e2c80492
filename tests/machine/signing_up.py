"""The machine of sign-ups: the service and the model do the same acts, and must agree."""

from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text

from app.core.clock import now
from app.core.errors import Refusal, unwrap
from app.jobs import signup_offers as jobs
from app.models.activities import Activity, SignupFor
from app.schemas.activities import content_of
from app.schemas.organizing import ActivityEditIn
from app.schemas.signup_decisions import SignupDecisionIn
from app.services import signup_decisions, signup_offers, signups
from app.services.organizing import editing
from tests.factories.activities import make_activity
from tests.factories.people import TestPerson, make_people
from tests.factories.signup_terms import add_sessions
from tests.machine.county import START, County
from tests.machine.hall import Entry, Hall
from tests.machine.machine import EveryRule
from tests.machine.model import Refused

PEOPLE = 6
OFFER = timedelta(minutes=10)
who = st.integers(0, PEOPLE - 1)
which = st.integers(0, 1)  # of two sessions, where there are any
friends = st.sampled_from([0, 0, 0, 1, 2, 3])
LIVING = ("confirmed", "waitlisted", "offered", "pending", "declined")
Shown = tuple[str, int | None]


class SignupMachine(RuleBasedStateMachine):
    county: ClassVar[County]
    runs: ClassVar[list[Counter[str]]]

    def __init__(self) -> None:
        super().__init__()
        self._rules_strategy = EveryRule(self)
        self.clock = self.county.start_clock()
        self.told = Counter[str]()
        self.runs.append(self.told)
        self.ids: dict[int, UUID] = {}  # of sign-ups, by their order in the model
        self.people: list[TestPerson]
        self.activity: Activity
        self.hall: Hall

    @initialize(
        by_session=st.booleans(),
        capacity=st.sampled_from([None, 3, 4, 5, 6]),
        capacities=st.tuples(st.integers(1, 4), st.integers(2, 5)),
        most=st.sampled_from([0, 1, 2]),
        offers=st.booleans(),
        approves=st.sampled_from([False, False, False, True]),
        overlap=st.booleans(),
    )
    def begin(
        self,
        by_session: bool,
        capacity: int | None,
        capacities: tuple[int, int],
        most: int,
        offers: bool,
        approves: bool,
        overlap: bool,
    ) -> None:
        sessions = dict(enumerate(capacities, 1)) if by_session else {}
        capacity = capacity if by_session else capacity or 3
        terms = {
            "needs_approval": approves,
            "offer_minutes": 10 if offers else None,
            "friends": most,
        }
        self.hall = Hall(
            capacity,
            sessions,
            most,
            OFFER if offers else None,
            approves,
            by_session and overlap,
            now(),
        )
        self.county.run(self._make(terms))

    async def _make(self, terms: dict[str, Any]) -> None:
        runtime, hall = self.county.runtime, self.hall
        self.people = await make_people(runtime, PEOPLE)
        self.activity = await make_activity(
            runtime,
            org=self.county.root,
            capacity=hall.capacity,
            starts_at=START + timedelta(days=30),
            hours=23,
            signup_opens_at=START - timedelta(days=1),
            signup_for=SignupFor.session if hall.sessions else SignupFor.activity,
            signup_terms=terms,
        )
        apart = timedelta(0) if hall.overlap else timedelta(hours=3)
        places = [hall.sessions[one] for one in sorted(hall.sessions)]
        await add_sessions(runtime, self.activity, *places, apart=apart, shifts=hall.overlap)

    def both(
        self, act: str, imagined: Callable[[], Entry | None], real: Coroutine[Any, Any, Any]
    ) -> Any:
        """Let both do an act; they must refuse it alike. Return what the service told of it."""
        refused, entry = "", None
        try:
            entry = imagined()
        except Refused as refusal:
            refused = str(refusal)
        found, told = "", None
        try:
            told = self.county.run(real)
        except Refusal as refusal:
            found = refusal.code
        self.agree(act, found, refused)
        self.told[f"{act}: {refused or 'done'}"] += 1
        if entry is not None and told is not None:
            self.agree(act, (told.status, told.position), self.shown(entry))
        return told

    def agree(self, about: str, found: object, expected: object) -> None:
        assert found == expected, f"{about}, unlike the model: {found}, not {expected}"

    def shown(self, entry: Entry) -> Shown:
        return entry.status, self.hall.position(entry)

    @rule(wanted=st.lists(st.tuples(who, which, friends), min_size=2, max_size=8))
    def sign_up(self, wanted: list[tuple[int, int, int]]) -> None:
        for person, part, number in wanted:
            self.sign_one_up(person, part, number)

    def sign_one_up(self, person: int, part: int, friends: int) -> None:
        session = part + 1 if self.hall.sessions else 0
        told = self.both(
            "sign up",
            lambda: self.hall.sign_up(person, session, friends),
            self._sign_up(person, session, friends),
        )
        if told is not None and told.id not in self.ids.values():
            self.ids[len(self.hall.entries) - 1] = told.id

    async def _sign_up(self, person: int, session: int, friends: int) -> Any:
        async with self.county.runtime.database.transaction() as tx:
            claim = signups.Claim(self.activity.id, self.people[person].id, session, friends)
            return unwrap(await signups.claim(tx, [claim], now())).signup

    @rule(pick=st.integers(0, 30))
    def cancel(self, pick: int) -> None:
        if entry := self.picked(pick, *LIVING):
            self.both("cancel", lambda: self.hall.cancel(entry), self._cancel(entry))

    async def _cancel(self, entry: Entry) -> None:
        async with self.county.runtime.database.transaction() as tx:
            await signup_decisions.give_back(
                tx, self.people[entry.person].id, self.ids[entry.order]
            )

    @rule(pick=st.integers(0, 30))
    def accept(self, pick: int) -> None:
        if entry := self.picked(pick, "offered"):
            self.both("accept", lambda: self.hall.accept(entry), self._accept(entry))

    async def _accept(self, entry: Entry) -> Any:
        async with self.county.runtime.database.transaction() as tx:
            person, signup = self.people[entry.person].id, self.ids[entry.order]
            return await signup_offers.accept(tx, person, signup)

    @rule(pick=st.integers(0, 30), approved=st.sampled_from([True, True, False]))
    def decide(self, pick: int, approved: bool) -> None:
        if entry := self.picked(pick, "pending"):
            self.both(
                "decide",
                lambda: self.hall.decide(entry, approved=approved),
                self._decide(entry, approved=approved),
            )

    async def _decide(self, entry: Entry, *, approved: bool) -> Any:
        body = SignupDecisionIn(approved=approved, reason=None if approved else "满员")
        async with self.county.runtime.database.transaction() as tx:
            caller, signup = self.county.reviewer.id, self.ids[entry.order]
            return await signup_decisions.decide(tx, caller, signup, body)

    @rule(minutes=st.sampled_from([3, 10, 15]))
    def wait(self, minutes: int) -> None:
        self.clock.shift(timedelta(minutes=minutes))
        self.hall.now = now()
        self.hall.lapse()
        self.hall.fill_shifts()
        self.county.run(self._pass_on())

    async def _pass_on(self) -> None:
        await jobs.pass_on(self.county.runtime)
        await jobs.fill_shifts(self.county.runtime)

    @rule(capacity=st.sampled_from([1, 2, 4, 6, 8]))
    def resize(self, capacity: int) -> None:
        self.told["resize: several back"] += self.hall.resize(capacity) > 1
        self.county.run(self._resize(capacity))

    async def _resize(self, capacity: int) -> None:
        async with self.county.runtime.database.transaction() as tx:
            row = await tx.get(Activity, self.activity.id)
            assert row is not None
            times = ("starts_at", "ends_at", "signup_opens_at", "signup_closes_at")
            same = content_of(row, **{name: getattr(row, name) for name in times})
            changes = {"capacity": capacity, "waitlist_latest": True}
            body = ActivityEditIn.model_construct(**dict(same) | changes)
            await editing.edit(tx, self.county.reviewer.id, row.id, row.version, body)

    def picked(self, pick: int, *statuses: str) -> Entry | None:
        found = [one for one in self.hall.entries if one.status in statuses]
        return found[pick % len(found)] if found else None

    @invariant()
    def as_in_the_model(self) -> None:
        if "hall" not in self.__dict__:
            return
        rows = self.county.run(self._rows())
        expected = {
            self.ids[one.order]: self.shown(one)
            for one in self.hall.entries
            if one.order in self.ids
        }
        self.agree("sign-ups", rows[0], expected)
        counted = [(self.hall.taken(), len(self.hall.waiting()))]
        counted += [
            (self.hall.taken(one), len(self.hall.waiting(one)))
            for one in sorted(self.hall.sessions)
        ]
        self.agree("counters", rows[1], counted)
        for status in {one.status for one in self.hall.entries}:
            self.told[f"has: {status}"] += 1

    async def _rows(self) -> tuple[dict[UUID, Shown], list[tuple[int, int]]]:
        of = {"id": self.activity.id}
        async with self.county.runtime.database.read() as tx:
            found = await tx.execute(text(_SIGNUPS), of)
            states = {one.id: (one.status, one.position) for one in found}
            counters = await tx.execute(text(_COUNTERS), of)
            return states, [(one.confirmed, one.waiting) for one in counters]

    def teardown(self) -> None:
        self.county.stop_clock()


_SIGNUPS = """
SELECT id, status, CASE WHEN status = 'waitlisted' THEN
    row_number() OVER (PARTITION BY session, status ORDER BY queue_number) END AS position
FROM signups WHERE activity_id = :id
"""
_COUNTERS = """
SELECT signups_confirmed AS confirmed, signups_waitlisted AS waiting FROM (
    SELECT 0 AS number, signups_confirmed, signups_waitlisted FROM activities WHERE id = :id
    UNION ALL SELECT number, signups_confirmed, signups_waitlisted FROM activity_sessions
    WHERE activity_id = :id) x ORDER BY number
"""
