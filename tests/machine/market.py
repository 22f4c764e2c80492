"""What cards, rewards and charges come to, by the rules alone: the model of ``SpendingMachine``.

Points are those of ``model.Model``; redemption days are in ``fair``. The rules are those of
docs/decisions/0050, 0052 and 0053, the numbers those of POLICY in ``wares``. An act that must be
refused raises Refused before it changes anything.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.machine.model import (
    HELD,
    REVIVED,
    SHOP,
    Lot,
    Model,
    Person,
    Refused,
    Spending,
    require,
)
from tests.machine.wares import CONFIRM_ABOVE, GOODS, GRACE, PERSON_DAY, SILVER, STOCKED

CODE, MARGIN, CONFIRM = timedelta(seconds=60), timedelta(seconds=5), timedelta(seconds=60)
WRONG, TEN_MINUTES, A_DAY = 10, timedelta(minutes=10), timedelta(days=1)
DISPUTED, TOLD = timedelta(days=30), timedelta(minutes=30)
NUMBERS, NUMBERS_WITHIN = 5, timedelta(days=30)
Shelf = tuple[str, tuple[int, int] | None]  # a reward, and the month of its stock


@dataclass(eq=False)
class Code:
    who: int
    begins: datetime
    ends: datetime
    purpose: str | None
    is_used: bool = False


@dataclass
class Card:
    """``rank``: the tier that is written down, since when too little was earned for it."""

    state: str = "active"
    ended: list[datetime] = field(default_factory=list)  # numbers that it had
    rank: int = 0
    is_below_since: datetime | None = None


@dataclass(eq=False)
class Order:
    """A redemption. ``row``: its state as it is written, which may be behind the ledger's."""

    who: int
    reward: str
    quantity: int
    spending: Spending
    made: datetime
    shelf: Shelf
    day: int | None = None
    slot: int | None = None
    row: str = "reserved"
    settled: datetime | None = None
    is_undone: bool = False
    is_anew: bool = False  # in the place of one that was undone

    @property
    def is_live(self) -> bool:
        return self.row in ("reserved", "collected") and not self.is_undone


@dataclass(eq=False)
class Proxy:
    order: Order
    is_revoked: bool = False
    is_used: bool = False


@dataclass(eq=False)
class Charge:
    who: int
    points: int
    spending: Spending
    made: datetime
    row: str
    paid: datetime | None
    parts: int = 0  # that were refunded before the rest
    dispute: str | None = None  # open or closed


@dataclass(eq=False)
class Wait:
    who: int
    reward: str
    state: str = "waiting"
    told: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state in ("waiting", "told")


class Market:
    def __init__(self, points: Model, people: list[Person]) -> None:
        self.points, self.people = points, people
        self.cards = [Card() for _ in people]
        self.codes: list[Code] = []
        self.misses: list[datetime] = []
        self.locked_until: datetime | None = None
        self.stock: dict[Shelf, int] = {}
        self.orders: list[Order] = []
        self.proxies: list[Proxy] = []
        self.charges: list[Charge] = []
        self.waits: list[Wait] = []

    @property
    def now(self) -> datetime:
        return self.points.now

    # Cards and codes

    def change_card(self, who: int, act: str) -> None:
        card = self.cards[who]
        allowed = {
            "freeze": ["active"],
            "unfreeze": ["frozen"],
            "lose": ["active", "frozen"],
            "replace": ["active", "lost"],
        }
        require(card.state in allowed[act], "cards.wrong_state")
        if act == "replace":
            ended = [at for at in card.ended if at > self.now - NUMBERS_WITHIN]
            most = NUMBERS + (card.state == "lost")
            require(len(ended) < most, "cards.too_many_numbers")
        if act == "lose" or (act, card.state) == ("replace", "active"):
            card.ended.append(self.now)
        card.state = {"freeze": "frozen", "lose": "lost"}.get(act, "active")
        for code in self.codes:
            if code.who == who and not code.is_used and code.ends > self.now:
                code.ends = self.now

    def fetch(self, who: int, count: int, purpose: str | None) -> list[Code]:
        """Return codes for the minutes to come, those that are there first."""
        require(self.cards[who].state == "active", "cards.suspended")
        live = [
            code
            for code in self.codes
            if (code.who, code.purpose, code.is_used) == (who, purpose, False)
            and code.ends > self.now + MARGIN
        ]
        live.sort(key=lambda code: code.ends)
        if not any(code.begins <= self.now for code in live):
            live.insert(0, self._make_code(who, self.now, purpose))
        while len(live) < count:
            live.append(self._make_code(who, live[-1].ends, purpose))
        return live[:count]

    def _make_code(self, who: int, begins: datetime, purpose: str | None) -> Code:
        self.codes.append(Code(who, begins, begins + CODE, purpose))
        return self.codes[-1]

    def require_code(self, code: Code | None) -> Code:
        """Return a code that is good at the shop now; None: one that was made up."""
        if code is None:
            raise Refused("cards.code_invalid")
        require(not code.is_used, "cards.code_used")
        is_good = code.begins <= self.now < code.ends and code.purpose in (None, "charge")
        require(is_good, "cards.code_invalid")
        require(self.cards[code.who].state == "active", "cards.suspended")
        return code

    def count_miss(self) -> None:
        """Count a wrong code at the till; the tenth in ten minutes locks it for ten."""
        if self.locked_until is not None and self.locked_until > self.now:
            return
        self.misses = [at for at in self.misses if at > self.now - TEN_MINUTES] + [self.now]
        if len(self.misses) >= WRONG:
            self.misses, self.locked_until = [], self.now + TEN_MINUTES

    # Tiers

    def earned_rank(self, who: int) -> int:
        person = self.people[who]
        given = [one for one in self.points.awards if one.person is person]
        return int(sum(one.points for one in given if one.state == "available") >= SILVER)

    def rank(self, who: int) -> int:
        return max(self.cards[who].rank, self.earned_rank(who))

    def review_tiers(self) -> None:
        for who, card in enumerate(self.cards):
            reached = self.earned_rank(who)
            if reached >= card.rank:
                card.rank, card.is_below_since = reached, None
            elif card.is_below_since is None:
                card.is_below_since = self.now
            elif card.is_below_since + GRACE <= self.now:
                card.rank, card.is_below_since = card.rank - 1, None

    # Points

    def put_aside(self, who: int, points: int, ends: datetime) -> Spending:
        held = self.points.hold(self.people[who], points, SHOP)
        held.ends = ends
        self.points.holds.sort(key=lambda one: one.ends)
        return held

    def require_points(self, who: int, points: int) -> None:
        person = self.people[who]
        overdue = [
            one.points
            for one in self.points.holds
            if (one.person, one.state) == (person, "held") and one.ends <= self.now
        ]
        back = sum(overdue) - min(person.debt, sum(overdue))
        enough = points <= back + self.points.spendable(person)
        require(enough, "points.insufficient")

    def give_back(
        self, spending: Spending, points: int, before: int = 0, *, repays: bool = True
    ) -> None:
        """Give points back to their lots, those that end last first, after ``before`` of them."""
        person, left = spending.person, points
        person.spent -= points
        by_age = sorted(spending.taken, key=lambda part: person.lots.index(part[0]))
        for lot, taken in sorted(by_age, key=lambda part: part[0].ends, reverse=True):
            skipped = min(taken, before)
            before -= skipped
            part = min(taken - skipped, left)
            left -= part
            if part and lot.ends > self.now:
                lot.points += part
            elif part:
                revived = Lot(part, self.now + REVIVED, lot.issuer, origin=lot.first)
                person.lots.append(revived)
        if repays:
            self.points._repay(person, points)

    # Rewards

    def shelf(self, reward: str) -> Shelf:
        month = (self.now.year, self.now.month)
        return reward, month if GOODS[reward].monthly else None

    def left(self, shelf: Shelf) -> int:
        stock = GOODS[shelf[0]].stock
        assert stock is not None
        return self.stock.get(shelf, stock)

    def require_card_and_tier(self, who: int, reward: str) -> None:
        require(self.cards[who].state == "active", "cards.suspended")
        require(self.rank(who) >= GOODS[reward].tier, "rewards.tier_too_low")

    def reserve(self, who: int, reward: str, quantity: int) -> Order:
        self.require_card_and_tier(who, reward)
        goods, shelf = GOODS[reward], self.shelf(reward)
        had = sum(o.quantity for o in self.orders if self._counts(o, who, reward, shelf))
        require(goods.limit is None or had + quantity <= goods.limit, "rewards.limit_reached")
        self.require_points(who, goods.points * quantity)
        require(goods.stock is None or self.left(shelf) >= quantity, "rewards.out_of_stock")
        if goods.stock is not None:
            self.stock[shelf] = self.left(shelf) - quantity
        spending = self.put_aside(who, goods.points * quantity, self.now + HELD)
        self.orders.append(Order(who, reward, quantity, spending, self.now, shelf))
        for wait in self.waits:
            if (wait.who, wait.reward) == (who, reward) and wait.is_open:
                wait.state = "reserved"
        return self.orders[-1]

    def _counts(self, one: Order, who: int, reward: str, shelf: Shelf) -> bool:
        """Tell whether an order counts for the limit of the month."""
        same = (one.who, one.reward, one.day) == (who, reward, None)
        in_month = shelf[1] is None or shelf[1] == (one.made.year, one.made.month)
        return same and in_month and one.is_live and (one.row == "collected" or self.is_open(one))

    def is_open(self, order: Order) -> bool:
        return order.row == "reserved" and order.spending.ends > self.now

    def collect(self, order: Order) -> None:
        require(self.is_open(order), "redemptions.not_reserved")
        require(self.cards[order.who].state == "active", "cards.suspended")
        self.hand_out(order)

    def hand_out(self, order: Order) -> None:
        self.points.collect(order.spending)
        order.row, order.settled = "collected", self.now

    def name_proxy(self, order: Order) -> Proxy:
        require(self.is_open(order), "redemptions.not_reserved")
        self.revoke(order)
        self.proxies.append(Proxy(order))
        return self.proxies[-1]

    def revoke(self, order: Order) -> None:
        for one in self.proxies:
            if one.order is order and not one.is_used:
                one.is_revoked = True

    def collect_by(self, proxy: Proxy) -> None:
        require(not proxy.is_revoked, "redemptions.not_found")
        self.collect(proxy.order)
        proxy.is_used = True

    def cancel(self, order: Order) -> None:
        is_done = order.row == "cancelled"
        require(is_done or self.is_open(order), "redemptions.not_reserved")
        if not is_done:
            self.points.cancel(order.spending)
            self.release(order, "cancelled")

    def release(self, order: Order, row: str) -> None:
        """Write that an order has ended, and put its goods back."""
        order.row = row
        if order.shelf in self.stock:
            self.stock[order.shelf] += order.quantity

    def expire(self) -> int:
        """End what nobody collected in time; return how many."""
        over = [o for o in self.orders if o.row == "reserved" and not self.is_open(o)]
        for order in sorted(over, key=lambda one: one.spending.ends):
            self.points.end_holds(self.people[order.who])
            self.release(order, "expired")
        return len(over)

    def undo(self, order: Order) -> Order:
        is_collected = order.row == "collected" and not order.is_undone
        require(is_collected, "redemptions.not_collected")
        assert order.settled is not None
        require(self.now < order.settled + TEN_MINUTES, "redemptions.undo_too_late")
        person, old = self.people[order.who], order.spending
        self.points.end_holds(person)
        self.points.tills[SHOP] -= old.points
        self.give_back(old, old.points, repays=False)
        order.is_undone = True
        ends = max(old.ends, self.now + A_DAY)
        anew = self.put_aside(order.who, old.points, ends)
        made = Order(order.who, order.reward, order.quantity, anew, self.now, order.shelf)
        made.day, made.slot, made.is_anew = order.day, order.slot, True
        self.orders.append(made)
        return made

    def restock(self, reward: str, change: int) -> None:
        shelf = self.shelf(reward)
        require(self.left(shelf) + change >= 0, "rewards.out_of_stock")
        self.stock[shelf] = self.left(shelf) + change

    def wait(self, who: int, reward: str) -> Wait:
        require(self.left(self.shelf(reward)) <= 0, "reward_waits.in_stock")
        mine = [one for one in self.waits if (one.who, one.reward) == (who, reward)]
        there = any(one.is_open for one in mine)
        require(not there, "reward_waits.waiting")
        self.waits.append(Wait(who, reward))
        return self.waits[-1]

    def leave(self, wait: Wait) -> None:
        wait.state = "left" if wait.is_open else wait.state

    def tell_waiting(self) -> int:
        """Tell as many as there are pieces that nobody else was told of; return how many."""
        for one in self.waits:
            if one.state == "told" and one.told and one.told <= self.now - TOLD:
                one.state = "lapsed"
        number = 0
        for reward in STOCKED:
            states = Counter(one.state for one in self.waits if one.reward == reward)
            free = max(self.left(self.shelf(reward)) - states["told"], 0)
            waiting = [o for o in self.waits if (o.reward, o.state) == (reward, "waiting")]
            for one in waiting[:free]:
                one.state, one.told = "told", self.now
                number += 1
        return number

    # Charges

    def charge(self, shown: Code | None, points: int) -> Charge:
        is_locked = self.locked_until is not None and self.locked_until > self.now
        require(not is_locked, "merchants.codes_locked")
        code = self.require_code(shown)
        paid = sum(one.points - one.parts for one in self.charges if self._is_of_today(one, code))
        require(paid + points <= PERSON_DAY, "charges.cap_reached")
        self.require_points(code.who, points)
        code.is_used = True
        waits = points > CONFIRM_ABOVE
        if waits:
            spending = self.put_aside(code.who, points, self.now + CONFIRM)
        else:
            spending = self.points.charge(self.people[code.who], points, SHOP)
        row, paid_at = ("waiting", None) if waits else ("charged", self.now)
        self.charges.append(Charge(code.who, points, spending, self.now, row, paid_at))
        return self.charges[-1]

    def _is_of_today(self, one: Charge, code: Code) -> bool:
        mine = one.who == code.who and one.made.date() == self.now.date()
        return mine and (one.row == "charged" or self.is_waiting(one))

    def is_waiting(self, one: Charge) -> bool:
        return one.row == "waiting" and one.spending.ends > self.now

    def confirm(self, one: Charge) -> None:
        require(self.is_waiting(one), "charges.not_waiting")
        require(self.cards[one.who].state == "active", "cards.suspended")
        self.points.collect(one.spending)
        one.row, one.paid = "charged", self.now

    def refuse(self, one: Charge) -> None:
        require(self.is_waiting(one), "charges.not_waiting")
        self.points.cancel(one.spending)
        one.row = "refused"

    def expire_charges(self) -> int:
        over = [one for one in self.charges if one.row == "waiting" and not self.is_waiting(one)]
        for one in sorted(over, key=lambda one: one.spending.ends):
            self.points.end_holds(self.people[one.who])
            one.row = "expired"
        return len(over)

    def refund(self, one: Charge, points: int | None) -> None:
        """Give back so much of a charge, None: all that is left of it."""
        require(one.row in ("charged", "refunded"), "charges.not_paid")
        require(one.row != "refunded", "charges.already_refunded")
        left = one.points - one.parts
        points = points or left
        require(points <= left, "charges.refund_too_large")
        self.points.end_holds(self.people[one.who])
        self.points.tills[SHOP] -= points
        self.give_back(one.spending, points, one.parts)
        if points < left:
            one.parts += points
        else:
            one.row = "refunded"
            one.dispute = one.dispute and "closed"

    def open_dispute(self, one: Charge) -> None:
        require(one.dispute is None, "charges.disputed_before")
        require(one.row == "charged", "charges.not_disputable")
        assert one.paid is not None
        require(self.now < one.paid + DISPUTED, "charges.dispute_too_late")
        one.dispute = "open"

    def decide(self, one: Charge, points: int | None, *, upheld: bool) -> None:
        require(one.dispute == "open", "charges.not_disputed")
        if upheld:
            self.refund(one, points)
        one.dispute = "closed"
