"""API schemas of passbook and balances. Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import In, OneLine, Out


class Expiring(Out):
    points: int
    expires_at: datetime


class TotalsOut(Out):
    """What a period's entries sum to; ``earned`` less what was reversed in the period."""

    earned: int
    spent: int
    expired: int
    deducted: int


class PeriodTotalsOut(Out):
    """Totals of all time, of this year and of this month in Asia/Shanghai."""

    all: TotalsOut
    year: TotalsOut
    month: TotalsOut


class MinutesOut(Out):
    """Minutes of service earned in all time, this year and this month in Asia/Shanghai."""

    all: int
    year: int
    month: int


class CapLeftOut(Out):
    """A cap, in points: ``left`` of ``limit`` can still be earned in the running period."""

    period: Literal["day", "month", "year"]
    limit: int
    used: int = Field(description="Without awards that wait for reviewers.")
    left: int


class RuleCapsLeftOut(Out):
    rule_key: str
    rule_name: str
    caps: list[CapLeftOut]


class CapsLeftOut(Out):
    """What the caps of the policy at the caller's community leave.

    ``overall``: of all rules together. ``emergency_day``: the day's cap with awards by emergency
    rules, which the day's cap in ``overall`` does not count.
    """

    overall: list[CapLeftOut]
    emergency_day: CapLeftOut | None
    rules: list[RuleCapsLeftOut] = Field(description="The rules that have caps of their own.")


class PointsOut(Out):
    """``minutes``: minutes of volunteering. ``expiring``: unspent points by date of expiry.

    ``owed``: points that a reversal took after they had been spent. Future awards pay them
    first. ``earned_total`` and ``spent_total`` are those of ``totals.all``.
    """

    available: int
    pending: int
    held: int
    owed: int
    minutes: int
    earned_total: int
    spent_total: int
    expiring: list[Expiring]
    totals: PeriodTotalsOut
    minutes_earned: MinutesOut
    caps_left: CapsLeftOut | None = Field(
        description="Null where no policy is in force, or it awards points of another unit."
    )


class Source(Out):
    type: str
    id: UUID


class EntryOut(Out):
    """An entry of a passbook. ``id`` is the transfer's; ``number`` has no gaps.

    In a passbook of minutes ``points`` are minutes.
    """

    id: UUID
    number: int
    direction: Literal["in", "out"]
    points: int
    balance_after: int
    kind: str
    reason: str
    source: Source
    created_at: datetime
    title: str | None = Field(
        description="Of the activity or the rule of an award, or the reward's name; else null."
    )
    activity_id: UUID | None = Field(description="Of an award by attendance.")
    merchant_name: str | None = Field(
        description="Where points were spent, reserved or refunded; else null."
    )


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
