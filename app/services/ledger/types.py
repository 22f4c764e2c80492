"""The ledger's words: account keys, postings and their outcomes. Pure values."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.errors import Refusal
from app.models.ledger import Kind, Purpose

POINTS = 1
MINUTES = 2


# How long points live on that a refund gave back after they had expired, by default.
REVIVED_FOR = timedelta(days=30)
_BOTTOMLESS = (Purpose.fund, Purpose.debt, Purpose.income)


class AccountKey(NamedTuple):
    """An account, named by whose it is, what for and in which unit."""

    owner_id: UUID
    purpose: Purpose
    unit_id: int = POINTS

    @property
    def floor(self) -> int | None:
        """The lowest balance: none for a 公益银行 without a budget, nor for what is owed."""
        return None if self.purpose in _BOTTOMLESS else 0

    @property
    def has_lots(self) -> bool:
        """Whether what is in it expires. Hours of service never do."""
        return self.purpose is Purpose.available and self.unit_id != MINUTES

    @property
    def debt(self) -> "AccountKey":
        """The account of what its owner owes, in the same unit."""
        return self._replace(purpose=Purpose.debt)


@dataclass(frozen=True, slots=True)
class Posting:
    """A command to move ``amount`` (> 0, in the unit of both accounts).

    ``reference`` is the business fact, unique for ever: posting it again returns the
    first transfer. ``closes_id`` is the transfer that this one settles; one can be
    settled once. ``expires_at`` makes a lot of what arrives in a person's account;
    without it, what arrives goes back to the lots that the closed transfer used, and of
    what has expired of them it makes a lot that lives until ``revived_until``.
    ``lot_id`` takes from that lot only, though it has expired.
    """

    id: UUID
    payer: AccountKey
    payee: AccountKey
    amount: int
    kind: Kind
    reason: str
    reference: str
    source_type: str
    source_id: UUID
    org_id: UUID
    closes_id: UUID | None = None
    expires_at: datetime | None = None
    revived_until: datetime | None = None
    lot_id: UUID | None = None

    def __post_init__(self) -> None:
        assert self.amount > 0, "a transfer moves something"
        assert self.payer.unit_id == self.payee.unit_id, "points do not turn into minutes"
        assert not (self.payee.has_lots and self.expires_at is None and self.closes_id is None)


@dataclass(frozen=True, slots=True)
class Posted:
    """The transfer exists. ``replayed``: it did before this call."""

    transfer_id: UUID
    from_number: int
    to_number: int
    from_balance: int
    to_balance: int
    created_at: datetime
    replayed: bool = False


class InsufficientPoints(Refusal):
    code, status, title = "points.insufficient", 409, "Not enough points"
    zh, en = "积分不足", "There are not enough points."
    fact_names = ("needed", "available")


class AlreadySettled(Refusal):
    code, status, title = "ledger.already_settled", 409, "Already settled"
    zh, en = "该笔记录已处理过，不能重复处理", "This transfer has been settled or reversed before."
    fact_names = ("status",)


class ReferenceReused(Refusal):
    """The same business reference with another amount or other accounts: a bug of the caller."""

    code, status, title = "ledger.reference_reused", 409, "Reference reused"
    zh, en = "业务编号已被使用", "This business reference names another transfer."


Outcome = Posted | Refusal
