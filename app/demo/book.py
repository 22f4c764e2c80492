"""Expected balances and statements, computed from the actions of the demonstration.

Independent of the service: it never reads a balance from the API.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from app.demo.cast import masked


@dataclass
class Account:
    """A resident's points by state, minutes of volunteering, points earned, deducted, exchanged."""

    available: int = 0
    pending: int = 0
    held: int = 0
    minutes: int = 0
    earned: int = 0
    deducted: int = 0
    exchanged: int = 0


class StatementLine(NamedTuple):
    """A line of a merchant's statement; a refund and an undone collection are negative."""

    kind: str
    points: int
    person: str
    note: str


@dataclass
class Book:
    """Accounts by the resident's name; statement lines by the merchant's."""

    accounts: dict[str, Account] = field(default_factory=dict)
    statements: dict[str, Counter[StatementLine]] = field(default_factory=dict)

    def open(self, name: str) -> None:
        self.accounts[name] = Account()

    def award(self, name: str, points: int, minutes: int = 0) -> None:
        account = self.accounts[name]
        account.available += points
        account.earned += points
        account.minutes += minutes

    def propose(self, name: str, points: int, minutes: int = 0) -> None:
        """Note points that wait for reviewers, and minutes that count already."""
        self.accounts[name].pending += points
        self.accounts[name].minutes += minutes

    def approve(self, name: str, points: int) -> None:
        self.accounts[name].pending -= points
        self.award(name, points)

    def hold(self, name: str, points: int) -> None:
        self.accounts[name].available -= points
        self.accounts[name].held += points

    def give_up(self, name: str, points: int) -> None:
        self.hold(name, -points)

    def collect(self, name: str, points: int, merchant: str, reward: str) -> None:
        self.accounts[name].held -= points
        self._write(merchant, StatementLine("collect", points, masked(name), reward))

    def undo(self, name: str, points: int, merchant: str, reason: str) -> None:
        self.accounts[name].held += points
        self._write(merchant, StatementLine("undo", -points, masked(name), reason))

    def deduct(self, name: str, points: int) -> None:
        """Note a deduction; negative: a granted appeal."""
        self.accounts[name].available -= points
        self.accounts[name].deducted += points

    def exchange(self, name: str, points: int) -> None:
        """Note points that went to another programme; negative: that came back."""
        self.accounts[name].available -= points
        self.accounts[name].exchanged += points

    def charge(self, name: str, points: int, merchant: str, note: str) -> None:
        self.accounts[name].available -= points
        self._write(merchant, StatementLine("charge", points, masked(name), note))

    def refund(self, name: str, points: int, merchant: str, reason: str) -> None:
        self.accounts[name].available += points
        self._write(merchant, StatementLine("refund", -points, masked(name), reason))

    def sums(self, merchant: str) -> dict[str, int]:
        """Return a statement's sums under the API's names."""
        lines = list(self.statements.get(merchant, Counter[StatementLine]()).elements())
        by_kind = {
            kind: sum(line.points for line in lines if line.kind == kind)
            for kind in ("charge", "refund", "collect", "undo")
        }
        return {
            "charged": by_kind["charge"],
            "refunded": -by_kind["refund"],
            "collected": by_kind["collect"],
            "undone": -by_kind["undo"],
            "net": sum(by_kind.values()),
        }

    def total(self, what: str) -> int:
        return sum(getattr(account, what) for account in self.accounts.values())

    def _write(self, merchant: str, line: StatementLine) -> None:
        self.statements.setdefault(merchant, Counter())[line] += 1
