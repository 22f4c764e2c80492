"""Wire shapes of simulations: what a draft would have given in a past period."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, Worded
from app.core.validation_messages import wrong
from app.models.awards import AwardReason, AwardState
from app.models.policy_simulations import PolicySimulationState as State
from app.schemas.base import Day, Out
from app.schemas.policies.documents import Proof
from app.schemas.policy_drafts import PolicyDraftIn

HEADINGS = {
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


class SimulationIn(PolicyDraftIn):
    """A document, and the past days under which it is tried: both included, at most 366."""

    first_day: Day
    last_day: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_day < self.first_day:
            raise wrong("结束日期早于开始日期", "last_day lies before first_day")
        return self


class SumsOut(Out):
    awards: int
    points: int
    minutes: int = Field(description="Minutes of service.")
    cut: int = Field(description="Points that caps, and rules that give once, kept back.")


class ComparedOut(Out):
    now: SumsOut
    draft: SumsOut


class SimulatedRuleOut(ComparedOut):
    key: str
    name: Worded | None = Field(description="Null for a rule that neither document has any more.")


class SimulatedReasonOut(Out):
    """How many awards got their points for a reason other than the full amount."""

    reason: AwardReason
    msg: Worded
    now: int
    draft: int


class SimulatedBeginningOut(Out):
    """How awards would begin under the draft: at once, waiting, or in public notice."""

    proof: Proof
    state: AwardState
    awards: int
    points: int


class SimulatedLossOut(Out):
    """Acts that would give no award, and the points they gave.

    ``why``: `no_rule`, `evidence` (or a grade) is missing, or a `number` was used before.
    """

    why: str
    awards: int
    points: int


class SimulatedFundOut(Out):
    """What a fund gave, and would have given. ``short``: what it would lack for another period."""

    org_id: UUID
    code: str
    org_name: str
    points_now: int
    points_draft: int
    holds: int | None = Field(description="Its balance; null if it gives without a limit.")
    short: int


class SimulatedPersonOut(Out):
    """What a person was given, and would have been given. The name is masked."""

    person_id: UUID
    display_name: str
    awards: int = Field(description="Under the draft, as are `minutes` and `cap_hits`.")
    points_now: int
    points_draft: int
    change: int
    minutes: int
    cap_hits: int


class SimulationResultOut(Out):
    """Sums of a whole simulation. ``more``, ``less``, ``same``: people, by their points."""

    total: ComparedOut
    rules: list[SimulatedRuleOut]
    reasons: list[SimulatedReasonOut]
    begins: list[SimulatedBeginningOut]
    ineligible: list[SimulatedLossOut]
    funds: list[SimulatedFundOut] = Field(description="At most 20: those that lack most.")
    more: int
    less: int
    same: int
    taken_back: int = Field(description="Awards that were taken back, and are not counted.")


class PolicySimulationOut(Out):
    """A simulation. ``first_day`` to ``last_day``: the period, both included."""

    id: UUID
    org_id: UUID | None = Field(description="Null: of a document for all organisations.")
    created_by: UUID
    created_at: datetime
    first_day: date
    last_day: date
    state: State
    people_done: int = Field(description="People whose acts are replayed.")
    people_total: int | None = Field(description="Of so many; null before it begins.")
    failure: str | None = Field(description="The code of the refusal, if it failed.")
    ended_at: datetime | None
    forgotten_at: datetime | None = Field(description="When it is deleted; null before its end.")


class PolicySimulationDetailOut(PolicySimulationOut):
    """``result`` is null until all of it is there; then ``most_changed`` has up to 20 people."""

    result: SimulationResultOut | None
    most_changed: list[SimulatedPersonOut]
