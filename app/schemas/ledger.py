"""API schemas of passbook and balances. Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.models.ledger import Kind
from app.schemas.base import In, OneLine, Out

SourceType = Literal["award", "charge", "deduction", "lot", "receipt", "redemption"]


class Expiring(Out):
    points: int
    expires_at: datetime


class PointsOut(Out):
    """``minutes``: minutes of volunteering. ``expiring``: unspent points by date of expiry.

    ``owed``: points that a reversal took after they had been spent. Future awards pay them
    first.
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
    """The thing that an entry is about: the singular noun and the id."""

    type: SourceType
    id: UUID


class EntryOut(Out):
    """An entry of a passbook. ``id`` is the transfer's; ``number`` has no gaps."""

    id: UUID
    number: int
    direction: Literal["in", "out"]
    points: int
    balance_after: int
    kind: Kind
    reason: str
    source: Source
    created_at: datetime


class ReversalIn(In):
    """``points``: to take back only so many of what the award gave; all that is left if absent."""

    reason: Annotated[str, OneLine(100)]
    points: Annotated[int, Field(ge=1, le=100_000, strict=True)] | None = None


class ReversalOut(Out):
    """What a reversal took: ``from_pending`` and ``from_available`` points.

    The rest is ``owed``: points that the person receives pay it first. Beyond the policy's
    limit it is ``lost``. ``expired`` points had left the account before. ``id`` is that of the
    first transfer. ``left``: points that the award still gives, after a part was reversed.
    """

    id: UUID
    reverses_id: UUID
    points: int
    left: int
    from_pending: int
    from_available: int
    owed: int
    lost: int
    expired: int
    reason: str
    created_at: datetime
