"""Wire shapes of shops."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.shops import ShopState
from app.schemas.base import (
    ChangeOut,
    In,
    MerchantId,
    Number,
    OneLine,
    Out,
    PublicRecordOut,
    Version,
    example,
)
from app.schemas.merchants import Hours, Phone

HEADINGS = {
    "address": Bilingual("地址", "Address"),
    "latitude": Bilingual("纬度", "Latitude"),
    "longitude": Bilingual("经度", "Longitude"),
    "phone": Bilingual("电话", "Phone"),
    "hours": Bilingual("营业时间", "Hours"),
    "version": Bilingual("版本", "Version"),
}
VALUES = {
    ShopState: {ShopState.open: ("营业", "open"), ShopState.closed: ("已关闭", "closed")},
}


class ShopIn(
    In,
    json_schema_extra=example(
        {
            "name": "三茅青年咖啡馆二店",
            "address": "扬中市三茅街道扬子中路 100 号",
            "latitude": 32.2371,
            "longitude": 119.8281,
            "phone": "0511-88320000",
            "hours": "每天 9:00 至 21:00",
        }
    ),
):
    """``latitude`` and ``longitude``: GCJ-02 degrees of WeChat's map picker, both or neither."""

    name: Annotated[str, OneLine(60)] = Field(description="Name of the shop.")
    address: Annotated[str, OneLine(200)] = Field(description="Where it is.")
    latitude: Annotated[Number, Field(ge=-90, le=90)] | None = Field(
        default=None, description="Degrees north, GCJ-02; with `longitude`, or neither."
    )
    longitude: Annotated[Number, Field(ge=-180, le=180)] | None = Field(
        default=None, description="Degrees east, GCJ-02; with `latitude`, or neither."
    )
    phone: Phone | None = Field(default=None, description="Phone number for customers; null: none.")
    hours: Hours | None = Field(
        default=None, description="When it is open, in words; null: unknown."
    )

    @model_validator(mode="after")
    def _at_a_point(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise wrong("经纬度须同时填写", "latitude and longitude go together")
        return self


class ShopMoveIn(In, json_schema_extra=example({"state": "closed", "reason": "停业装修"})):
    state: ShopState = Field(description="The state that the shop should have.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class ShopOut(PublicRecordOut):
    """``version`` is sent back as ``If-Match``; pictures are attachments of the shop."""

    merchant_id: MerchantId
    name: str = Field(description="Name of the shop.")
    address: str = Field(description="Where it is.")
    latitude: float | None = Field(description="Degrees north, GCJ-02; null: unknown.")
    longitude: float | None = Field(description="Degrees east, GCJ-02; null: unknown.")
    phone: str | None = Field(description="Phone number for customers; null: none.")
    hours: str | None = Field(description="When it is open, in words; null: unknown.")
    state: ShopState = Field(description="State of the shop.")
    version: Version


class ShopChangedOut(Out):
    """A shop after an edit, and what the edit changed."""

    shop: ShopOut = Field(description="The shop after the edit.")
    changes: list[ChangeOut] = Field(description="What the edit changed.")
