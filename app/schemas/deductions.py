"""Wire shapes of deductions. Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.models.deductions import DeductionState
from app.schemas.base import (
    STREET,
    Flag,
    Id,
    In,
    OneLine,
    Out,
    PersonId,
    Text,
    example,
    require_one_name,
)
from app.schemas.roles import CardNumber

VALUES = {
    DeductionState: {
        DeductionState.standing: ("生效", "standing"),
        DeductionState.appealed: ("申诉中", "appealed"),
        DeductionState.upheld: ("申诉不成立", "upheld"),
        DeductionState.revoked: ("已撤销", "revoked"),
    }
}


class DeductionIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "rule_key": "no_show",
            "card_no": "6800000000080",
            "evidence": {"activity": "清明植树"},
        }
    ),
):
    """A breach of the rules: ``evidence`` holds what the rule demands, by its names.

    Whose it is, the id says or the number of the 青享卡.
    """

    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["no_show"])] = Field(
        description="Key of the breach in the policy."
    )
    org_id: Id = Field(description="Id of the organisation that deducts.")
    person_id: Id | None = Field(default=None, description="Id of the person; or `card_no`.")
    card_no: CardNumber | None = Field(
        default=None, description="Number of the person's card; or `person_id`."
    )
    evidence: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Annotated[str, OneLine(200)]
        ],
        Field(max_length=10, examples=[{"activity": "清明植树"}]),
    ] = Field(description="What the rule demands as proof, by the names of its fields.")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        require_one_name(self.person_id, self.card_no)
        return self


class DeductionOut(Out):
    """``points`` of ``points_asked`` were taken; ``appeal_until`` ends the time for an appeal."""

    id: UUID = Field(description="Id of the deduction.")
    person_id: PersonId
    org_id: UUID = Field(description="Id of the organisation that deducted.")
    rule_key: str = Field(description="Key of the breach in the policy.")
    title: str = Field(description="What the breach is called.")
    points_asked: int = Field(description="Points that the policy deducts.")
    points: int = Field(description="Points that were taken; never more than the person had.")
    evidence: dict[str, str] = Field(
        description="The proof that was brought, by the names of the rule's fields."
    )
    state: DeductionState = Field(description="State of the deduction.")
    created_at: datetime = Field(description="When the points were taken, in UTC.")
    appeal_until: datetime = Field(description="Until when the person may appeal, in UTC.")
    appeal: str | None = Field(description="The person's appeal; null: none.")
    decision: str | None = Field(description="Why the appeal was decided so; null: undecided.")


class AppealIn(In, json_schema_extra=example({"reason": "我提前一天打过电话请假"})):
    reason: Annotated[str, OneLine(500)] = Field(description="Why the deduction is wrong.")


class AppealDecisionIn(In, json_schema_extra=example({"granted": True, "reason": "通话记录属实"})):
    """``granted``: the points go back to the person."""

    granted: Flag = Field(description="True: the points go back to the person.")
    reason: Annotated[str, OneLine(500)] = Field(
        description="Why it was decided so. The person reads it."
    )
