"""Wire shapes of sign-ups of a group by its leader."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from app.core.language import Worded
from app.models.sessions import MOST
from app.schemas.base import In, Out, example
from app.schemas.notify import words
from app.schemas.roles import CardNumber
from app.schemas.signups import SignupOut

MAX_MEMBERS = 200
NOTICES = {
    "signup_by_leader": words(
        ("已为您报名", "You were signed up"),
        "主办方已为您报名「{title}」（{starts_at:time}）；不参加请及时取消。",
        "An organizer signed you up to “{title}” ({starts_at:time}). Cancel if you do not come.",
    )
}


class MemberOutcome(StrEnum):
    """What came of a member: signed up now or before, refused, or a number that is nobody's."""

    signed_up = "signed_up"
    there = "there"
    refused = "refused"
    unknown = "unknown"


class SignupBatchIn(In, json_schema_extra=example({"card_nos": ["6800000000018"]})):
    session: Annotated[int, Field(ge=0, le=MOST, strict=True)] = Field(
        default=0, description="Number of the session; 0: the activity as a whole."
    )
    card_nos: Annotated[list[CardNumber], Field(min_length=1, max_length=MAX_MEMBERS)] = Field(
        description="Numbers of the members' cards; one that is repeated counts once."
    )


class GroupMemberOut(Out):
    """What came of one member. A refusal is told without what is known of the person."""

    card_no: str = Field(description="The number, as it was sent.")
    outcome: MemberOutcome = Field(description="What came of it.")
    signup: SignupOut | None = Field(description="The sign-up; null: none.")
    code: str | None = Field(description="Code of the refusal; null: it was not refused.")
    msg: Worded | None = Field(description="The sentence of the refusal; null: none.")


class SignupBatchOut(Out):
    items: list[GroupMemberOut] = Field(
        description="One for each number, in the order of the request."
    )
