"""Schemas of the points rules (积分管理办法): the content of a policy document, TOML or JSON.

Amounts are whole points. Values left out have the defaults given here. Consistency between
values is checked by ``services/policies/reading.py``, not here: it is required of a document
by itself, not of the merged documents of two organisations.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from app.schemas.base import OneLine
from app.schemas.policies.cards import CardTerms
from app.schemas.policies.shapes import SHAPE

MAX_POINTS = 1_000
MAX_CAP = 100_000
Per = Literal["once", "community_year", "session", "shift", "hour", "item", "quarter", "person"]
Proof = Literal["rotating_code", "device", "steward_scan", "poster_code", "manual"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
# An evidence field, or a minimum for the number in it: ``checkin>=10``.
Evidence = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}(>=[1-9][0-9]{0,5})?$")]
Points = Annotated[int, Field(ge=1, le=MAX_POINTS)]
Cap = Annotated[int | None, Field(ge=1, le=MAX_CAP)]
Name = Annotated[str, OneLine(60)]
Note = Annotated[str, OneLine(300)]


class Shape(BaseModel):
    """A table of the document: unknown keys are refused, 2.0 is not an integer."""

    model_config = SHAPE


class Programme(Shape):
    """The programme that gives points, and their unit in the ledger. Units are not exchanged."""

    name: Name = Field(description="What the programme is called.")
    name_en: Name | None = Field(
        default=None, description="The same in English; null: the Chinese one."
    )
    unit: Key = Field(description="Code of its unit in the ledger.")


class RuleCap(Shape):
    """Maximum points of a person by one rule per day (Asia/Shanghai), month and year."""

    day: Cap = Field(default=None, description="Points a day; null: no cap.")
    month: Cap = Field(default=None, description="Points a month; null: no cap.")
    year: Cap = Field(default=None, description="Points a year; null: no cap.")


class Caps(Shape):
    """Maximum points of a person by all rules together.

    ``emergency_day`` limits a day including rules with ``emergency``, ``day`` without them.
    """

    day: Annotated[int, Field(ge=1, le=MAX_CAP)] = Field(
        description="Points a day, without rules with `emergency`."
    )
    emergency_day: Annotated[int, Field(ge=1, le=MAX_CAP)] = Field(
        description="Points a day, with them."
    )
    month: Annotated[int, Field(ge=1, le=MAX_CAP)] = Field(description="Points a month.")
    year: Annotated[int, Field(ge=1, le=MAX_CAP)] = Field(description="Points a year.")


class Lots(Shape):
    """Points expire at the end of the month ``months`` after they were received.

    Points refunded to an expired lot are valid for ``refund_days``.
    """

    months: Annotated[int, Field(ge=1, le=120)] = Field(
        description="Whole months for which points are valid."
    )
    refund_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=30, description="Days for which points are valid that went back to an expired lot."
    )
    notice_days: Annotated[
        list[Annotated[int, Field(ge=1, le=366)]], Field(min_length=1, max_length=6)
    ] = Field(
        default=[60, 30, 7], description="Days before the expiry on which the person is told."
    )


class Clawback(Shape):
    """The maximum debt after a reversal. Points received later pay it first."""

    max_debt: Annotated[int, Field(ge=0, le=MAX_CAP)] = Field(
        default=50, description="Points that a person may owe after a reversal."
    )


class Holds(Shape):
    days: Annotated[int, Field(ge=1, le=90)] = Field(
        default=7, description="Days for which a reservation stands."
    )


class Fund(Shape):
    """``limited``: a 公益银行 issues only what it received: donations, budgets, redeemed points."""

    limited: bool = Field(
        default=False, description="True: only points that the fund received can be issued."
    )


class Release(Shape):
    """Conditions for the release of an award: hours, reviewers, days of public notice (公示).

    From ``second_reviewer_from`` points (before caps) on, at least two reviewers are required.
    """

    wait_hours: Annotated[int, Field(ge=0, le=720)] = Field(
        default=0, description="Hours from the award until its release."
    )
    reviewers: Annotated[int, Field(ge=0, le=3)] = Field(
        default=0, description="People who have to approve it."
    )
    second_reviewer_from: Annotated[int | None, Field(ge=1, le=MAX_POINTS)] = Field(
        default=None, description="Points before caps, from which two must approve; null: never."
    )
    notice_days: Annotated[int, Field(ge=0, le=60)] = Field(
        default=0, description="Days of public notice (公示) after the approval."
    )

    def reviewers_for(self, points: int) -> int:
        large = self.second_reviewer_from is not None and points >= self.second_reviewer_from
        return max(self.reviewers, 2) if large else self.reviewers


def _with_key(tables: object) -> object:
    """Copy the key of each table into the table."""
    if not isinstance(tables, dict):
        return tables
    return {
        key: {**table, "key": key} if isinstance(table, dict) and "key" not in table else table
        for key, table in tables.items()
    }


class Rule(Shape):
    """Points for an act: ``points`` per ``per``.

    ``grades``: other amounts for the same act. ``up_to``: the proposer chooses between
    ``points`` and ``up_to``. ``unique``: evidence numbers that count once, for one proposal
    (``batch``: a dispatch has many helpers) or for one person (a certificate). ``hours``: each
    hour counts as an hour of service. ``off``: not in force here.
    """

    key: Key = Field(description="Key of the rule.")
    name: Name = Field(description="Name in Chinese.")
    name_en: Name | None = Field(
        default=None, description="Name in English; null: the Chinese one."
    )
    category: Key = Field(description="Kind of activities that it is for.")
    per: Per = Field(description="What is paid.")
    points: Points = Field(description="Points for one of `per`.")
    up_to: Points | None = Field(
        default=None, description="Most points that a proposer may choose; null: no choice."
    )
    grades: Annotated[dict[Key, Points], Field(max_length=10)] = Field(
        default={}, description="Points of each grade, by its key."
    )
    cap: RuleCap = Field(default=RuleCap(), description="Most points of a person by this rule.")
    evidence: list[Evidence] = Field(
        default=[], description="Fields that must be proven; `checkin>=10`: a number, 10 at least."
    )
    unique: Annotated[dict[Key, Literal["batch", "person"]], Field(max_length=5)] = Field(
        default={}, description="Fields that count once: for one proposal or one person."
    )
    release: dict[Proof, Release] = Field(
        default={}, description="What an award waits for, by its proof."
    )
    hours: bool = Field(
        default=False, description="Whether each hour counts as an hour of service."
    )
    emergency: bool = Field(
        default=False, description="Whether `emergency_day` is its cap of the day."
    )
    off: bool = Field(default=False, description="Whether it is not in force here.")
    note: Note | None = Field(default=None, description="A remark.")
    note_en: Note | None = Field(
        default=None, description="The same in English; null: the Chinese one."
    )


class Deduction(Shape):
    """Points deducted for a breach, never below zero; appeals are open for ``appeal_days``."""

    key: Key = Field(description="Key of the breach.")
    name: Name = Field(description="Name in Chinese.")
    name_en: Name | None = Field(
        default=None, description="Name in English; null: the Chinese one."
    )
    points: Points = Field(description="Points that are deducted.")
    evidence: Annotated[list[Key], Field(max_length=10)] = Field(
        default=[], description="Fields that must be proven."
    )
    appeal_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=30, description="Days for an appeal."
    )


class Attendance(Shape):
    """``strikes`` in ``strike_days`` pause sign-up for ``pause_days``.

    A strike is a deduction by the rule ``no_show`` that stands.
    """

    strikes: Annotated[int, Field(ge=1, le=20)] = Field(
        default=3, description="How many strikes pause sign-up."
    )
    strike_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=90, description="Days within which they count."
    )
    pause_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=30, description="Days for which sign-up is paused, from the last strike on."
    )
    forgotten_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = Field(
        default=0, description="Minutes that count, from the check-in, without a check-out."
    )


class Tier(Shape):
    """A tier of the 青享卡: points and hours required in the last twelve months."""

    key: Key = Field(description="Key of the tier.")
    name: Annotated[str, OneLine(20)] = Field(description="Name in Chinese.")
    name_en: Annotated[str, OneLine(40)] | None = Field(
        default=None, description="Name in English; null: the Chinese one."
    )
    points_12m: Annotated[int, Field(ge=0, le=MAX_CAP)] = Field(
        description="Points that it takes in twelve months."
    )
    hours_12m: Annotated[int, Field(ge=0, le=10_000)] = Field(
        description="Hours of service that it takes in twelve months."
    )
    benefits: Note = Field(description="What it gives.")
    benefits_en: Note | None = Field(
        default=None, description="The same in English; null: the Chinese one."
    )


Rules = Annotated[dict[Key, Rule], BeforeValidator(_with_key), Field(min_length=1, max_length=200)]
Deductions = Annotated[dict[Key, Deduction], BeforeValidator(_with_key), Field(max_length=50)]


class PolicyDocument(Shape):
    """A whole policy. An organisation below may tighten it, see services/policies.

    ``evidence``: display names of evidence fields, for sheets; ``evidence_en``: in English.
    """

    programme: Programme
    caps: Caps
    lots: Lots
    clawback: Clawback = Clawback()
    holds: Holds = Holds()
    card: CardTerms = CardTerms()
    fund: Fund = Fund()
    release: dict[Proof, Release]
    evidence: Annotated[dict[Key, Name], Field(max_length=200)] = {}
    evidence_en: Annotated[dict[Key, Name], Field(max_length=200)] = {}
    rules: Rules
    deductions: Deductions = {}
    attendance: Attendance = Attendance()
    tiers: Annotated[list[Tier], Field(min_length=1, max_length=10)]


class CapsTightened(Shape):
    day: Cap = None
    emergency_day: Cap = None
    month: Cap = None
    year: Cap = None


class RuleTightened(Shape):
    """Stricter values for a rule. ``evidence`` is required in addition."""

    points: Points | None = None
    up_to: Points | None = None
    grades: Annotated[dict[Key, Points], Field(max_length=10)] = {}
    cap: RuleCap = RuleCap()
    evidence: Annotated[list[Evidence], Field(max_length=10)] = []
    release: dict[Proof, Release] = {}
    off: bool = False


class PolicyTightening(Shape):
    """The document of an organisation below: only the values that are stricter than above."""

    caps: CapsTightened = CapsTightened()
    fund: Fund = Fund()
    release: dict[Proof, Release] = {}
    rules: Annotated[dict[Key, RuleTightened], Field(max_length=200)] = {}
