"""Wire shapes of deductions. Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.models.deductions import DeductionState
from app.schemas.base import Flag, Id, In, OneLine, Out, Text, require_one_name
from app.schemas.roles import CardNumber

VALUES = {
    DeductionState: {
        DeductionState.standing: ("生效", "standing"),
        DeductionState.appealed: ("申诉中", "appealed"),
        DeductionState.upheld: ("申诉不成立", "upheld"),
        DeductionState.revoked: ("已撤销", "revoked"),
    }
}


class DeductionIn(In):
    """A breach of the rules: ``evidence`` holds what the rule demands, by its names.

    Whose it is, the id says or the number of the 青享卡.
    """

    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["no_show"])]
    org_id: Id
    person_id: Id | None = None
    card_no: CardNumber | None = None
    evidence: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Annotated[str, OneLine(200)]
        ],
        Field(max_length=10, examples=[{"activity": "清明植树"}]),
    ]

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        require_one_name(self.person_id, self.card_no)
        return self


class DeductionOut(Out):
    """``points`` of ``points_asked`` were taken; ``appeal_until`` ends the time for an appeal."""

    id: UUID
    person_id: UUID
    org_id: UUID
    rule_key: str
    title: str
    points_asked: int
    points: int
    evidence: dict[str, str]
    state: DeductionState
    created_at: datetime
    appeal_until: datetime
    appeal: str | None
    decision: str | None


class AppealIn(In):
    reason: Annotated[str, OneLine(500)]


class AppealDecisionIn(In):
    """``granted``: the points go back to the person."""

    granted: Flag
    reason: Annotated[str, OneLine(500)]
