"""The machine of cards, charges and rewards; ``visiting`` adds redemption days."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.machine.market import Charge, Code, Order
from tests.machine.model import UNLIMITED, Award
from tests.machine.spending import Spending, picks, quantities, who
from tests.machine.wares import STOCKED

MADE_UP = "0" * 18
NO_WAIT = timedelta(0)
LEAPS = [
    *(timedelta(seconds=seconds) for seconds in (20, 58)),
    *(timedelta(minutes=minutes) for minutes in (11, 31, 60)),
    *(timedelta(days=days) for days in (1, 4, 8, 31)),
]
rewards = st.sampled_from(["soap", "soap", "tea", "tea", "medal"])
stocked = st.sampled_from(STOCKED)
purposes = st.sampled_from([None, None, "charge", "attendance"])
# Mostly a small amount, sometimes one that the payer has to confirm.
amounts = st.integers(1, 12) | st.integers(13, 45)
parts = st.none() | st.integers(1, 8) | st.integers(1, 8)


class Shopping(Spending):
    @initialize(amounts=st.tuples(*[st.integers(40, 90)] * 3))
    def begin(self, amounts: tuple[int, ...]) -> None:
        """Everybody has something to spend from the start."""
        for person, points in enumerate(amounts):
            self.award(person, points)

    @rule(person=who, points=st.none() | st.integers(5, 60), pick=picks)
    def earn(self, person: int, points: int | None, pick: int) -> None:
        """Award points; None: reverse an award, which may cost a tier."""
        award = self.pick(self.points.awards, pick, _stands)
        if points is not None:
            self.award(person, points)
        elif award:
            real = self.stalls.town.reverse(self.ids[award], None)
            self.both("reverse", lambda: self.points.reverse(award, None), real)

    def award(self, person: int, points: int) -> None:
        done = self.both(
            "award",
            lambda: self.points.award(
                self.fair.people[person], UNLIMITED, "honour", points, NO_WAIT
            ),
            self.stalls.town.award([(person, points)], UNLIMITED, "honour", "rotating_code"),
        )
        if done:
            award, [given] = done
            self.ids[award] = given.id
            self.agree("points of an award", given.points, award.points)

    @rule(person=who, act=st.sampled_from(["freeze", "mend", "mend", "lose", "replace"]))
    def change_card(self, person: int, act: str) -> None:
        """Cards that are out of hand are mended more often than not."""
        state = self.fair.cards[person].state
        if act == "mend":
            act = "replace" if state == "lost" else "unfreeze"
        self.both(
            act,
            lambda: self.fair.change_card(person, act),
            self.stalls.change_card(person, act),
        )

    @rule(person=who, count=st.integers(1, 5), purpose=purposes)
    def fetch(self, person: int, count: int, purpose: str | None) -> None:
        """A phone fetches codes for the minutes to come."""
        self.codes_of(person, count, purpose)

    def codes_of(self, person: int, count: int, purpose: str | None) -> list[Code]:
        done = self.both(
            "fetch",
            lambda: self.fair.fetch(person, count, purpose),
            self.stalls.fetch(person, count, purpose),
        )
        if not done:
            return []
        codes, shown = done
        times = [(one.begins, one.ends) for one in codes]
        self.agree("codes", [(one.valid_from, one.expires_at) for one in shown], times)
        for code, one in zip(codes, shown, strict=True):
            self.agree("code", one.code, self.codes.setdefault(code, one.code))
        return codes

    def shown(self, person: int, pick: int) -> tuple[Code | None, str]:
        """Return what is shown at a counter: a new code, mostly, or one of before."""
        codes = list(self.codes)
        if pick < 6:
            found = self.codes_of(person, 1, "charge")
            code = found[0] if found else None
        else:
            code = self.pick(codes, pick, lambda one: True)
        return code, self.codes[code] if code else MADE_UP

    @rule(person=who, amounts=st.lists(st.tuples(amounts, picks), min_size=1, max_size=3))
    def pay(self, person: int, amounts: list[tuple[int, int]]) -> None:
        for points, pick in amounts:
            self.pay_with(*self.shown(person, pick), points)

    @rule(times=st.integers(1, 6))
    def guess(self, times: int) -> None:
        for _ in range(times):
            self.pay_with(None, MADE_UP, 1)

    def pay_with(self, code: Code | None, digits: str, points: int) -> None:
        wrong = self.told["charge: cards.code_invalid"]
        done = self.both(
            "charge",
            lambda: self.fair.charge(code, points),
            self.stalls.charge(digits, points),
        )
        if done:
            charge, out = done
            self.ids[charge] = out.id
            self.agree("state of a charge", out.status, charge.row)
        if self.told["charge: cards.code_invalid"] > wrong:
            self.both("miss", self.fair.count_miss, self.stalls.count_miss())

    @precondition(lambda self: any(one.row == "waiting" for one in self.fair.charges))
    @rule(pick=picks, confirms=st.sampled_from([True, True, False]))
    def answer_charge(self, pick: int, confirms: bool) -> None:
        if charge := self.pick(self.fair.charges, pick, self.fair.is_waiting):
            act = self.fair.confirm if confirms else self.fair.refuse
            real = self.stalls.answer_charge(charge.who, self.ids[charge], confirms=confirms)
            self.both("confirm" if confirms else "refuse", lambda: act(charge), real)

    @precondition(lambda self: self.fair.charges)
    @rule(pick=picks, points=st.lists(parts, min_size=1, max_size=3))
    def refund(self, pick: int, points: list[int | None]) -> None:
        if charge := self.pick(self.fair.charges, pick, _is_charged):
            for part in points:
                self.refund_one(charge, part)

    def refund_one(self, charge: Charge, part: int | None) -> None:
        self.both(
            "refund",
            lambda: self.fair.refund(charge, part),
            self.stalls.refund(self.ids[charge], part),
        )
        self.told["refund: after a part"] += charge.row == "refunded" and charge.parts > 0

    @precondition(lambda self: self.fair.charges)
    @rule(pick=picks)
    def dispute(self, pick: int) -> None:
        if charge := self.pick(self.fair.charges, pick, _is_charged):
            self.both(
                "dispute",
                lambda: self.fair.open_dispute(charge),
                self.stalls.dispute(charge.who, self.ids[charge]),
            )

    @precondition(lambda self: any(one.dispute for one in self.fair.charges))
    @rule(pick=picks, points=parts, upheld=st.booleans())
    def decide(self, pick: int, points: int | None, upheld: bool) -> None:
        if charge := self.pick(self.fair.charges, pick, lambda one: one.dispute == "open"):
            self.both(
                "decide",
                lambda: self.fair.decide(charge, points, upheld=upheld),
                self.stalls.decide(self.ids[charge], points, upheld=upheld),
            )

    @rule(wanted=st.lists(st.tuples(who, rewards, quantities), min_size=1, max_size=3))
    def reserve(self, wanted: list[tuple[int, str, int]]) -> None:
        for person, reward, quantity in wanted:
            self.reserve_one(person, reward, quantity)

    def reserve_one(self, person: int, reward: str, quantity: int) -> None:
        done = self.both(
            "reserve",
            lambda: self.fair.reserve(person, reward, quantity),
            self.stalls.reserve(person, reward, quantity),
        )
        if done:
            self.ids[done[0]] = done[1].id

    @precondition(lambda self: self.fair.orders)
    @rule(pick=picks, is_revoked=st.sampled_from([True, False, False, False]))
    def name_proxy(self, pick: int, is_revoked: bool) -> None:
        order = self.pick(self.fair.orders, pick, self.fair.is_open)
        if order and is_revoked:
            real = self.stalls.revoke(order.who, self.ids[order])
            self.both("revoke", lambda: self.fair.revoke(order), real)
        elif order:
            named = self.stalls.name_proxy(order.who, self.ids[order])
            done = self.both("name", lambda: self.fair.name_proxy(order), named)
            if done:
                self.proxies[done[0]] = done[1]

    @precondition(lambda self: self.fair.orders)
    @rule(pick=picks)
    def collect(self, pick: int) -> None:
        if order := self.pick(self.fair.orders, pick, self.fair.is_open):
            real = self.stalls.collect(self.county.run(self.stalls.pickup_code(self.ids[order])))
            self.both("collect", lambda: self.fair.collect(order), real)

    @precondition(lambda self: self.fair.proxies)
    @rule(pick=picks)
    def collect_by_proxy(self, pick: int) -> None:
        found = self.pick(self.fair.proxies, pick, lambda one: self.fair.is_open(one.order))
        if found:
            real = self.stalls.collect(self.proxies[found])
            self.both("proxy", lambda: self.fair.collect_by(found), real)

    @precondition(lambda self: self.fair.orders)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if order := self.pick(self.fair.orders, pick, self.fair.is_open):
            real = self.stalls.cancel(order.who, self.ids[order])
            self.both("cancel", lambda: self.fair.cancel(order), real)

    @precondition(lambda self: any(map(_is_collected, self.fair.orders)))
    @rule(pick=picks)
    def undo(self, pick: int) -> None:
        if order := self.pick(self.fair.orders, pick, _is_collected):
            real = self.stalls.undo(self.ids[order])
            done = self.both("undo", lambda: self.fair.undo(order), real)
            if done:
                self.ids[done[0]] = done[1]

    @rule(person=who, reward=stocked, change=st.sampled_from([1, -1, -2, 0, 0, 0]))
    def restock_or_wait(self, person: int, reward: str, change: int) -> None:
        """Goods come or go; 0: somebody queues for them."""
        if change == 0:
            self.wait(person, reward)
            return
        self.both(
            "restock",
            lambda: self.fair.restock(reward, change),
            self.stalls.restock(reward, change),
        )

    def wait(self, person: int, reward: str) -> None:
        done = self.both(
            "wait",
            lambda: self.fair.wait(person, reward),
            self.stalls.wait(person, reward),
        )
        if done:
            self.ids[done[0]] = done[1]

    @rule(leap=st.sampled_from(LEAPS))
    def pass_time(self, leap: timedelta) -> None:
        self.time_passes(leap)

    @rule(is_late=st.booleans())
    def run_jobs(self, is_late: bool) -> None:
        """Run the frequent jobs, or those that run now and then too."""
        self.expire()
        self.tell_waiting()
        if is_late:
            self.review_tiers()
            self.end_lots()


def _stands(award: Award) -> bool:
    return award.state == "available"


def _is_charged(charge: Charge) -> bool:
    return charge.row == "charged"


def _is_collected(order: Order) -> bool:
    return order.row == "collected" and not order.is_undone
