"""What is promised about points, said once more: no database, no lock, one thing after another.

The rules are those of docs/policies.md and docs/decisions/0016, the numbers those of POLICY in
``county``. An act that must be refused raises Refused before it changes anything.

Whatever moves a person's points, or might have, first ends what is held too long of them.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

DAY_CAP, RULE_DAY_CAP = 100, {"service": 25, "honour": 100}
PROPOSALS = 2  # of the organizer on one day
MAX_DEBT, HELD, NOTICE, REVIVED = 50, timedelta(days=7), timedelta(days=3), timedelta(days=30)
GRACE = timedelta(minutes=5)  # how long a lot that has ended waits to be taken away
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
class Receipt:
    points: int
    state: str = "standing"


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
        self.proposals = Counter[date]()

    def propose(self, people: list[Person], fund: str, points: int) -> list[Award]:
        """Propose the same for several people; a day has so many proposals."""
        today = self.now.date()
        require(self.proposals[today] < PROPOSALS, "awards.too_many_proposals")
        self.proposals[today] += 1
        return [self.award(person, fund, "honour", points, None) for person in people]

    def receive(self, points: int) -> Receipt:
        self.tills[LIMITED] += points
        return Receipt(points)

    def reverse_receipt(self, receipt: Receipt) -> None:
        """Take the points out of the fund, if it still has as many."""
        require(receipt.state == "standing", "funds.wrong_state")
        require(self.tills[LIMITED] >= receipt.points, "points.insufficient")
        self.tills[LIMITED] -= receipt.points
        receipt.state = "reversed"

    def award(
        self, person: Person, fund: str, rule: str, points: int, wait: timedelta | None
    ) -> Award:
        """Give what the caps leave. ``wait``: until it is available, None for reviewers.

        What waits for reviewers fills no cap, and gets at most what the caps leave to anybody.
        """
        self.end_holds(person)
        due = None if wait is None else self.now + wait
        award = Award(person, fund, rule, points, self.now, due)
        most = min(points, DAY_CAP, RULE_DAY_CAP[rule])
        award.points = most if wait is None else self._left(award)
        points = award.points
        waiting = any(a.fund == fund and a.state == "pending_budget" for a in self.awards)
        if not points or fund != LIMITED or (not waiting and points <= self.tills[fund]):
            self._pay(award)
        self.awards.append(award)
        return award

    def _left(self, award: Award) -> int:
        """What the others of its day leave of an award, but for those that nobody approved."""
        others = [a for a in self.awards if a.person is award.person and a is not award]
        day = [a for a in others if a.given.date() == award.given.date()]
        day = [a for a in day if a.state != "reversed" and a.due is not None]
        by_rule = RULE_DAY_CAP[award.rule] - sum(a.points for a in day if a.rule == award.rule)
        return max(0, min(award.points, DAY_CAP - sum(a.points for a in day), by_rule))

    def pay_waiting(self) -> None:
        """Oldest first, and nobody before somebody who waits longer."""
        waiting = [a for a in self.awards if a.state == "pending_budget"]
        for award in waiting:
            if award.due == award.given:
                self.end_holds(award.person)
        for award in waiting:
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
        """What the caps do not leave at this moment goes back to the fund."""
        require(award.state == "pending" and award.due is None, "awards.not_pending")
        self.end_holds(award.person)
        over = award.points - self._left(award)
        award.points -= over
        award.person.pending -= over
        self.tills[award.fund] += over
        award.due = self.now + NOTICE

    def release(self) -> None:
        due = [a for a in self.awards if a.state == "pending" and a.due and a.due <= self.now]
        for award in sorted(due, key=lambda a: a.due or self.now):
            self.end_holds(award.person)
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

    def reverse(self, award: Award, part: int | None) -> tuple[int, int, int, int, int]:
        """Return what comes from pending, from available, as a debt, is lost and had expired.

        ``part``: of so many of its points; what is left of it stands.
        """
        require(award.state != "reversed", "ledger.already_settled")
        left = 0 if award.state == "pending_budget" else award.points
        require(part is None or part <= left, "ledger.more_than_left")
        person = award.person
        if award.state != "pending_budget" and award.points:  # else there is nothing to take
            self.end_holds(person)
        points = left if part is None else part
        pending = points if award.state == "pending" else 0
        living = max(left - self._gone(award), 0) if award.state == "available" else 0
        due = min(points - pending, living)
        found = min(due, self.spendable(person))
        mine = [a for a in self.awards if a.person is person and a is not award]
        standing = (
            living
            - due
            + sum(max(a.points - self._gone(a), 0) for a in mine if a.state == "available")
        )
        short = min(due - found, max(person.spent - standing - person.debt, 0))
        owed = min(short, MAX_DEBT - person.debt)
        self._take(person, found, first=award.lot)
        person.pending -= pending
        person.debt += owed
        self.tills[award.fund] += pending + found
        self.tills[OWED if award.fund == LIMITED else award.fund] += owed
        if points < left:
            award.points -= points
        else:
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
        self.end_holds(charge.person)
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
        self.end_holds(hold.person)
        hold.person.held -= hold.points
        self.tills[hold.payee] += hold.points
        hold.state = "collected"

    def cancel(self, hold: Spending) -> None:
        in_time = hold.state == "held" and hold.ends > self.now
        require(in_time or hold.state == "cancelled", "redemptions.not_reserved")
        if in_time:
            self.end_holds(hold.person)
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
        for person in people:
            over = [one for one in person.lots if one.points and one.ends <= self.now - GRACE]
            if over:
                self.end_holds(person)
            for lot in over:
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
        """To the lots that it came from; what has ended since lives on a while.

        New lots are made in the order in which the old ones ended, the last one first.
        """
        spending.state = state
        lots = spending.person.lots
        spending.person.spent -= spending.points
        by_age = sorted(spending.taken, key=lambda part: lots.index(part[0]))
        for lot, points in sorted(by_age, key=lambda part: part[0].ends, reverse=True):
            if lot.ends > self.now:
                lot.points += points
            else:
                lots.append(Lot(points, self.now + REVIVED, lot.issuer, origin=lot.first))
        self._repay(spending.person, spending.points)

    def _repay(self, person: Person, arrived: int) -> None:
        """What is owed is paid first, from whatever arrives."""
        repaid = min(person.debt, arrived)
        self._take(person, repaid)
        person.debt -= repaid
