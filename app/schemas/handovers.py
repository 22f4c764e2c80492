"""Wire shapes of hand-overs, and the words of their notice."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.handovers import HandoverProof
from app.schemas.base import ActivityId, Code, Flag, Id, In, Out, PersonId, example
from app.schemas.children import FetcherOut
from app.schemas.notify import words

HEADINGS = {
    "session": Bilingual("场次", "Session"),
    "child_id": Bilingual("孩子编号", "Child id"),
    "proof": Bilingual("凭据", "Proof"),
    "handed_over_at": Bilingual("交接时间", "Handed over at (Shanghai)"),
}


CODE_DIGITS = 8
VALUES = {
    HandoverProof: {
        HandoverProof.guardian_card: ("监护人青享卡", "guardian's card"),
        HandoverProof.pickup_card: ("接送人青享卡", "named person's card"),
        HandoverProof.handover_code: ("交接码", "hand-over code"),
        HandoverProof.alone: ("自行离开", "left alone"),
    }
}
NOTICES = {
    "handover_recorded": words(
        ("孩子已离开", "Your child has left"),
        "{name} 已于 {at:time} 离开「{title}」，交接方式见接送记录。",
        "{name} left “{title}” at {at:time}; see the hand-overs for who came.",
    )
}
Session = Annotated[int, Field(ge=0, le=10_000, strict=True)]
SESSION = "Number of the session, from 1; 0: the activity has none."


class HandoverCodeIn(
    In,
    json_schema_extra=example(
        {
            "activity_id": "01900000-0000-7000-8000-000000000001",
            "pickup_id": "01900000-0000-7000-8000-000000000002",
        }
    ),
):
    activity_id: Id
    session: Session = Field(default=0, description=SESSION)
    pickup_id: Id


class HandoverCodeOut(Out):
    """``code``: 8 digits for the named person to tell at the door, once."""

    id: UUID = Field(description="Id of the code.")
    code: str = Field(description="8 digits, told at the door, once.")
    expires_at: datetime = Field(description="Until when the code is accepted: today's end.")


class HandoverIn(
    In,
    json_schema_extra=example(
        {"child_id": "01900000-0000-7000-8000-000000000001", "card_code": "123456789012345678"}
    ),
):
    """One of ``card_code``, ``handover_code`` and ``alone`` says why the child may leave."""

    child_id: Id
    session: Session = Field(default=0, description=SESSION)
    card_code: Annotated[str, Code(40)] | None = Field(
        default=None, description="What the phone of who fetches the child shows: once."
    )
    handover_code: Annotated[str, Code(20)] | None = Field(
        default=None, description="The 8 digits that the guardian gave to a named person."
    )
    alone: Flag = Field(default=False, description="True: the child leaves alone.")

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.card_code is not None) + (self.handover_code is not None) + self.alone != 1:
            raise wrong(
                "card_code、handover_code、alone 须且只能填一项",
                "exactly one of card_code, handover_code, alone",
            )
        return self


class HandoverOut(Out):
    """A child left a class. ``fetcher``: a named person; null: the guardian, or nobody."""

    id: UUID = Field(description="Id of the hand-over.")
    activity_id: ActivityId
    session: int = Field(description=SESSION)
    child_id: PersonId
    proof: HandoverProof = Field(description="What showed that the child might leave.")
    fetcher: FetcherOut | None = Field(description="Who fetched the child; null: the guardian.")
    handed_over_at: datetime = Field(description="When, in UTC.")


class ChildHandoverOut(HandoverOut):
    title: str = Field(description="What the class is called.")
