"""Types of the ledger: account keys, postings and their outcomes. No I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.errors import Refusal
from app.models.ledger import Kind, Purpose

POINTS = 1
MINUTES = 2


# Default life of points that are refunded after their lot has expired.
REVIVED_FOR = timedelta(days=30)
_BOTTOMLESS = (Purpose.fund, Purpose.debt, Purpose.income, Purpose.clearing)


class AccountKey(NamedTuple):
    """An account: owner, purpose and unit."""

    owner_id: UUID
    purpose: Purpose
    unit_id: int = POINTS

    @property
    def floor(self) -> int | None:
        """The lowest balance. None: unlimited, for unlimited funds, debts, income and clearing."""
        return None if self.purpose in _BOTTOMLESS else 0

    @property
    def has_lots(self) -> bool:
        """Whether its points are kept in lots that expire. Hours of service never expire."""
        return self.purpose is Purpose.available and self.unit_id != MINUTES

    @property
    def available(self) -> "AccountKey":
        """The account of what its owner may spend, in the same unit."""
        return self._replace(purpose=Purpose.available)

    @property
    def held(self) -> "AccountKey":
        """The account of what is held of its owner's points, in the same unit."""
        return self._replace(purpose=Purpose.held)

    @property
    def debt(self) -> "AccountKey":
        """The account of the owner's debt in the same unit."""
        return self._replace(purpose=Purpose.debt)


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """Until when a hold stands, and with which reason the ledger then gives the points back.

    ``revived_for``: how long points live that come back to a lot that has ended meanwhile.
    """

    until: datetime
    reason: str
    revived_for: timedelta


def settlement_of(source_type: str, source_id: UUID) -> str:
    """Return the reference of whatever settles a hold: of collecting and giving back, one."""
    return f"{source_type}:{source_id}:settle"


@dataclass(frozen=True, slots=True)
class Posting:
    """A command to move ``amount`` (> 0, in the unit of both accounts).

    ``reference`` identifies the business fact, unique forever: posting it again returns the
    first transfer. ``closes_id``: the transfer that this one settles; each can be settled once.
    Points received by a person form a new lot if ``expires_at`` is set. Otherwise they return
    to the lots that the closed transfer took them from; the part of expired lots forms a new
    lot that expires at ``revived_until``. ``lot_id``: take from this lot only, even if expired.
    ``first_of``: take first what this transfer brought; of what is closed, that is so too.
    ``terms``: those of a hold. ``returns``: the transfer to whose lots points return, if it is not
    the closed one; without a closed one they are a part, and nothing is settled. ``part_of``: the
    transfer whose settlement ends the parts, if it is not that of the lots. ``given_back``: points
    of that transfer that returned before. ``repays``: False if they are spent at once.
    ``origin_id``: the transfer that first brought the points of the new lot, if not this one.
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
    first_of: UUID | None = None
    terms: HoldTerms | None = None
    returns: UUID | None = None
    part_of: UUID | None = None
    given_back: int = 0
    repays: bool = True
    origin_id: UUID | None = None

    @property
    def source_of_lots(self) -> UUID | None:
        """The transfer to whose lots the points return."""
        return self.returns or self.closes_id

    @property
    def unless_closed(self) -> UUID | None:
        """The transfer that must not be settled yet."""
        return self.closes_id or self.part_of or self.returns

    def __post_init__(self) -> None:
        assert self.amount > 0, "a transfer moves something"
        assert self.payer.unit_id == self.payee.unit_id, "points do not turn into minutes"
        assert self.expires_at or self.source_of_lots or not self.payee.has_lots
        assert (self.kind is Kind.hold) == (self.terms is not None), "a hold ends"


@dataclass(frozen=True, slots=True)
class Posted:
    """The transfer exists. ``replayed``: it existed before this call."""

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
    """The reference exists with another amount or other accounts: a bug of the caller."""

    code, status, title = "ledger.reference_reused", 409, "Reference reused"
    zh, en = "业务编号已被使用", "This business reference names another transfer."


Outcome = Posted | Refusal
