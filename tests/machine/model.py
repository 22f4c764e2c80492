"""What is promised about points, said once more: no database, no lock, one thing after another.

The rules are those of docs/policies.md and docs/decisions/0016, the numbers those of POLICY in
``county``. An act that must be refused raises Refused before it changes anything.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

DAY_CAP, RULE_DAY_CAP = 100, {"service": 25, "honour": 100}
MAX_DEBT, HELD, NOTICE, REVIVED = 50, timedelta(days=7), timedelta(days=3), timedelta(days=30)
# Where points come from and go to: two funds, and what a shop takes.
UNLIMITED, LIMITED, SHOP = "unlimited fund", "limited fund", "shop"
OWED = "owed to the limited fund"  # which must not give it to others


class Refused(Exception):
    """With the code of the refusal."""


def require(is_so: bool, code: str) -> None:
    if not is_so:
        raise Refused(code)


@dataclass(eq=False)
class Lot:
    points: int
    ends: datetime
    issuer: str
    expired: int = 0
    origin: "Lot | None" = None  # whose points they were, if a lot had ended before

    @property
    def first(self) -> "Lot":
        return self.origin or self


@dataclass(eq=False)
class Person:
    lots: list[Lot] = field(default_factory=list)  # in the order in which they were made
    pending: int = 0
    held: int = 0
    spent: int = 0  # and put aside
    debt: int = 0


@dataclass(eq=False)
class Award:
    person: Person
    fund: str
    rule: str
    points: int
    given: datetime
    due: datetime | None  # not known while it waits for reviewers
    state: str = "pending_budget"
    lot: Lot | None = None


@dataclass(eq=False)
class Spending:
    person: Person
    payee: str
    points: int
    taken: list[tuple[Lot, int]]
    ends: datetime
    state: str


class Model:
    def __init__(self, now: datetime) -> None:
        self.now = now  # in Shanghai
        self.tills, self.expired = Counter[str](), Counter[str]()
        self.awards: list[Award] = []
        self.holds: list[Spending] = []

    def award(
        self, person: Person, fund: str, rule: str, points: int, wait: timedelta | None
    ) -> Award:
        """Give what the caps leave. ``wait``: until it is available, None for reviewers."""
        mine = [a for a in self.awards if a.person is person and a.state != "reversed"]
        day = [a for a in mine if a.given.date() == self.now.date()]
        by_rule = RULE_DAY_CAP[rule] - sum(a.points for a in day if a.rule == rule)
        points = max(0, min(points, DAY_CAP - sum(a.points for a in day), by_rule))
        due = None if wait is None else self.now + wait
        award = Award(person, fund, rule, points, self.now, due)
        waiting = any(a.fund == fund and a.state == "pending_budget" for a in self.awards)
        if not points or fund != LIMITED or (not waiting and points <= self.tills[fund]):
            self._pay(award)
        self.awards.append(award)
        return award

    def pay_waiting(self) -> None:
        """Oldest first, and nobody before somebody who waits longer."""
        for award in [a for a in self.awards if a.state == "pending_budget"]:
            if award.points > self.tills[LIMITED]:
                break
            self._pay(award)

    def _pay(self, award: Award) -> None:
        self.tills[award.fund] -= award.points
        award.person.pending += award.points
        award.state = "pending"
        if award.due == award.given:
            self._release(award)

    def approve(self, award: Award) -> None:
        require(award.state == "pending" and award.due is None, "awards.not_pending")
        award.due = self.now + NOTICE

    def release(self) -> None:
        due = [a for a in self.awards if a.state == "pending" and a.due and a.due <= self.now]
        for award in sorted(due, key=lambda a: a.due or self.now):
            self._release(award)

    def _release(self, award: Award) -> None:
        """Make a lot that ends with the month after this; debts are paid first."""
        years, month = divmod(self.now.month + 1, 12)
        ends = datetime(self.now.year + years, month + 1, 1, tzinfo=self.now.tzinfo)
        person, award.lot = award.person, Lot(award.points, ends, award.fund)
        person.lots.append(award.lot)
        person.pending -= award.points
        award.state = "available"
        self._repay(person, award.points)

    def reverse(self, award: Award) -> tuple[int, int, int, int, int]:
        """Return what comes from pending, from available, as a debt, is lost and had expired."""
        require(award.state != "reversed", "ledger.already_settled")
        person = award.person
        if award.state == "available" and award.points:  # of nothing there is nothing to take
            self.end_holds(person)
        points = 0 if award.state == "pending_budget" else award.points
        pending = points if award.state == "pending" else 0
        due = points - pending - self._gone(award)
        found = min(due, self.spendable(person))
        mine = [a for a in self.awards if a.person is person and a is not award]
        standing = sum(a.points - self._gone(a) for a in mine if a.state == "available")
        short = min(due - found, max(person.spent - standing - person.debt, 0))
        owed = min(short, MAX_DEBT - person.debt)
        self._take(person, found, first=award.lot)
        person.pending -= pending
        person.debt += owed
        self.tills[award.fund] += pending + found
        self.tills[OWED if award.fund == LIMITED else award.fund] += owed
        award.state = "reversed"
        return pending, found, owed, short - owed, points - pending - found - short

    def _gone(self, award: Award) -> int:
        """What has expired of an award, by the job or not yet."""
        lots = [lot for lot in award.person.lots if award.lot and lot.first is award.lot]
        return sum(lot.expired + (lot.points if lot.ends <= self.now else 0) for lot in lots)

    def charge(self, person: Person, points: int, payee: str) -> Spending:
        """Spend; what is overdue comes back first, and stays so if it does not suffice."""
        self.end_holds(person)
        charge = Spending(person, payee, points, self._take(person, points), self.now, "paid")
        person.spent += points
        self.tills[payee] += points
        return charge

    def refund(self, charge: Spending) -> None:
        require(charge.state == "paid", "charges.already_refunded")
        self.tills[charge.payee] -= charge.points
        self._give_back(charge, "refunded")

    def hold(self, person: Person, points: int, payee: str) -> Spending:
        """Reserve; what is overdue comes back first, and pays what is owed."""
        overdue = sum(hold.points for hold in self._overdue() if hold.person is person)
        back = overdue - min(person.debt, overdue)
        require(points <= back + self.spendable(person), "points.insufficient")
        self.end_holds(person)
        taken = self._take(person, points)
        self.holds.append(Spending(person, payee, points, taken, self.now + HELD, "held"))
        person.held += points
        person.spent += points
        return self.holds[-1]

    def collect(self, hold: Spending) -> None:
        in_time = hold.state == "held" and hold.ends > self.now
        require(in_time, "redemptions.not_reserved")
        hold.person.held -= hold.points
        self.tills[hold.payee] += hold.points
        hold.state = "collected"

    def cancel(self, hold: Spending) -> None:
        require(hold.state in ("held", "cancelled"), "redemptions.not_reserved")
        if hold.state == "held":
            self._end(hold, "cancelled")

    def end_holds(self, person: Person | None = None) -> None:
        for hold in self._overdue():
            if person in (None, hold.person):
                self._end(hold, "expired")

    def _overdue(self) -> list[Spending]:
        return [hold for hold in self.holds if hold.state == "held" and hold.ends <= self.now]

    def _end(self, hold: Spending, state: str) -> None:
        hold.person.held -= hold.points
        self._give_back(hold, state)

    def end_lots(self, people: list[Person]) -> None:
        for lot in [lot for person in people for lot in person.lots if lot.ends <= self.now]:
            self.expired[lot.issuer] += lot.points
            lot.expired += lot.points
            lot.points = 0

    def living(self, person: Person) -> list[Lot]:
        """Soonest to end first; of those that end together the older."""
        return sorted((lot for lot in person.lots if lot.ends > self.now), key=lambda lot: lot.ends)

    def spendable(self, person: Person) -> int:
        return sum(lot.points for lot in self.living(person))

    def _take(self, person: Person, points: int, first: Lot | None = None) -> list[tuple[Lot, int]]:
        require(points <= self.spendable(person), "points.insufficient")
        taken = []
        for lot in sorted(self.living(person), key=lambda lot: lot.first is not first):
            taken.append((lot, min(lot.points, points)))
            points -= taken[-1][1]
            lot.points -= taken[-1][1]
        return [(lot, part) for lot, part in taken if part]

    def _give_back(self, spending: Spending, state: str) -> None:
        """To the lots that it came from; what has ended since lives on a while."""
        spending.state = state
        spending.person.spent -= spending.points
        for lot, points in spending.taken:
            if lot.ends > self.now:
                lot.points += points
            else:
                until = self.now + REVIVED
                spending.person.lots.append(Lot(points, until, lot.issuer, origin=lot.first))
        self._repay(spending.person, spending.points)

    def _repay(self, person: Person, arrived: int) -> None:
        """What is owed is paid first, from whatever arrives."""
        repaid = min(person.debt, arrived)
        self._take(person, repaid)
        person.debt -= repaid
