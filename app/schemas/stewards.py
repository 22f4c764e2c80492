"""API schemas of stewards: somebody at the door checks others in and out."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import PersonName
from app.core.validation_messages import wrong
from app.models.awards import AwardState
from app.schemas.awards import reading
from app.schemas.base import ActivityId, Code, In, OneLine, Out, PersonId, ReasonOut, example
from app.schemas.checkins import CodeAction

MOST = 200  # members of one list


class StewardOutcome(StrEnum):
    """What became of one person of a list. ``repeated``: it was recorded before."""

    recorded = "recorded"
    repeated = "repeated"
    refused = "refused"


VALUES: dict[Any, Any] = {
    StewardOutcome: {
        StewardOutcome.recorded: ("已登记", "recorded"),
        StewardOutcome.repeated: ("此前已登记", "recorded before"),
        StewardOutcome.refused: ("未登记", "refused"),
    },
    AwardState: reading.VALUES[AwardState],
}
CardNumber = Annotated[str, OneLine(40)]


class _OfASession(In):
    action: CodeAction = Field(description="Whether people come or leave.")
    session: Annotated[int, Field(ge=0, le=10_000, strict=True)] | None = Field(
        default=None, description="Number of the session; null: the one that runs, or the next."
    )
    walk_in: bool = Field(
        default=False, description="Whether who has no place is checked in all the same."
    )


class StewardIn(
    _OfASession,
    json_schema_extra=example({"action": "check_in", "card_code": "123456789012345678"}),
):
    """One of ``card_code``, ``card_no`` and ``person_id`` names the person."""

    card_code: Annotated[str, Code(40)] | None = Field(
        default=None, description="The code that the person's phone shows: once, for a minute."
    )
    card_no: CardNumber | None = Field(default=None, description="Number of the person's card.")
    person_id: PersonId | None = Field(
        default=None, description="Id of somebody who signed up, from the list of sign-ups."
    )

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if sum(one is not None for one in (self.card_code, self.card_no, self.person_id)) != 1:
            raise wrong(
                "card_code、card_no、person_id 须且只能填一项",
                "exactly one of card_code, card_no, person_id",
            )
        return self


class StewardListIn(
    _OfASession,
    json_schema_extra=example({"action": "check_in", "card_nos": ["QX-1000-0009-6"]}),
):
    """The members of a team, as their leader has counted them."""

    card_nos: Annotated[list[CardNumber], Field(min_length=1, max_length=MOST)] = Field(
        description="Numbers of the members' cards, 200 at most."
    )


class StewardedOut(Out):
    """A person who was checked in or out. What the person has is not shown to a steward."""

    checkin_id: UUID = Field(description="Id of the check-in.")
    activity_id: ActivityId
    session: int = Field(description="Number of the session, from 1; 0: the activity has none.")
    person_id: PersonId
    display_name: PersonName = Field(description="The person's name.")
    checked_in_at: datetime = Field(description="Since when the person is there, in UTC.")
    checked_out_at: datetime | None = Field(description="Until when, in UTC; null: still there.")
    is_new: bool = Field(description="Whether it was recorded now, and not before.")
    points: int | None = Field(description="Points of the award; null: no award yet.")
    minutes: int | None = Field(description="Minutes of service of the award; null: none yet.")
    state: AwardState | None = Field(description="State of the award; null: no award yet.")


class StewardItemOut(Out):
    card_no: str = Field(description="Number of the card, as it was given.")
    outcome: StewardOutcome = Field(description="What became of it.")
    refusal: ReasonOut | None = Field(description="Why it was refused; null: it was not.")
    recorded: StewardedOut | None = Field(description="The presence; null if refused.")


class StewardListOut(Out):
    """One item for each number, in their order."""

    items: list[StewardItemOut] = Field(description="One for each number, in their order.")
    recorded: int = Field(description="How many were recorded now.")
    refused: int = Field(description="How many were refused.")
