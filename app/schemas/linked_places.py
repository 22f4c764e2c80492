"""Wire shapes of linked places and of check-ins there."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.core.scanned import MAX_SCANNED
from app.models.linked_places import LinkedPlaceState
from app.schemas.awards.reading import AwardOut
from app.schemas.base import (
    STREET,
    Code,
    In,
    MerchantId,
    OneLine,
    OrgId,
    Out,
    PublicRecordOut,
    Text,
    example,
)
from app.schemas.checkins import PositionIn

HEADINGS = {
    "shop_id": Bilingual("门店编号", "Shop id"),
    "merchant_id": Bilingual("商户编号", "Merchant id"),
    "radius_m": Bilingual("半径（米）", "Radius (m)"),
}
VALUES = {
    LinkedPlaceState: {
        LinkedPlaceState.linked: ("联动中", "linked"),
        LinkedPlaceState.ended: ("已结束", "ended"),
    }
}
ShopId = Annotated[UUID, Field(description="Id of the shop.")]
RuleKey = Annotated[Text, Field(min_length=1, max_length=40, examples=["activity_checkin"])]
LinkedPlaceId = Annotated[UUID, Field(description="Id of the linked place.")]


class LinkedPlaceIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "shop_id": "01900000-0000-7005-8000-000000000001",
            "rule_key": "activity_checkin",
            "radius_m": 100,
        }
    ),
):
    org_id: OrgId
    shop_id: ShopId
    rule_key: RuleKey = Field(
        description="Key of the policy's rule by which a check-in gives points: its caps hold."
    )
    radius_m: Annotated[int, Field(ge=10, le=500, strict=True)] = Field(
        default=100, description="How far from the shop its poster may be scanned, in metres."
    )


class LinkedPlaceMoveIn(In, json_schema_extra=example({"state": "ended", "reason": "合作到期"})):
    state: LinkedPlaceState = Field(description="The state that it should have.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class LinkedPlaceOut(PublicRecordOut):
    shop_id: ShopId
    merchant_id: MerchantId
    rule_key: str = Field(description="Key of the rule by which a check-in gives points.")
    radius_m: int = Field(description="How far from the shop its poster may be scanned, in m.")
    state: LinkedPlaceState = Field(description="State of the link.")


class LinkedPlacePosterOut(Out):
    """The poster of a linked place. It is valid until the next issue is made."""

    linked_place_id: LinkedPlaceId
    issue: int = Field(description="Which poster it is, from 1; earlier ones are refused.")
    code: str = Field(description="What its QR code holds: 32 characters of base64url.")
    url: str = Field(description="The code as URL, which any scanner opens.")
    svg_url: str = Field(description="Path of the QR picture, as SVG.")


class LinkedPlaceVisitIn(
    In,
    json_schema_extra=example(
        {
            "code": "QwMAAAABAAHq3mQ0b1YkX7sJd2uR5vTz",
            "location": {
                "latitude": 32.2368,
                "longitude": 119.8267,
                "accuracy_m": 20,
                "coordinate_system": "gcj02",
            },
        }
    ),
):
    """``code``: what the poster's QR code holds, the bare code or its URL."""

    code: Annotated[str, Code(MAX_SCANNED, hyphens=True)] = Field(
        description="What the poster holds: 32 characters of base64url, or a URL that ends in them."
    )
    location: PositionIn | None = Field(
        default=None, description="Where the phone is. Without it a new check-in is refused."
    )


class LinkedPlaceVisitOut(Out):
    id: UUID = Field(description="Id of the check-in.")
    linked_place_id: LinkedPlaceId
    visited_on: date = Field(description="Its day, in Asia/Shanghai.")
    visited_at: datetime = Field(description="When, in UTC.")
    award: AwardOut = Field(description="What it gives.")
