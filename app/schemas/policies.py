"""Schemas of the points rules (积分管理办法): the content of a policy document, TOML or JSON.

Amounts are whole points. Values left out have the defaults given here. Consistency between
values is checked by ``services/policies/reading.py``, not here: it is required of a document
by itself, not of the merged documents of two organisations.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.core.language import Worded
from app.schemas.base import OneLine, Out

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

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Programme(Shape):
    """The programme that gives points, and their unit in the ledger. Units are not exchanged."""

    name: Name
    name_en: Name | None = None
    unit: Key


class RuleCap(Shape):
    """Maximum points of a person by one rule per day (Asia/Shanghai), month and year."""

    day: Cap = None
    month: Cap = None
    year: Cap = None


class Caps(Shape):
    """Maximum points of a person by all rules together.

    ``emergency_day`` limits a day including rules with ``emergency``, ``day`` without them.
    """

    day: Annotated[int, Field(ge=1, le=MAX_CAP)]
    emergency_day: Annotated[int, Field(ge=1, le=MAX_CAP)]
    month: Annotated[int, Field(ge=1, le=MAX_CAP)]
    year: Annotated[int, Field(ge=1, le=MAX_CAP)]


class Lots(Shape):
    """Points expire at the end of the month ``months`` after they were received.

    Points refunded to an expired lot are valid for ``refund_days``.
    """

    months: Annotated[int, Field(ge=1, le=120)]
    refund_days: Annotated[int, Field(ge=1, le=366)] = 30
    notice_days: Annotated[
        list[Annotated[int, Field(ge=1, le=366)]], Field(min_length=1, max_length=6)
    ] = [60, 30, 7]


class Clawback(Shape):
    """The maximum debt after a reversal. Points received later pay it first."""

    max_debt: Annotated[int, Field(ge=0, le=MAX_CAP)] = 50


class Holds(Shape):
    days: Annotated[int, Field(ge=1, le=90)] = 7


class Fund(Shape):
    """``limited``: a 公益银行 issues only what it received: donations, budgets, redeemed points."""

    limited: bool = False


class Release(Shape):
    """Conditions for the release of an award: hours, reviewers, days of public notice (公示).

    From ``second_reviewer_from`` points (before caps) on, at least two reviewers are required.
    """

    wait_hours: Annotated[int, Field(ge=0, le=720)] = 0
    reviewers: Annotated[int, Field(ge=0, le=3)] = 0
    second_reviewer_from: Annotated[int | None, Field(ge=1, le=MAX_POINTS)] = None
    notice_days: Annotated[int, Field(ge=0, le=60)] = 0

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

    key: Key
    name: Name
    name_en: Name | None = None
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
    """Points deducted for a breach, never below zero; appeals are open for ``appeal_days``."""

    key: Key
    name: Name
    name_en: Name | None = None
    points: Points
    evidence: Annotated[list[Key], Field(max_length=10)] = []
    appeal_days: Annotated[int, Field(ge=1, le=366)] = 30


class Tier(Shape):
    """A tier of the 青享卡: points and hours required in the last twelve months."""

    key: Key
    name: Annotated[str, OneLine(20)]
    name_en: Annotated[str, OneLine(40)] | None = None
    points_12m: Annotated[int, Field(ge=0, le=MAX_CAP)]
    hours_12m: Annotated[int, Field(ge=0, le=10_000)]
    benefits: Note
    benefits_en: Note | None = None


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
    fund: Fund = Fund()
    release: dict[Proof, Release]
    evidence: Annotated[dict[Key, Name], Field(max_length=200)] = {}
    evidence_en: Annotated[dict[Key, Name], Field(max_length=200)] = {}
    rules: Rules
    deductions: Deductions = {}
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


class EvidenceOut(Out):
    """What a proposal must bring: ``name`` of the field; ``at_least``: its smallest number."""

    name: str
    label: Worded
    label_en: str | None
    at_least: int | None


class RuleOut(Out):
    """A rule in force, see ``Rule``. ``release``: what an award waits for, by its proof."""

    key: str
    name: Worded
    name_en: str | None
    category: str
    per: Per
    points: int
    up_to: int | None
    grades: dict[str, int]
    cap: RuleCap
    evidence: list[EvidenceOut]
    unique: dict[str, Literal["batch", "person"]]
    release: dict[Proof, Release]
    hours: bool
    emergency: bool
    note: str | None


class BreachOut(Out):
    """What a breach costs; an appeal is open for ``appeal_days``."""

    key: str
    name: Worded
    name_en: str | None
    points: int
    evidence: list[EvidenceOut]
    appeal_days: int


class ProgrammeOut(Out):
    name: Worded
    unit: str


class TierOut(Out):
    """A tier of the 青享卡, see ``Tier``."""

    key: str
    name: Worded
    name_en: str | None
    points_12m: int
    hours_12m: int
    benefits: Worded


class PolicyOut(Out):
    """The rules in force, named in the language of the request.

    ``versions``: the programme, then what tightens it, top down.
    """

    org_id: UUID | None
    versions: list[int]
    programme: ProgrammeOut
    caps: Caps
    lots: Lots
    clawback: Clawback
    holds: Holds
    fund: Fund
    rules: list[RuleOut]
    deductions: list[BreachOut]
    tiers: list[TierOut]
