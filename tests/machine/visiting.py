"""The machine of spending: cards, charges, rewards, and redemption days with their counters."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from app.schemas.day_orders import SubstitutionOut
from tests.machine.fair import TIMES, Day, Substitution
from tests.machine.market import Order
from tests.machine.shopping import Shopping
from tests.machine.spending import picks, quantities, who

items = st.sampled_from(["soap", "tea", "tea", "medal"])


class SpendingMachine(Shopping):
    def day(self) -> Day:
        """Return the day that runs; a new one if the last one is over."""
        days = self.fair.days
        if days and self.points.now < days[-1].at("ends_at"):
            return days[-1]
        done = self.both("open", self.fair.open_day, self.stalls.open_day())
        assert done is not None, "organizers may publish"
        day, out = done
        self.ids[day] = out.id
        names = {reward.id: name for name, reward in self.stalls.goods.items()}
        for item in out.items:
            self.ids[day, "item", names[item.reward_id]] = item.id
        for number, slot in enumerate(out.slots):
            self.ids[day, "slot", number] = slot.id
        return day

    @rule()
    def day_goes_on(self) -> None:
        """Let the next thing begin: hand-overs, the end of orders, walk-ins, the end."""
        day = self.day()
        ahead = [day.at(name) - self.points.now for name in TIMES if day.at(name) > self.points.now]
        self.time_passes(min(ahead))

    @rule(orders=st.lists(st.tuples(who, items, quantities), min_size=1, max_size=4), pick=picks)
    def order(self, orders: list[tuple[int, str, int]], pick: int) -> None:
        """Mostly the first person comes in the first slot, the others in the second."""
        for person, item, quantity in orders:
            self.order_one(person, item, quantity, int(person > 0 or pick > 7))

    def order_one(self, person: int, item: str, quantity: int, slot: int) -> None:
        day = self.day()
        real = self.stalls.order(
            person, self.ids[day], self.item(day, item), quantity, self.ids[day, "slot", slot]
        )
        done = self.both("order", lambda: self.fair.order(day, person, item, quantity, slot), real)
        if done:
            self.ids[done[0]] = done[1].id

    def has_begun(self) -> bool:
        """Tell whether the counters of the last day have opened."""
        days = self.fair.days
        return bool(days) and self.points.now >= days[-1].at("starts_at")

    def of_days(self) -> list[Order]:
        return [one for one in self.fair.orders if one.day is not None]

    @precondition(lambda self: any(map(self.fair.is_open, self.of_days())))
    @rule(pick=picks)
    def hand_over(self, pick: int) -> None:
        if order := self.pick(self.of_days(), pick, self.fair.is_open):
            day, code = self.fair.day_of(order), self.pickup_code(order)
            self.handed_over(day, order, pickup_code=code)

    def pickup_code(self, order: Order) -> str:
        return self.county.run(self.stalls.pickup_code(self.ids[order]))

    @precondition(lambda self: self.has_begun())
    @rule(person=who, pick=picks)
    def hand_over_by_card(self, person: int, pick: int) -> None:
        day = self.day()
        shown, digits = self.shown(person, pick)
        self.handed_over(day, shown, card_code=digits)

    def handed_over(self, day: Day, shown: Any, **code: str) -> None:
        done = self.both(
            "hand over",
            lambda: self.fair.hand_over(day, shown),
            self.stalls.hand_over(self.ids[day], **code),
        )
        if done:
            self.agree("orders handed over", len(done[1].orders), done[0])

    @precondition(lambda self: self.has_begun())
    @rule(person=who, pick=picks, item=items, quantity=quantities)
    def walk_in(self, person: int, pick: int, item: str, quantity: int) -> None:
        day = self.day()
        shown, digits = self.shown(person, pick)
        done = self.both(
            "walk in",
            lambda: self.fair.walk_in(day, shown, item, quantity),
            self.stalls.walk_in(self.ids[day], self.item(day, item), quantity, digits),
        )
        if done:
            self.ids[done[0]] = done[1].orders[0].id

    @precondition(lambda self: self.of_days())
    @rule(pick=picks, item=items, agrees=st.sampled_from(["card", "card", "phone", "other card"]))
    def propose(self, pick: int, item: str, agrees: str) -> None:
        order = self.pick(self.of_days(), pick, self.fair.is_open)
        if order is None:
            return
        shown, digits = None, None
        if agrees != "phone":
            person = order.who if agrees == "card" else (order.who + 1) % 3
            shown, digits = self.shown(person, 0)
        day = self.fair.day_of(order)
        real = self.stalls.propose(self.ids[day], self.ids[order], self.item(day, item), digits)
        if shown is None and digits is not None:  # the card is out of hand: nothing is shown
            real.close()
            return
        done = self.both("propose", lambda: self.fair.propose(order, item, shown), real)
        if done:
            self.replaced(*done)

    def replaced(self, made: Substitution, out: SubstitutionOut) -> None:
        self.ids[made] = out.id
        self.agree("state of a substitution", out.state, made.state)
        if made.state == "accepted":
            assert out.replaced_by is not None
            self.ids[self.fair.orders[-1]] = out.replaced_by

    @precondition(lambda self: self.fair.substitutions)
    @rule(pick=picks, accept=st.sampled_from([True, True, False]))
    def answer(self, pick: int, accept: bool) -> None:
        found = self.fair.substitutions
        made = self.pick(found, pick, lambda one: one.state == "proposed")
        if made:
            day = self.fair.day_of(made.order)
            real = self.stalls.answer(made.order.who, self.ids[day], self.ids[made], accept=accept)
            done = self.both("answer", lambda: self.fair.answer(made, accept=accept), real)
            if done:
                self.replaced(made, done[1])

    @precondition(lambda self: self.fair.days)
    @rule(item=items, change=st.sampled_from([1, -1, -2]), is_meant=st.booleans())
    def move(self, item: str, change: int, is_meant: bool) -> None:
        day = self.fair.days[-1]
        if is_meant:
            self.both(
                "move",
                lambda: self.fair.move(day, item, change),
                self.stalls.move(self.ids[day], self.item(day, item), change),
            )

    @precondition(lambda self: any(one.state == "published" for one in self.fair.days))
    @rule(pick=picks, miscounts=st.sampled_from([True, False, False]))
    def close_a_day(self, pick: int, miscounts: bool) -> None:
        day = self.pick(self.fair.days, pick, lambda one: one.state == "published")
        if day:
            self.close(day, miscounts=miscounts)

    @rule()
    def settle_days(self) -> None:
        """What nobody collected ends, and who missed a day is known."""
        self.expire()
        self.settle()
