"""Wire shapes of members: people as the administrators of an organisation see them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.cards import CardStatus
from app.schemas.base import Id, In, OneLine, Out, PersonId, example
from app.schemas.roles import RoleHolderOut

HEADINGS = {
    "card_no": Bilingual("卡号", "Card number"),
    "card_status": Bilingual("卡状态", "State of the card"),
    "suspended_at": Bilingual("停用时间", "Suspended at (Shanghai)"),
}
VALUES = {
    CardStatus: {
        CardStatus.active: ("正常", "active"),
        CardStatus.suspended: ("停用", "suspended"),
        CardStatus.frozen: ("冻结", "frozen"),
        CardStatus.lost: ("挂失", "lost"),
    }
}


class MemberOut(Out):
    """A person of a subtree. For auditors name and card number are masked.

    ``suspended_at``: null: not suspended.
    """

    person_id: PersonId
    display_name: PersonName = Field(description="The person's name; masked for auditors.")
    card_no: str = Field(description="Number of the card; masked for auditors.")
    card_status: CardStatus = Field(description="State of the card.")
    suspended_at: datetime | None = Field(
        description="When the account was suspended, in UTC; null: it is not."
    )
    created_at: datetime = Field(description="When the person first logged in, in UTC.")


class MemberDetailOut(MemberOut):
    """``roles``: in the subtree. Sign-ups that stand, check-ins, awards: numbers in the subtree."""

    roles: list[RoleHolderOut] = Field(description="The person's roles in the subtree.")
    signups: int = Field(description="Sign-ups in the subtree that stand.")
    checkins: int = Field(description="Check-ins in the subtree.")
    awards: int = Field(description="Awards in the subtree.")


class MemberReasonIn(In, json_schema_extra=example({"reason": "转借青享卡"})):
    """``org_id``: left out: the lowest that has the person, and that the caller administers."""

    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")
    org_id: Id | None = Field(
        default=None,
        description="Id of the organisation that decides; null: the lowest that has the person.",
    )
