"""Wire shapes of deductions. Amounts are whole points."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.base import Flag, Id, In, OneLine, Out, Text


class DeductionIn(In):
    """A breach of the rules: ``evidence`` holds what the rule demands, by its names."""

    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["no_show"])]
    org_id: Id
    person_id: Id
    evidence: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Annotated[str, OneLine(200)]
        ],
        Field(max_length=10, examples=[{"activity": "清明植树"}]),
    ]


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
    state: str
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
