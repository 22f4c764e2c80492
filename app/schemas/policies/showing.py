"""API schemas of the rules in force, and of the published versions."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, Worded
from app.schemas.base import Out
from app.schemas.policies.cards import CardTerms
from app.schemas.policies.charges import Charges
from app.schemas.policies.documents import (
    Attendance,
    Caps,
    Clawback,
    Holds,
    Lots,
    Per,
    Proof,
    Release,
    RuleCap,
)
from app.schemas.policies.funds import Fund
from app.schemas.policies.redeeming import RedemptionDays
from app.schemas.policies.rewards import Rewards

HEADINGS = {
    "published_at": Bilingual("发布时间", "Published at (Shanghai)"),
    "published_by": Bilingual("发布人编号", "Published by (id)"),
    "publisher": Bilingual("发布人", "Publisher"),
    "in_force": Bilingual("现行", "In force"),
}


class EvidenceOut(Out):
    """What a proposal must bring: ``name`` of the field; ``at_least``: its smallest number."""

    name: str = Field(description="Name of the field in a proposal.")
    label: Worded = Field(description="What it is called, in the language of the request.")
    label_en: str | None = Field(description="What it is called in English; null: not named.")
    at_least: int | None = Field(description="Smallest number that is accepted; null: it is text.")


class RuleOut(Out):
    """A rule in force, see ``Rule``. ``release``: what an award waits for, by its proof."""

    key: str = Field(description="Key of the rule.")
    name: Worded = Field(description="Name in the language of the request.")
    name_en: str | None = Field(description="Name in English; null: only Chinese.")
    category: str = Field(description="Kind of activities that it is for.")
    per: Per = Field(description="What is paid.")
    points: int = Field(description="Points for one of `per`.")
    up_to: int | None = Field(
        description="Most points that a proposer may choose; null: no choice."
    )
    grades: dict[str, int] = Field(description="Points of each grade, by its key.")
    cap: RuleCap = Field(description="Most points of a person by this rule.")
    evidence: list[EvidenceOut] = Field(description="What a proposal must bring.")
    unique: dict[str, Literal["batch", "person"]] = Field(
        description="Fields that count once: for one proposal or one person."
    )
    release: dict[Proof, Release] = Field(description="What an award waits for, by its proof.")
    hours: bool = Field(description="Whether each hour counts as an hour of service.")
    emergency: bool = Field(description="Whether `emergency_day` is its cap of the day.")
    note: Worded | None = Field(description="A remark in the language of the request; null: none.")


class BreachOut(Out):
    """What a breach costs; an appeal is open for ``appeal_days``."""

    key: str = Field(description="Key of the breach.")
    name: Worded = Field(description="Name in the language of the request.")
    name_en: str | None = Field(description="Name in English; null: only Chinese.")
    points: int = Field(description="Points that are deducted.")
    evidence: list[EvidenceOut] = Field(description="What a deduction must bring.")
    appeal_days: int = Field(description="Days for an appeal.")


class ProgrammeOut(Out):
    """The programme and its unit in the ledger."""

    name: Worded = Field(description="What it is called, in the language of the request.")
    unit: str = Field(description="Code of its unit in the ledger.")


class TierOut(Out):
    """A tier of the 青享卡, see ``Tier``."""

    key: str = Field(description="Key of the tier.")
    name: Worded = Field(description="Name in the language of the request.")
    name_en: str | None = Field(description="Name in English; null: only Chinese.")
    points_12m: int = Field(description="Points that it takes in twelve months.")
    hours_12m: int = Field(description="Hours of service that it takes in twelve months.")
    benefits: Worded = Field(description="What it gives, in the language of the request.")


class PolicyOut(Out):
    """The rules in force, named in the language of the request.

    ``versions``: the programme, then what tightens it, top down.
    """

    org_id: UUID | None = Field(description="Id of the organisation asked for; null: none.")
    versions: list[int] = Field(
        description="Versions in force: the programme's, then what tightens it, top down."
    )
    programme: ProgrammeOut = Field(description="The programme and its unit.")
    caps: Caps = Field(description="Most points of a person by all rules together.")
    lots: Lots = Field(description="How long points are valid.")
    clawback: Clawback = Field(description="How much a person may owe.")
    attendance: Attendance = Field(description="When no-shows pause sign-up, and how long.")
    redemption_days: RedemptionDays = Field(
        description="After how many missed redemption days the next one is skipped."
    )
    holds: Holds = Field(description="How long reservations stand.")
    card: CardTerms = Field(description="How long a tier of the card is kept.")
    charges: Charges = Field(description="Limits of charges at counters.")
    fund: Fund = Field(description="Whether the fund limits what is issued.")
    rewards: Rewards = Field(description="Step of prices, and what makes the honour mark.")
    rules: list[RuleOut] = Field(description="What gives points.")
    deductions: list[BreachOut] = Field(description="What costs points.")
    tiers: list[TierOut] = Field(description="Tiers of the card, the lowest first.")


class PolicyVersionOut(Out):
    """A published document. ``org_id``: null: of all organisations without an own programme.

    ``published_by``: null: an operator.
    """

    version: int = Field(description="Number of the version.")
    org_id: UUID | None = Field(
        description="Id of its organisation; null: of all without an own programme."
    )
    org_name: str | None = Field(description="Name of its organisation; null: of all.")
    effective_from: datetime = Field(description="When it comes, or came, into force, in UTC.")
    published_at: datetime = Field(description="When it was published, in UTC.")
    published_by: UUID | None = Field(
        description="Id of the person who published it; null: an operator."
    )
    publisher: str | None = Field(description="Name of that person; null: an operator.")
    in_force: bool = Field(description="Whether it is in force now.")
