"""What redemption days come to, by the rules alone: the rest of the model of ``SpendingMachine``.

The rules are those of docs/decisions/0054. A day begins when it is published: see TIMES.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.machine.market import Code, Market, Order
from tests.machine.model import Model, Person, require
from tests.machine.wares import GOODS

HOUR = timedelta(hours=1)
TIMES = {  # from the publication on
    "opens_at": 0 * HOUR,
    "closes_at": 3 * HOUR,
    "starts_at": 1 * HOUR,
    "walk_ins_at": 4 * HOUR,
    "ends_at": 6 * HOUR,
}
ITEMS = {"soap": 2, "tea": 3, "medal": 2}  # pieces
SOAP_LIMIT, DAY_LIMIT = 1, 3
SLOTS = [(1 * HOUR, 2 * HOUR, 1), (2 * HOUR, 4 * HOUR, 2)]  # from, until, people
MISSED, MISSED_WITHIN = 2, timedelta(days=366)


@dataclass(eq=False)
class Day:
    number: int
    published: datetime
    left: dict[str, int] = field(default_factory=lambda: dict(ITEMS))
    taken: list[int] = field(default_factory=lambda: [0] * len(SLOTS))
    state: str = "published"
    is_settled: bool = False

    def at(self, name: str) -> datetime:
        return self.published + TIMES[name]


@dataclass(eq=False)
class Substitution:
    order: Order
    item: str
    state: str = "proposed"


@dataclass(frozen=True)
class Absence:
    who: int
    day: int
    skips_next: bool


class Fair(Market):
    """The market, and its redemption days one after the other."""

    def __init__(self, points: Model, people: list[Person]) -> None:
        super().__init__(points, people)
        self.days: list[Day] = []
        self.substitutions: list[Substitution] = []
        self.absences: list[Absence] = []

    def open_day(self) -> Day:
        self.days.append(Day(len(self.days), self.now))
        return self.days[-1]

    def require_time(self, day: Day, since: str, until: str) -> None:
        require(day.state == "published", "redemption_days.wrong_state")
        require(day.at(since) <= self.now < day.at(until), "redemption_days.not_open")

    def live(self, day: Day, who: int) -> list[Order]:
        return [
            one for one in self.orders if one.is_live and (one.day, one.who) == (day.number, who)
        ]

    def require_admitted(self, day: Day, who: int, item: str) -> None:
        mine = [one for one in self.absences if one.who == who and one.skips_next]
        is_skipped = any(one.day + 1 == day.number for one in mine)
        require(not is_skipped, "redemption_days.skipped")
        self.require_card_and_tier(who, item)

    def require_limits(
        self, day: Day, who: int, item: str, quantity: int, but: Order | None = None
    ) -> None:
        live = [one for one in self.live(day, who) if one is not but]
        of_item = sum(one.quantity for one in live if one.reward == item)
        within = item != "soap" or of_item + quantity <= SOAP_LIMIT
        within = within and sum(one.quantity for one in live) + quantity <= DAY_LIMIT
        require(within, "day_orders.limit_reached")

    def order(self, day: Day, who: int, item: str, quantity: int, slot: int) -> Order:
        self.require_time(day, "opens_at", "closes_at")
        self.require_admitted(day, who, item)
        self.require_limits(day, who, item, quantity)
        held = [one.slot for one in self.live(day, who) if one.slot is not None]
        if held:
            require(slot in held, "request.invalid")
        else:
            _, until, capacity = SLOTS[slot]
            require(day.published + until > self.now, "request.invalid")
            require(day.taken[slot] < capacity, "day_orders.slot_full")
        made = self._reserve(day, who, item, quantity, day.at("walk_ins_at"))
        made.slot = slot
        day.taken[slot] += not held
        return made

    def _reserve(self, day: Day, who: int, item: str, quantity: int, ends: datetime) -> Order:
        points = GOODS[item].points * quantity
        self.require_points(who, points)
        require(day.left[item] >= quantity, "day_orders.out_of_stock")
        day.left[item] -= quantity
        spending = self.put_aside(who, points, ends)
        made = Order(who, item, quantity, spending, self.now, (item, None), day.number)
        self.orders.append(made)
        return made

    def release(self, order: Order, row: str) -> None:
        if order.day is None:
            super().release(order, row)
            return
        order.row = row
        day = self.days[order.day]
        day.left[order.reward] += order.quantity
        same = [one for one in self.live(day, order.who) if one.slot == order.slot]
        if order.slot is not None and not same:
            day.taken[order.slot] -= 1

    def collect(self, order: Order) -> None:
        """Collect at the merchant's own counter, which leaves a day's orders to the day's."""
        require(order.day is None or order.is_anew, "redemptions.not_found")
        super().collect(order)

    def hand_over(self, day: Day, shown: Order | Code | None) -> int:
        """Hand over all that a person has reserved; return how many orders."""
        self.require_time(day, "starts_at", "ends_at")
        if isinstance(shown, Order):
            require(self.is_open(shown), "redemptions.not_reserved")
            who = shown.who
        else:
            who = self.require_code(shown).who
        mine = [one for one in self.live(day, who) if self.is_open(one)]
        require(bool(mine), "day_orders.nothing_to_hand_over")
        require(self.cards[who].state == "active", "cards.suspended")
        if isinstance(shown, Code):
            shown.is_used = True
        for one in mine:
            self.hand_out(one)
        return len(mine)

    def walk_in(self, day: Day, shown: Code | None, item: str, quantity: int) -> Order:
        self.require_time(day, "walk_ins_at", "ends_at")
        code = self.require_code(shown)
        self.require_admitted(day, code.who, item)
        self.require_limits(day, code.who, item, quantity)
        made = self._reserve(day, code.who, item, quantity, day.at("ends_at"))
        code.is_used = True
        self.hand_out(made)
        return made

    def propose(self, order: Order, item: str, shown: Code | None) -> Substitution:
        """Propose a substitute; with the code of the person's card it is done at once."""
        day = self.day_of(order)
        require(day.state == "published", "redemption_days.wrong_state")
        require(self.is_open(order), "redemptions.not_reserved")
        dearer = GOODS[item].points > GOODS[order.reward].points
        require(item != order.reward and not dearer, "day_orders.substitute_unfit")
        there = [one for one in self.substitutions if one.order is order]
        is_there = any(one.state != "declined" for one in there)
        require(not is_there, "day_orders.substitution_there")
        made = Substitution(order, item)
        if shown is not None:
            code = self.require_code(shown)
            require(code.who == order.who, "cards.code_invalid")
            self._replace(made)
            code.is_used = True
        self.substitutions.append(made)
        return made

    def answer(self, made: Substitution, *, accept: bool) -> None:
        require(self.day_of(made.order).state == "published", "redemption_days.wrong_state")
        require(made.state == "proposed", "day_orders.wrong_state")
        if not accept:
            made.state = "declined"
            return
        require(self.is_open(made.order), "redemptions.not_reserved")
        self._replace(made)

    def day_of(self, order: Order) -> Day:
        assert order.day is not None
        return self.days[order.day]

    def _replace(self, one: Substitution) -> None:
        """Hold the lower price in place of an order's, from what it gives back and the rest."""
        order, item = one.order, one.item
        day, old = self.day_of(order), order.spending
        self.require_card_and_tier(order.who, item)
        self.require_limits(day, order.who, item, order.quantity, but=order)
        require(day.left[item] >= order.quantity, "day_orders.out_of_stock")
        person = self.people[order.who]
        self.points.end_holds(person)
        person.held -= old.points
        self.give_back(old, old.points, repays=False)
        old.state = "cancelled"
        made = self._reserve(day, order.who, item, order.quantity, old.ends)
        made.slot = order.slot
        one.state = "accepted"
        self.release(order, "cancelled")

    def undo(self, order: Order) -> Order:
        is_closed = order.day is not None and self.day_of(order).state == "closed"
        late = order.row == "collected" and not order.is_undone and is_closed
        require(not late, "redemptions.undo_too_late")
        return super().undo(order)

    def move(self, day: Day, item: str, change: int) -> None:
        require(day.state == "published", "redemption_days.wrong_state")
        require(day.left[item] + change >= 0, "day_orders.out_of_stock")
        day.left[item] += change

    def close(self, day: Day, *, miscounts: bool) -> None:
        require(day.state == "published", "redemption_days.wrong_state")
        require(self.now >= day.at("ends_at"), "redemption_days.not_open")
        waits = [one for one in self.orders if (one.day, one.row) == (day.number, "reserved")]
        require(not waits and not miscounts, "redemption_days.unbalanced")
        day.state = "closed"

    def settle(self) -> int:
        """Record who missed the days that are over; return how many days."""
        done = 0
        for day in self.days:
            orders = [one for one in self.orders if one.day == day.number]
            waits = any(one.row == "reserved" for one in orders)
            if day.is_settled or waits or self.now < day.at("ends_at"):
                continue
            day.is_settled = True
            done += 1
            for who in sorted({one.who for one in orders if one.row == "expired"}):
                came = [one for one in self.live(day, who) if one.row == "collected"]
                if not came:
                    self.miss(day, who)
        return done

    def miss(self, day: Day, who: int) -> None:
        """Record an absence, and whether the next day is skipped for it."""
        since, count = self.now - MISSED_WITHIN, 1
        for one in sorted(self.absences, key=lambda one: one.day, reverse=True):
            if one.who != who or self.days[one.day].at("starts_at") < since:
                continue
            if one.skips_next:
                break
            count += 1
        self.absences.append(Absence(who, day.number, count >= MISSED))
