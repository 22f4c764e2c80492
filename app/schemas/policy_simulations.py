"""Wire shapes of simulations: what a draft would have given in a past period."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.clock import now
from app.core.language import Bilingual, Worded
from app.core.validation_messages import wrong
from app.models.awards import AwardReason, AwardState
from app.models.policy_simulations import PolicySimulationState as State
from app.schemas.base import CreatedAt, Day, Out, PersonId, example
from app.schemas.policies.documents import Proof
from app.schemas.policy_drafts import DRAFT, PolicyDraftIn

HEADINGS = {
    "first_day": Bilingual("起始日期", "First day"),
    "last_day": Bilingual("截止日期", "Last day"),
    "people_done": Bilingual("已算人数", "People done"),
    "people_total": Bilingual("总人数", "People in all"),
    "failure": Bilingual("失败代码", "Code of the failure"),
    "forgotten_at": Bilingual("删除时间", "Deleted at (Shanghai)"),
    "person_id": Bilingual("人员编号", "Person id"),
    "display_name": Bilingual("姓名", "Name"),
    "awards": Bilingual("项数", "Awards"),
    "points_now": Bilingual("现行积分", "Points now"),
    "points_draft": Bilingual("草案积分", "Points under the draft"),
    "change": Bilingual("积分变化", "Change in points"),
    "minutes": Bilingual("志愿时长（分钟）", "Minutes of service"),
    "cap_hits": Bilingual("触及上限次数", "Cap hits"),
}
VALUES = {
    State: {
        State.waiting: ("等候", "waiting"),
        State.running: ("试算中", "running"),
        State.done: ("已完成", "done"),
        State.failed: ("未能完成", "failed"),
        State.cancelled: ("已取消", "cancelled"),
    }
}
LAST_YEAR = now().year - 1  # of an example, which is to be a past period


class SimulationIn(
    PolicyDraftIn,
    json_schema_extra=example(
        DRAFT | {"first_day": f"{LAST_YEAR}-09-01", "last_day": f"{LAST_YEAR}-12-31"}
    ),
):
    """A document, and the past days under which it is tried: both included, at most 366."""

    first_day: Day = Field(description="First day of the period, in Asia/Shanghai.")
    last_day: Day = Field(description="Last day of the period, in Asia/Shanghai; included.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_day < self.first_day:
            raise wrong("结束日期早于开始日期", "last_day lies before first_day")
        return self


class SumsOut(Out):
    awards: int = Field(description="Number of awards.")
    points: int = Field(description="Points of the awards.")
    minutes: int = Field(description="Minutes of service.")
    cut: int = Field(description="Points that caps, and rules that give once, kept back.")


class ComparedOut(Out):
    now: SumsOut = Field(description="As it was given, under the rules then in force.")
    draft: SumsOut = Field(description="As it would have been given under the draft.")


class SimulatedRuleOut(ComparedOut):
    key: str = Field(description="Key of the rule.")
    name: Worded | None = Field(description="Null for a rule that neither document has any more.")


class SimulatedReasonOut(Out):
    """How many awards got their points for a reason other than the full amount."""

    reason: AwardReason = Field(description="Why the points differ from the full amount.")
    msg: Worded = Field(description="The reason, in the language of the request.")
    now: int = Field(description="Number of awards as they were given.")
    draft: int = Field(description="Number of awards under the draft.")


class SimulatedBeginningOut(Out):
    """How awards would begin under the draft: at once, waiting, or in public notice."""

    proof: Proof = Field(description="How attendance was proven.")
    state: AwardState = Field(description="State in which the awards would begin.")
    awards: int = Field(description="Number of awards.")
    points: int = Field(description="Points of the awards.")


class SimulatedLossOut(Out):
    """Acts that would give no award, and the points they gave.

    ``why``: `no_rule`, `evidence` (or a grade) is missing, or a `number` was used before.
    """

    why: str = Field(description="Why there would be no award.")
    awards: int = Field(description="Number of awards.")
    points: int = Field(description="Points that the awards gave.")


class SimulatedFundOut(Out):
    """What a fund gave, and would have given. ``short``: what it would lack for another period."""

    org_id: UUID = Field(description="Id of the fund's organisation.")
    code: str = Field(description="China's published division code of the organisation.")
    org_name: str = Field(description="Name of the organisation.")
    points_now: int = Field(description="Points that the fund gave.")
    points_draft: int = Field(description="Points that it would have given.")
    holds: int | None = Field(description="Its balance; null if it gives without a limit.")
    short: int = Field(description="Points that it would lack for another such period; 0: none.")


class SimulatedPersonOut(Out):
    """What a person was given, and would have been given. The name is masked."""

    person_id: PersonId
    display_name: str = Field(description="Name of the person, masked.")
    awards: int = Field(description="Under the draft, as are `minutes` and `cap_hits`.")
    points_now: int = Field(description="Points that were given.")
    points_draft: int = Field(description="Points that would have been given.")
    change: int = Field(description="Points under the draft, less those now.")
    minutes: int = Field(description="Minutes of service under the draft.")
    cap_hits: int = Field(description="Number of awards that a cap cut under the draft.")


class SimulationResultOut(Out):
    """Sums of a whole simulation. ``more``, ``less``, ``same``: people, by their points."""

    total: ComparedOut = Field(description="Sums of all rules.")
    rules: list[SimulatedRuleOut] = Field(description="Sums of each rule.")
    reasons: list[SimulatedReasonOut] = Field(
        description="How often points differ from the full amount, by reason."
    )
    begins: list[SimulatedBeginningOut] = Field(
        description="How awards would begin, by proof and state."
    )
    ineligible: list[SimulatedLossOut] = Field(
        description="Acts that would give no award, by reason."
    )
    funds: list[SimulatedFundOut] = Field(description="At most 20: those that lack most.")
    more: int = Field(description="Number of people with more points.")
    less: int = Field(description="Number of people with fewer points.")
    same: int = Field(description="Number of people with as many points.")
    taken_back: int = Field(description="Awards that were taken back, and are not counted.")


class PolicySimulationOut(Out):
    """A simulation. ``first_day`` to ``last_day``: the period, both included."""

    id: UUID = Field(description="Id of the simulation.")
    org_id: UUID | None = Field(description="Null: of a document for all organisations.")
    created_by: UUID = Field(description="Id of the person who asked for it.")
    created_at: CreatedAt
    first_day: date = Field(description="First day of the period, in Asia/Shanghai.")
    last_day: date = Field(description="Last day of the period, in Asia/Shanghai; included.")
    state: State = Field(description="State of the simulation.")
    people_done: int = Field(description="People whose acts are replayed.")
    people_total: int | None = Field(description="Of so many; null before it begins.")
    failure: str | None = Field(description="The code of the refusal, if it failed.")
    ended_at: datetime | None = Field(description="When it ended, in UTC; null: not yet.")
    forgotten_at: datetime | None = Field(description="When it is deleted; null before its end.")


class PolicySimulationDetailOut(PolicySimulationOut):
    """``result`` is null until all of it is there; then ``most_changed`` has up to 20 people."""

    result: SimulationResultOut | None = Field(
        description="Sums of the period; null until the simulation is done."
    )
    most_changed: list[SimulatedPersonOut] = Field(
        description="Up to 20 people whose points change most; empty until then."
    )
