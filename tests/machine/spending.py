"""What every machine of spending shares: both do an act, and all rows and balances must agree."""

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from app.core.errors import Refusal
from app.jobs import expiry, reward_waits, tiers
from app.jobs import redemption_days as day_jobs
from app.models.ledger import Purpose
from tests.factories.ledger import assert_ledger_verifies
from tests.machine.county import START, County
from tests.machine.fair import Day, Fair
from tests.machine.machine import EveryRule
from tests.machine.market import Code, Proxy
from tests.machine.model import SHOP, UNLIMITED, Model, Person, Refused
from tests.machine.stalls import Stalls, make_stalls
from tests.machine.town import Balances, Lots, make_town
from tests.machine.wares import GOODS

T = TypeVar("T")
SHANGHAI = ZoneInfo("Asia/Shanghai")
A_SECOND, AGES = timedelta(seconds=1), timedelta(days=100)
who = st.integers(0, 2)
picks = st.integers(0, 9)
quantities = st.sampled_from([1, 1, 1, 2, 3])


class Spending(RuleBasedStateMachine):
    """Nothing of the stalls was there before the run; the database may be that of earlier runs."""

    county: ClassVar[County]
    runs: ClassVar[list[Counter[str]]]

    def __init__(self) -> None:
        super().__init__()
        self._rules_strategy = EveryRule(self)
        self.clock = self.county.start_clock()
        self.stalls: Stalls = self.county.run(self._make())
        people = [Person() for _ in self.stalls.town.people]
        self.points = Model(START)
        self.fair = Fair(self.points, people)
        self.ids: dict[object, UUID] = {}  # by what the model has of it
        self.codes: dict[Code, str] = {}
        self.proxies: dict[Proxy, str] = {}
        self.told = Counter[str]()
        self.runs.append(self.told)
        self.agreed = True

    async def _make(self) -> Stalls:
        return await make_stalls(await make_town(self.county))

    def both(
        self, act: str, imagined: Callable[[], T], real: Coroutine[Any, Any, Any]
    ) -> tuple[T, Any] | None:
        """Let both do an act; they must refuse it alike. Return what came of it, None if refused.

        What the service refuses is rolled back. That it fails otherwise is never agreed.
        """
        self.agreed = False
        expected, refused, found, told = None, "", "", None
        try:
            expected = imagined()
        except Refused as refusal:
            refused = str(refusal)
        try:
            told = self.county.run(real)
        except Refusal as refusal:
            found = refusal.code
        except Exception as error:  # of a flaw: the database refuses what the service does not
            raise AssertionError(f"{act}, unlike the model: {error!r}") from error
        self.agree(act, found, refused)
        self.told[f"{act}: {refused or 'done'}"] += 1
        return None if refused else (expected, told)  # type: ignore[return-value]

    def agree(self, about: str, found: object, expected: object) -> None:
        assert found == expected, f"{about}, unlike the model: {found}, not {expected}"

    def pick(self, found: Sequence[T], pick: int, good: Callable[[T], bool]) -> T | None:
        """Pick one of the last ones: of seven in ten times one that is good for the act."""
        chosen = [one for one in found if good(one)] if pick < 7 else list(found)
        return chosen[-1 - pick % min(len(chosen), 4)] if chosen else None

    def time_passes(self, leap: timedelta) -> None:
        self.clock.shift(leap)
        self.points.now += leap

    def job(self, name: str, imagined: Callable[[], Any], real: Coroutine[Any, Any, Any]) -> None:
        """Run a job. Where both count what they did, the numbers are the same."""
        done = self.both(name, imagined, real)
        assert done is not None, "jobs refuse nothing"
        expected, found = done
        if expected is not None:
            self.agree(name, found, expected)
            self.told[f"{name}: some"] += expected > 0

    def expire(self) -> None:
        runtime = self.stalls.runtime
        self.job("expire", self.fair.expire, expiry.expire_reservations(runtime))
        self.job("expire charges", self.fair.expire_charges, expiry.expire_charges(runtime))

    def settle(self) -> None:
        """Absences; one transaction for each day that is over."""
        self.job("settle", self.fair.settle, day_jobs.settle(self.stalls.runtime))

    def tell_waiting(self) -> None:
        job = reward_waits.tell_waiting(self.stalls.runtime)
        self.job("tell", self.fair.tell_waiting, job)

    def review_tiers(self) -> None:
        self.job("tiers", self.fair.review_tiers, tiers.review(self.stalls.runtime))

    def end_lots(self) -> None:
        job = expiry.expire_lots(self.stalls.runtime)
        self.job("end lots", lambda: self.points.end_lots(self.fair.people), job)

    def close(self, day: Day, *, miscounts: bool = False) -> None:
        left = {self.item(day, name): count for name, count in day.left.items()}
        left[self.item(day, "tea")] += miscounts
        self.both(
            "close",
            lambda: self.fair.close(day, miscounts=miscounts),
            self.stalls.close(self.ids[day], left),
        )

    def item(self, day: Day, name: str) -> UUID:
        return self.ids[day, "item", name]

    @invariant()
    def as_in_the_model(self) -> None:
        self.agreed = False
        balances, lots = self.county.run(self.stalls.town.found())
        self.agree("balances", balances, self.balances())
        self.agree("lots", lots, self.lots())
        rows = self.county.run(self.stalls.rows())
        self.compare_market(rows)
        self.compare_days(rows)
        self.agreed = True
        self.time_passes(A_SECOND)

    def balances(self) -> Balances:
        found: Balances = {
            (UNLIMITED, Purpose.fund): self.points.tills[UNLIMITED],
            (UNLIMITED, Purpose.expired): self.points.expired[UNLIMITED],
            (f"takings of {SHOP}", Purpose.takings): self.points.tills[SHOP],
        }
        for n, person in enumerate(self.fair.people):
            found |= {
                (n, Purpose.available): sum(lot.points for lot in person.lots),
                (n, Purpose.held): person.held,
                (n, Purpose.debt): -person.debt,
            }
        return {key: amount for key, amount in found.items() if amount}

    def lots(self) -> Lots:
        found = Counter[tuple[int, datetime]]()
        for n, person in enumerate(self.fair.people):
            for lot in person.lots:
                found[n, lot.ends.astimezone(UTC)] += lot.points
        return dict(+found)

    def compare_market(self, rows: dict[str, Sequence[Any]]) -> None:
        fair, ids = self.fair, self.ids
        people = [one.id for one in self.stalls.town.people]
        names = {reward.id: name for name, reward in self.stalls.goods.items()}
        orders = {row.id: (row.status, row.is_undone) for row in rows["orders"]}
        self.agree("orders", orders, {ids[one]: (one.row, one.is_undone) for one in fair.orders})
        charges = {row.id: (row.status, row.parts) for row in rows["charges"]}
        self.agree("charges", charges, {ids[one]: (one.row, one.parts) for one in fair.charges})
        held = sum(one.points for one in self.points.holds if one.state == "held")
        self.agree("held", held, sum(one.held for one in fair.people))
        waits = {row.id: row.state for row in rows["waits"]}
        self.agree("waits", waits, {ids[one]: one.state for one in fair.waits})
        cards = {row.person_id: row.status for row in rows["cards"]}
        expected = {people[n]: card.state for n, card in enumerate(fair.cards)}
        self.agree("cards", cards, expected)
        codes = {row.code: row.is_used for row in rows["codes"]}
        self.agree("codes", codes, {code: one.is_used for one, code in self.codes.items()})
        stocks = {}
        for row in rows["stocks"]:
            name, begins = names[row.reward_id], row.period_start.astimezone(SHANGHAI)
            month = (begins.year, begins.month) if GOODS[name].monthly else None
            stocks[name, month] = row.remaining
        self.agree("stock", stocks, fair.stock)

    def compare_days(self, rows: dict[str, Sequence[Any]]) -> None:
        fair, ids = self.fair, self.ids
        people = [one.id for one in self.stalls.town.people]
        goods = {name: reward.id for name, reward in self.stalls.goods.items()}
        left = {(row.day_id, row.reward_id): row.remaining for row in rows["items"]}
        expected = {
            (ids[day], goods[name]): count for day in fair.days for name, count in day.left.items()
        }
        self.agree("goods of days", left, expected)
        taken = {row.id: row.taken for row in rows["slots"]}
        places = {
            ids[day, "slot", n]: count for day in fair.days for n, count in enumerate(day.taken)
        }
        self.agree("places", taken, places)
        absences = {(row.person_id, row.day_id, row.skips_next) for row in rows["absences"]}
        missed = {(people[a.who], ids[fair.days[a.day]], a.skips_next) for a in fair.absences}
        self.agree("absences", absences, missed)

    def teardown(self) -> None:
        """Let everything end that can, so that no later run meets it, and prove the ledger."""
        is_proven = False
        try:
            if self.agreed:
                self.end()
                self.county.run(assert_ledger_verifies(self.stalls.runtime))
                is_proven = True
        finally:
            self.county.stop_clock()
            if not is_proven:
                self.county.open()

    def end(self) -> None:
        """Nothing stays held, nobody queues, and every day balances."""
        self.time_passes(AGES)
        self.expire()
        self.settle()
        for day in self.fair.days:
            if day.state == "published":
                self.close(day)
                self.agree("close", day.state, "closed")
        self.agree("held at the end", sum(one.held for one in self.fair.people), 0)
        for wait in self.fair.waits:
            real = self.stalls.leave(wait.who, self.ids[wait])
            self.both("leave", partial(self.fair.leave, wait), real)
        self.end_lots()
        self.as_in_the_model()
