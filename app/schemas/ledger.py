"""API schemas of passbook and balances. Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.models.ledger import Kind
from app.schemas.base import In, OneLine, Out, example

SourceType = Literal[
    "award", "charge", "deduction", "exchange", "lot", "merge", "receipt", "redemption"
]


class Expiring(Out):
    points: int = Field(description="Points that expire then, if they are not spent.")
    expires_at: datetime = Field(description="When, in UTC.")


class TotalsOut(Out):
    """What a period's entries sum to; ``earned`` less what was reversed in the period."""

    earned: int = Field(description="Points earned, less what was reversed in the period.")
    spent: int = Field(description="Points spent.")
    expired: int = Field(description="Points that expired.")
    deducted: int = Field(description="Points taken by deductions.")


class PeriodTotalsOut(Out):
    """Totals of all time, of this year and of this month in Asia/Shanghai."""

    all: TotalsOut = Field(description="Of all time.")
    year: TotalsOut = Field(description="Of this year in Asia/Shanghai.")
    month: TotalsOut = Field(description="Of this month in Asia/Shanghai.")


class MinutesOut(Out):
    """Minutes of service earned in all time, this year and this month in Asia/Shanghai."""

    all: int = Field(description="Minutes of all time.")
    year: int = Field(description="Minutes of this year in Asia/Shanghai.")
    month: int = Field(description="Minutes of this month in Asia/Shanghai.")


class CapLeftOut(Out):
    """A cap, in points: ``left`` of ``limit`` can still be earned in the running period."""

    period: Literal["day", "month", "year"] = Field(
        description="The period of the cap; a calendar one of Asia/Shanghai."
    )
    limit: int = Field(description="Points that can be earned in a period.")
    used: int = Field(description="Without awards that wait for reviewers.")
    left: int = Field(description="Points that can still be earned in the running period.")


class RuleCapsLeftOut(Out):
    rule_key: str = Field(description="Key of the rule.")
    rule_name: Worded = Field(description="Name of the rule, in the language of the request.")
    caps: list[CapLeftOut] = Field(description="The rule's own caps.")


class CapsLeftOut(Out):
    """What the caps of the policy at the caller's community leave.

    ``overall``: of all rules together. ``emergency_day``: the day's cap with awards by emergency
    rules, which the day's cap in ``overall`` does not count.
    """

    overall: list[CapLeftOut] = Field(description="Caps of all rules together.")
    emergency_day: CapLeftOut | None = Field(
        description="The day's cap with awards by emergency rules; null: the policy has none."
    )
    rules: list[RuleCapsLeftOut] = Field(description="The rules that have caps of their own.")


class PointsOut(Out):
    """``minutes``: minutes of volunteering. ``expiring``: unspent points by date of expiry.

    ``owed``: points that a reversal took after they had been spent. Future awards pay them
    first. ``earned_total`` and ``spent_total`` are those of ``totals.all``.
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
    totals: PeriodTotalsOut = Field(
        description="What was earned, spent, expired and deducted, in points."
    )
    minutes_earned: MinutesOut = Field(description="Minutes of service.")
    caps_left: CapsLeftOut | None = Field(
        description="Null where no policy is in force, or it awards points of another unit."
    )


class Source(Out):
    """The thing that an entry is about: the singular noun and the id."""

    type: SourceType = Field(description="What moved the points: a singular noun, such as `award`.")
    id: UUID = Field(description="Id of it.")


class EntryOut(Out):
    """An entry of a passbook. ``id`` is the transfer's; ``number`` has no gaps.

    In a passbook of minutes ``points`` are minutes.
    """

    id: UUID = Field(description="Id of the transfer.")
    number: int = Field(description="Number of the entry, from 1, without gaps.")
    direction: Literal["in", "out"] = Field(description="Whether the points came in or went out.")
    points: int = Field(description="Points, always positive.")
    balance_after: int = Field(description="Balance of the account after the entry, in points.")
    kind: Kind = Field(description="Kind of the transfer.")
    reason: str = Field(description="What it was for.")
    source: Source = Field(description="What moved the points.")
    created_at: datetime = Field(description="When it was posted, in UTC.")
    title: str | None = Field(
        description="Of the activity or the rule of an award, the reward's name, the merchant's of"
        " a charge, the rule's of a deduction; else null."
    )
    activity_id: UUID | None = Field(description="Of an award by attendance.")
    merchant_name: str | None = Field(
        description="Where points were spent, reserved or refunded; else null."
    )


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
