"""Shapes of the points rules (积分管理办法): what a policy document may say, in TOML as in JSON.

Amounts are whole points. What a document leaves out has the default that stands here. What
its values must be to each other, ``services/policies/reading.py`` checks: it is asked of an
author, not of what the documents of two organisations come to.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.schemas.base import OneLine

MAX_POINTS = 1_000
MAX_CAP = 100_000
Per = Literal["once", "community_year", "session", "shift", "hour", "item", "quarter", "person"]
Proof = Literal["rotating_code", "device", "steward_scan", "poster_code", "manual"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
# An evidence field, or a number in it that must reach something: ``checkin>=10``.
Evidence = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}(>=[1-9][0-9]{0,5})?$")]
Points = Annotated[int, Field(ge=1, le=MAX_POINTS)]
Cap = Annotated[int | None, Field(ge=1, le=MAX_CAP)]
Name = Annotated[str, OneLine(60)]
Note = Annotated[str, OneLine(300)]


class Shape(BaseModel):
    """A table of the document: unknown keys are refused, 2.0 is not 2."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Programme(Shape):
    """Who gives points, and in which unit of the ledger: units are not exchanged."""

    name: Name
    unit: Key


class RuleCap(Shape):
    """The most that a person may earn by one rule in a Shanghai day, month, year."""

    day: Cap = None
    month: Cap = None
    year: Cap = None


class Caps(Shape):
    """The most that a person may earn by all rules together.

    ``emergency_day`` bounds a day with what rules with ``emergency`` gave, ``day`` without.
    """

    day: Annotated[int, Field(ge=1, le=MAX_CAP)]
    emergency_day: Annotated[int, Field(ge=1, le=MAX_CAP)]
    month: Annotated[int, Field(ge=1, le=MAX_CAP)]
    year: Annotated[int, Field(ge=1, le=MAX_CAP)]


class Lots(Shape):
    """Points expire at the end of the month ``months`` after they came in.

    A lot that had expired when a refund came lives ``refund_days`` more.
    """

    months: Annotated[int, Field(ge=1, le=120)]
    refund_days: Annotated[int, Field(ge=1, le=366)] = 30
    notice_days: Annotated[
        list[Annotated[int, Field(ge=1, le=366)]], Field(min_length=1, max_length=6)
    ] = [60, 30, 7]


class Clawback(Shape):
    """What a reversal may leave a person owing; what comes in pays it first."""

    max_debt: Annotated[int, Field(ge=0, le=MAX_CAP)] = 50


class Holds(Shape):
    days: Annotated[int, Field(ge=1, le=90)] = 7


class Fund(Shape):
    """Whether a 公益银行 issues only what came in: donations, budgets, what people redeem."""

    limited: bool = False


class Release(Shape):
    """What an award waits for: hours, reviewers, a public notice (公示) of some days.

    From ``second_reviewer_from`` points (before caps) on, two reviewers at least are needed.
    """

    wait_hours: Annotated[int, Field(ge=0, le=720)] = 0
    reviewers: Annotated[int, Field(ge=0, le=3)] = 0
    second_reviewer_from: Annotated[int | None, Field(ge=1, le=MAX_POINTS)] = None
    notice_days: Annotated[int, Field(ge=0, le=60)] = 0

    def reviewers_for(self, points: int) -> int:
        large = self.second_reviewer_from is not None and points >= self.second_reviewer_from
        return max(self.reviewers, 2) if large else self.reviewers


def _with_key(tables: object) -> object:
    """Let each table know the key that it stands under."""
    if not isinstance(tables, dict):
        return tables
    return {
        key: {**table, "key": key} if isinstance(table, dict) and "key" not in table else table
        for key, table in tables.items()
    }


class Rule(Shape):
    """What an act is worth: ``points`` per ``per``.

    ``grades`` names other worths of the same act; ``up_to`` lets whoever proposes choose
    between ``points`` and it. ``unique`` evidence is a number that counts once: in one
    proposal (``batch``: a dispatch has many helpers) or for one person (a certificate).
    ``hours``: an hour of it is an hour of service. ``off``: not in force here.
    """

    key: Key
    name: Name
    category: Key
    per: Per
    points: Points
    up_to: Points | None = None
    grades: Annotated[dict[Key, Points], Field(max_length=10)] = {}
    cap: RuleCap = RuleCap()
    evidence: list[Evidence] = []
    unique: Annotated[dict[Key, Literal["batch", "person"]], Field(max_length=5)] = {}
    release: dict[Proof, Release] = {}
    hours: bool = False
    emergency: bool = False
    off: bool = False
    note: Note | None = None


class Deduction(Shape):
    """What a breach costs, never below zero; an appeal is open for some days."""

    key: Key
    name: Name
    points: Points
    evidence: Annotated[list[Key], Field(max_length=10)] = []
    appeal_days: Annotated[int, Field(ge=1, le=366)] = 30


class Tier(Shape):
    """A tier of the 青享卡: what the last twelve months must hold to reach it."""

    key: Key
    name: Annotated[str, OneLine(20)]
    points_12m: Annotated[int, Field(ge=0, le=MAX_CAP)]
    hours_12m: Annotated[int, Field(ge=0, le=10_000)]
    benefits: Note


Rules = Annotated[dict[Key, Rule], BeforeValidator(_with_key), Field(min_length=1, max_length=200)]
Deductions = Annotated[dict[Key, Deduction], BeforeValidator(_with_key), Field(max_length=50)]


class PolicyDocument(Shape):
    """A whole policy. An organisation below may tighten it, see services/policies.

    ``evidence`` says what the names of evidence are called, for people who fill in sheets.
    """

    programme: Programme
    caps: Caps
    lots: Lots
    clawback: Clawback = Clawback()
    holds: Holds = Holds()
    fund: Fund = Fund()
    release: dict[Proof, Release]
    evidence: Annotated[dict[Key, Name], Field(max_length=200)] = {}
    rules: Rules
    deductions: Deductions = {}
    tiers: Annotated[list[Tier], Field(min_length=1, max_length=10)]


class CapsTightened(Shape):
    day: Cap = None
    emergency_day: Cap = None
    month: Cap = None
    year: Cap = None


class RuleTightened(Shape):
    """What an organisation below may say of a rule. ``evidence`` is asked for in addition."""

    points: Points | None = None
    up_to: Points | None = None
    grades: Annotated[dict[Key, Points], Field(max_length=10)] = {}
    cap: RuleCap = RuleCap()
    evidence: Annotated[list[Evidence], Field(max_length=10)] = []
    release: dict[Proof, Release] = {}
    off: bool = False


class PolicyTightening(Shape):
    """The document of an organisation below: the few lines that are stricter than above."""

    caps: CapsTightened = CapsTightened()
    fund: Fund = Fund()
    release: dict[Proof, Release] = {}
    rules: Annotated[dict[Key, RuleTightened], Field(max_length=200)] = {}
