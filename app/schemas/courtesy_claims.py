"""Wire shapes of claims of courtesies and of their uses."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName, Worded
from app.models.courtesy_claims import CourtesyClaimState
from app.schemas.base import Code, In, OrgId, Out, PersonId, example
from app.schemas.notify import words

VALUES = {
    CourtesyClaimState: {
        CourtesyClaimState.claimed: ("已领取", "claimed"),
        CourtesyClaimState.used: ("已使用", "used"),
        CourtesyClaimState.cancelled: ("已取消", "cancelled"),
        CourtesyClaimState.expired: ("已过期", "expired"),
    },
}
HEADINGS = {
    "courtesy_id": Bilingual("礼遇编号", "Courtesy id"),
    "courtesy_name": Bilingual("礼遇", "Courtesy"),
    "grant_id": Bilingual("发放批次编号", "Grant id"),
    "created_at": Bilingual("领取时间", "Claimed at (Shanghai)"),
    "valid_until": Bilingual("有效期至", "Valid until (Shanghai)"),
    "used_at": Bilingual("使用时间", "Used at (Shanghai)"),
    "used_by": Bilingual("经办人编号", "Recorded by (id)"),
    "place": Bilingual("使用地点", "Used at"),
}
NOTICES = {
    "courtesy_used": words(
        ("礼遇已使用", "Courtesy used"),
        "您已在{place}使用礼遇「{title}」。如非本人使用，请冻结青享卡并联系组织。",
        "“{title}” was used at {place}. If that was not you, freeze your card and tell the"
        " organisation.",
    ),
}


class CourtesyUseIn(In, json_schema_extra=example({"card_code": "482913057716204839"})):
    """``card_code``: the 18 digits currently shown by the card."""

    card_code: Annotated[str, Code(64)] = Field(
        description="The 18 digits that the card shows now."
    )


class MyCourtesyClaimOut(Out):
    """A claim of the caller."""

    id: UUID = Field(description="Id of the claim.")
    org_id: OrgId
    courtesy_id: UUID = Field(description="Id of the courtesy.")
    courtesy_name: Worded = Field(description="Name of the courtesy.")
    grant_id: UUID | None = Field(
        description="Id of the grant with which it came; null: by tier or category."
    )
    state: CourtesyClaimState = Field(description="State of the claim.")
    created_at: datetime = Field(description="When it was claimed, in UTC.")
    valid_until: datetime = Field(description="Until when it can be used, in UTC.")
    used_at: datetime | None = Field(description="When it was used, in UTC; null: not used.")
    place: str | None = Field(description="Where it was used; null: not used.")


class CourtesyClaimOut(MyCourtesyClaimOut):
    """A claim, as the readers of the organisation see it."""

    person_id: PersonId
    display_name: PersonName = Field(description="Name of the person, masked.")
    merchant_id: UUID | None = Field(
        description="Id of the merchant where it was used; null: not used, or at the venue."
    )
    used_by: UUID | None = Field(description="Id of who recorded the use; null: not used.")


class CounterClaimOut(Out):
    """A claim, as a counter sees it."""

    id: UUID = Field(description="Id of the claim.")
    courtesy_id: UUID = Field(description="Id of the courtesy.")
    courtesy_name: Worded = Field(description="Name of the courtesy.")
    display_name: PersonName = Field(description="Name of the person, masked.")
    state: CourtesyClaimState = Field(description="State of the claim.")
    valid_until: datetime = Field(description="Until when it can be used, in UTC.")
    used_at: datetime | None = Field(description="When it was used, in UTC; null: not used.")


class CounterClaimsOut(Out):
    """What the holder of a card can use here, the oldest first."""

    display_name: PersonName = Field(description="Name of the person, masked.")
    items: list[CounterClaimOut] = Field(description="Claims that can be used at this merchant.")
    expires_at: datetime = Field(description="Until when the card's code is accepted, in UTC.")


class CourtesyClaimsOut(Out):
    """The claims that one grant gave."""

    items: list[MyCourtesyClaimOut] = Field(description="One for each courtesy of the package.")
