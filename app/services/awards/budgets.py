"""What limited funds can pay for a batch of awards."""

from app.models.ledger import Purpose
from app.services.ledger.types import AccountKey


class Budgets:
    """What limited funds can pay for the awards of a batch, in its order.

    Waiting awards are paid first: while a fund has any, it pays no new award.
    """

    def __init__(self, left: dict[AccountKey, int]) -> None:
        self._left = left

    def pays(self, fund: AccountKey, points: int) -> bool:
        if fund.purpose is not Purpose.budget or points == 0:
            return True
        if self._left[fund] < points:
            self._left[fund] = 0  # later awards must not be paid before this one
            return False
        self._left[fund] -= points
        return True
