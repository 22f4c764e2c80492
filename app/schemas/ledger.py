"""Wire shapes of the passbook and of balances. Amounts are whole points."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from app.schemas.base import In, OneLine, Out


class Expiring(Out):
    points: int
    expires_at: datetime


class PointsOut(Out):
    """``minutes`` are minutes of volunteering; ``expiring`` lists what is left, by its end.

    ``owed`` is what a reversal took and had been spent: awards to come pay it first.
    """

    available: int
    pending: int
    held: int
    owed: int
    minutes: int
    earned_total: int
    spent_total: int
    expiring: list[Expiring]


class Source(Out):
    type: str
    id: UUID


class EntryOut(Out):
    """One line of a passbook. ``id`` names the transfer; ``number`` runs without a gap."""

    id: UUID
    number: int
    direction: Literal["in", "out"]
    points: int
    balance_after: int
    kind: str
    reason: str
    source: Source
    created_at: datetime


class SealOut(Out):
    """A day's seal: SHA-256 hashes in hexadecimal. ``seal`` is of the previous seal and this day.

    docs/check_proof.py says how they are made.
    """

    day: date
    leaves: int
    root: str
    previous: str
    seal: str


class ProofLevel(Out):
    """Up to 64 hashes of a level, and which of them is the one that is proven."""

    place: int
    nodes: list[str]


class ProofOut(Out):
    """The sealed texts of an entry and the path from it to the root of its day.

    ``transfer`` says what moved and why, ``entry`` what it did to the person's account. Their
    fields are described in docs/check_proof.py.
    """

    transfer: str
    entry: str
    path: list[ProofLevel]
    sealed: SealOut


class ReversalIn(In):
    reason: Annotated[str, OneLine(100)]


class ReversalOut(Out):
    """What was taken back of an award: from points that waited, from what could be spent.

    The rest is ``owed``, and paid first by whatever comes in or back, or ``lost`` beyond the
    policy's limit. What had ``expired`` was gone already. ``id`` is the first transfer's.
    """

    id: UUID
    reverses_id: UUID
    points: int
    from_pending: int
    from_available: int
    owed: int
    lost: int
    expired: int
    reason: str
    created_at: datetime
