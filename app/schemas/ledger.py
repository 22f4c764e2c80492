"""API schemas of passbook and balances. Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import In, OneLine, Out, example


class Expiring(Out):
    points: int = Field(description="Points that expire then, if they are not spent.")
    expires_at: datetime = Field(description="When, in UTC.")


class PointsOut(Out):
    """``minutes``: minutes of volunteering. ``expiring``: unspent points by date of expiry.

    ``owed``: points that a reversal took after they had been spent. Future awards pay them
    first.
    """

    available: int = Field(description="Points that can be spent.")
    pending: int = Field(description="Points of awards that are not released yet.")
    held: int = Field(description="Points that reservations hold.")
    owed: int = Field(
        description="Points that a reversal took after they were spent; later awards pay them"
        " first."
    )
    minutes: int = Field(description="Minutes of volunteer service.")
    earned_total: int = Field(description="Points that were ever earned.")
    spent_total: int = Field(description="Points that were ever spent.")
    expiring: list[Expiring] = Field(
        description="Unspent points by the date on which they expire, the soonest first."
    )


class Source(Out):
    type: str = Field(description="What moved the points: a singular noun, such as `award`.")
    id: UUID = Field(description="Id of it.")


class EntryOut(Out):
    """An entry of a passbook. ``id`` is the transfer's; ``number`` has no gaps."""

    id: UUID = Field(description="Id of the transfer.")
    number: int = Field(description="Number of the entry, from 1, without gaps.")
    direction: Literal["in", "out"] = Field(description="Whether the points came in or went out.")
    points: int = Field(description="Points, always positive.")
    balance_after: int = Field(description="Balance of the account after the entry, in points.")
    kind: str = Field(description="Kind of the transfer.")
    reason: str = Field(description="What it was for.")
    source: Source = Field(description="What moved the points.")
    created_at: datetime = Field(description="When it was posted, in UTC.")


class ReversalIn(In, json_schema_extra=example({"reason": "重复录入", "points": 5})):
    """``points``: to take back only so many of what the award gave; all that is left if absent."""

    reason: Annotated[str, OneLine(100)] = Field(
        description="Why. The person reads it; it stands in the audit trail."
    )
    points: Annotated[int, Field(ge=1, le=100_000, strict=True)] | None = Field(
        default=None, description="Points to take back; null: all that the award still gives."
    )


class ReversalOut(Out):
    """What a reversal took: ``from_pending`` and ``from_available`` points.

    The rest is ``owed``: points that the person receives pay it first. Beyond the policy's
    limit it is ``lost``. ``expired`` points had left the account before. ``id`` is that of the
    first transfer. ``left``: points that the award still gives, after a part was reversed.
    """

    id: UUID = Field(description="Id of the first transfer of the reversal.")
    reverses_id: UUID = Field(description="Id of the transfer that was reversed.")
    points: int = Field(description="Points that the reversal took.")
    left: int = Field(description="Points that the award still gives.")
    from_pending: int = Field(description="Points of it that were not released yet.")
    from_available: int = Field(description="Points of it that the person could spend.")
    owed: int = Field(description="Points of it that had been spent; later awards pay them first.")
    lost: int = Field(description="Points of it beyond the policy's `max_debt`; nobody pays them.")
    expired: int = Field(description="Points of it that had expired before.")
    reason: str = Field(description="Why.")
    created_at: datetime = Field(description="When it was posted, in UTC.")
