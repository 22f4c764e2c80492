"""The machine: the service and the model do the same acts, and must agree after each."""

from collections import Counter
from collections.abc import Callable, Coroutine
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    RuleStrategy,
    initialize,
    invariant,
    multiple,
    rule,
)

from app.core.errors import Refusal
from app.jobs import awards as award_jobs
from app.jobs import expiry
from app.jobs import funds as fund_jobs
from app.models.ledger import Purpose
from app.schemas.policies.documents import Proof
from app.schemas.redemptions import ChargeOut
from tests.factories.ledger import assert_ledger_verifies
from tests.machine.county import START, County
from tests.machine.model import (
    LIMITED,
    OWED,
    SHOP,
    UNLIMITED,
    Award,
    Model,
    Person,
    Receipt,
    Refused,
    Spending,
)
from tests.machine.town import Balances, Given, Lots, make_town

T = TypeVar("T")
S = TypeVar("S")
Awarded = tuple[Award, UUID]
Received = tuple[Receipt, UUID]
Charged = tuple[Spending, UUID]
Reserved = tuple[Spending, UUID, str]  # the last is the pick-up code

WAITS: dict[Proof, timedelta] = {
    "rotating_code": timedelta(0),
    "poster_code": timedelta(hours=24),
}
DAYS = [timedelta(hours=12), *(timedelta(days=days) for days in (1, 3, 8))]
WEEKS = [timedelta(days=days) for days in (8, 31, 45)]
ALL, ONE_MORE = 0, -1
A_SECOND, AGES, ENOUGH = timedelta(seconds=1), timedelta(days=100), 10_000
MOST_AT_ONCE = 100  # of one reward in one reservation

people = st.integers(0, 2)
points = st.integers(1, 100)
funds = st.sampled_from([UNLIMITED, LIMITED])
rules = st.sampled_from(["service", "honour"])
# What somebody spends: so many, or all that the model thinks there are, or one more.
amounts = st.integers(1, 10) | st.sampled_from([*range(10, 30), ALL, ONE_MORE])


class EveryRule(RuleStrategy):
    """Choose among all rules in every run.

    Hypothesis switches half of them off, another half each time: but what goes wrong with
    points takes five or six acts of different kinds.
    """

    def _rule_is_enabled(self, r: Any) -> bool:
        return bool(self.is_valid(r))


class LedgerMachine(RuleBasedStateMachine):
    county: ClassVar[County]
    runs: ClassVar[list[Counter[str]]]  # what the acts of each run came to

    # The model's thing and the service's name for it.
    awarded: Bundle[Awarded] = Bundle("awarded")
    received: Bundle[Received] = Bundle("received")
    charged: Bundle[Charged] = Bundle("charged")
    reserved: Bundle[Reserved] = Bundle("reserved")

    def __init__(self) -> None:
        super().__init__()
        self._rules_strategy = EveryRule(self)
        self.clock = self.county.start_clock()
        self.town = self.county.run(make_town(self.county))
        self.model = Model(START)
        self.people = [Person() for _ in self.town.people]
        self.told = Counter[str]()
        self.runs.append(self.told)
        self.agreed = True
        self.filled, self.owed = 0, 0

    def both(self, act: str, imagined: Callable[[], T], real: Coroutine[Any, Any, S]) -> list[Any]:
        """Let both do an act; return what came of it, or nothing if both refuse it alike."""
        self.agreed = False
        expected = _attempt(imagined)
        found = _attempt(lambda: self.county.run(real))
        refused = _refusal(expected)
        self.agree(act, _refusal(found), refused)
        self.told[f"{act}: {refused or 'done'}"] += 1
        return [] if refused else [(expected, found)]

    def agree(self, about: str, found: object, expected: object) -> None:
        assert found == expected, f"{about}, unlike the model: {found}, not {expected}"

    def given(self, expected: list[Award], found: list[Given]) -> MultipleResults[Awarded]:
        self.agree(
            "points and state of awards",
            [(one.points, one.state) for one in found],
            [(award.points, award.state) for award in expected],
        )
        for award in expected:
            self.told[f"award: {award.state}"] += 1
        return multiple(*zip(expected, (one.id for one in found), strict=True))

    @initialize(target=awarded, amounts=st.tuples(*[st.integers(40, 90)] * 3))
    def begin(self, amounts: tuple[int, ...]) -> Any:
        """Everybody has something to spend from the start."""
        return self.award(list(enumerate(amounts)), UNLIMITED, "honour", "rotating_code")

    @rule(
        target=awarded,
        to=st.lists(st.tuples(people, points), min_size=1, max_size=3),
        fund=st.sampled_from([LIMITED, LIMITED, UNLIMITED]),
        key=rules,
        proof=st.sampled_from(["rotating_code", "rotating_code", "poster_code"]),
    )
    def award(
        self, to: list[tuple[int, int]], fund: str, key: str, proof: Proof
    ) -> MultipleResults[Awarded]:
        done = self.both(
            "award",
            lambda: [
                self.model.award(self.people[who], fund, key, amount, WAITS[proof])
                for who, amount in to
            ],
            self.town.award(to, fund, key, proof),
        )
        return self.given(*done[0])

    @rule(target=awarded, who=st.sets(people, min_size=1), fund=funds, amount=points)
    def propose(self, who: set[int], fund: str, amount: int) -> MultipleResults[Awarded]:
        to = sorted(who)
        done = self.both(
            "propose",
            lambda: self.model.propose([self.people[one] for one in to], fund, amount),
            self.town.propose(to, fund, amount),
        )
        return self.given(*done[0]) if done else multiple()

    @rule(awarded=awarded)
    def approve(self, awarded: Awarded) -> None:
        award, award_id = awarded
        self.both("approve", lambda: self.model.approve(award), self.town.approve(award_id))

    @rule(one=awarded, others=st.lists(awarded, max_size=2))
    def reverse(self, one: Awarded, others: list[Awarded]) -> None:
        for award, award_id in [one, *others]:
            self.reverse_one(award, award_id)

    @rule(one=awarded, parts=st.lists(st.integers(1, 30), min_size=1, max_size=3))
    def reverse_parts(self, one: Awarded, parts: list[int]) -> None:
        award, award_id = one
        for part in parts:
            self.told["reverse: a part"] += part < award.points
            self.reverse_one(award, award_id, part)

    def reverse_one(self, award: Award, award_id: UUID, part: int | None = None) -> None:
        done = self.both(
            "reverse",
            lambda: self.model.reverse(award, part),
            self.town.reverse(award_id, part),
        )
        for parts, told in done:
            found = (told.from_pending, told.from_available, told.owed, told.lost, told.expired)
            names = ("pending", "available", "owed", "lost", "expired")
            self.agree(", ".join(names), found, parts)
            for name, points in zip(names, parts, strict=True):
                self.told[f"reverse: {name}"] += points > 0

    @rule(
        target=received,
        amount=st.integers(1, 60) | st.integers(60, 300),
        pays=st.booleans(),
    )
    def receive(self, amount: int, pays: bool) -> Received:
        made = self.fill_fund(amount)
        if pays:
            self.pay_from_funds()
        return made

    def fill_fund(self, amount: int) -> Received:
        ((receipt, receipt_id),) = self.both(
            "fill", lambda: self.model.receive(amount), self.town.fill(amount)
        )
        self.filled += amount
        return receipt, receipt_id

    @rule(one=received)
    def reverse_receipt(self, one: Received) -> None:
        receipt, receipt_id = one
        done = self.both(
            "receipt",
            lambda: self.model.reverse_receipt(receipt),
            self.town.reverse_receipt(receipt_id),
        )
        self.filled -= receipt.points if done else 0

    @rule(target=charged, wanted=st.lists(st.tuples(people, amounts), min_size=1, max_size=2))
    def charge(self, wanted: list[tuple[int, int]]) -> MultipleResults[Charged]:
        orders = [(who, self.amount(who, amount)) for who, amount in wanted]
        ((expected, found),) = self.both(
            "charges",
            lambda: [
                _attempt(partial(self.model.charge, self.people[who], n, SHOP)) for who, n in orders
            ],
            self.town.charge(orders),
        )
        told = [_refusal(one) or "done" for one in found]
        self.agree("charges", told, [_refusal(one) or "done" for one in expected])
        self.told.update(f"charge: {one}" for one in told)
        pairs = zip(expected, found, strict=True)
        return multiple(*((one, out.id) for one, out in pairs if isinstance(out, ChargeOut)))

    @rule(charged=charged)
    def refund(self, charged: Charged) -> None:
        charge, charge_id = charged
        self.both("refund", lambda: self.model.refund(charge), self.town.refund(charge_id))

    @rule(target=reserved, who=people, amount=amounts, till=st.sampled_from([SHOP, LIMITED]))
    def reserve(self, who: int, amount: int, till: str) -> MultipleResults[Reserved]:
        number = min(self.amount(who, amount), MOST_AT_ONCE)
        done = self.both(
            "hold",
            lambda: self.model.hold(self.people[who], number, till),
            self.town.reserve(who, number, till),
        )
        return multiple(*((hold, out.id, out.pickup_code) for hold, out in done))

    @rule(one=reserved, others=st.lists(reserved, max_size=2))
    def collect(self, one: Reserved, others: list[Reserved]) -> None:
        for hold, _, code in [one, *others]:
            real = self.town.collect(code, hold.payee)
            self.both("collect", partial(self.model.collect, hold), real)

    @rule(one=reserved, others=st.lists(reserved, max_size=2))
    def cancel(self, one: Reserved, others: list[Reserved]) -> None:
        for hold, redemption, _ in [one, *others]:
            real = self.town.cancel(self.people.index(hold.person), redemption)
            self.both("cancel", partial(self.model.cancel, hold), real)

    @rule(leap=st.sampled_from(DAYS))
    def days_pass(self, leap: timedelta) -> None:
        self.time_passes(leap)

    @rule(leap=st.sampled_from(WEEKS))
    def weeks_pass(self, leap: timedelta) -> None:
        self.time_passes(leap)

    def time_passes(self, leap: timedelta) -> None:
        self.clock.shift(leap)
        self.model.now += leap

    @rule()
    def release(self) -> None:
        self.job("release", self.model.release, award_jobs.release(self.town.runtime))

    @rule()
    def pay(self) -> None:
        self.pay_from_funds()

    def pay_from_funds(self) -> None:
        self.job("pay", self.model.pay_waiting, fund_jobs.pay(self.town.runtime))

    @rule()
    def end_holds(self) -> None:
        job = expiry.expire_reservations(self.town.runtime)
        self.job("end holds", self.model.end_holds, job)

    @rule()
    def end_lots(self) -> None:
        job = expiry.expire_lots(self.town.runtime)
        self.job("end lots", lambda: self.model.end_lots(self.people), job)

    def job(self, name: str, imagined: Callable[[], None], real: Coroutine[Any, Any, int]) -> None:
        ((_, number),) = self.both("job", imagined, real)
        self.told[f"{name}: {'some' if number else 'nothing'}"] += 1

    @rule(who=people)
    def look(self, who: int) -> None:
        """What is held too long is shown as it will be, and stays as it is."""
        model, person = deepcopy((self.model, self.people[who]))
        ((_, shown),) = self.both("look", lambda: model.end_holds(person), self.town.look(who))
        self.agree(
            "what is shown",
            (shown.available, shown.pending, shown.held, shown.owed),
            (model.spendable(person), person.pending, person.held, person.debt),
        )
        left = Counter[datetime]()
        for lot in model.living(person):
            left[lot.ends] += lot.points
        ends = {one.expires_at: one.points for one in shown.expiring}
        self.agree("what is shown to end", ends, +left)

    @invariant()
    def every_balance_is_the_same(self) -> None:
        balances, lots = self.county.run(self.town.found())
        self.agree("balances", balances, self.balances())
        self.agree("lots", lots, self.lots())
        self.agreed = True
        owed = sum(person.debt for person in self.people)
        self.told["debt: repaid"] += owed < self.owed
        self.owed = owed
        self.clock.shift(A_SECOND)
        self.model.now += A_SECOND

    def balances(self) -> Balances:
        found: Balances = {
            (UNLIMITED, Purpose.fund): self.model.tills[UNLIMITED],
            (LIMITED, Purpose.budget): self.model.tills[LIMITED],
            (LIMITED, Purpose.income): -self.filled,
            (LIMITED, Purpose.fund): self.model.tills[OWED],
            (f"takings of {SHOP}", Purpose.takings): self.model.tills[SHOP],
        }
        for fund in (UNLIMITED, LIMITED):
            found[fund, Purpose.expired] = self.model.expired[fund]
        for n, person in enumerate(self.people):
            found |= {
                (n, Purpose.available): sum(lot.points for lot in person.lots),
                (n, Purpose.pending): person.pending,
                (n, Purpose.held): person.held,
                (n, Purpose.debt): -person.debt,
            }
        return {key: amount for key, amount in found.items() if amount}

    def lots(self) -> Lots:
        found = Counter[tuple[int, datetime]]()
        for n, person in enumerate(self.people):
            for lot in person.lots:
                found[n, lot.ends.astimezone(UTC)] += lot.points
        return dict(+found)

    def amount(self, who: int, wanted: int) -> int:
        there = self.model.spendable(self.people[who])
        return {ALL: max(there, 1), ONE_MORE: there + 1}.get(wanted, wanted)

    def teardown(self) -> None:
        """Let everything end that can, so that no later run meets it, and prove the ledger."""
        lots = sum(len(person.lots) for person in self.people)
        self.told["lot: revived"] = lots - sum(one.lot is not None for one in self.model.awards)
        self.told = Counter()
        is_proven = False
        try:
            if self.agreed:
                self.end()
                self.county.run(assert_ledger_verifies(self.town.runtime))
                is_proven = True
        finally:
            self.county.stop_clock()
            if not is_proven:
                self.county.open()

    def end(self) -> None:
        self.fill_fund(ENOUGH)
        self.pay_from_funds()
        self.time_passes(AGES)
        self.release()
        self.end_holds()
        self.time_passes(AGES)
        self.end_lots()
        self.every_balance_is_the_same()


def _attempt(act: Callable[[], T]) -> T | Refused | Refusal:
    try:
        return act()
    except (Refused, Refusal) as refused:
        return refused


def _refusal(outcome: object) -> str | None:
    return str(outcome) if isinstance(outcome, Refused | Refusal) else None
