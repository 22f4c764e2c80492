"""Wire shapes of shops."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.shops import ShopState
from app.schemas.base import ChangeOut, In, Number, OneLine, Out, RecordOut
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


class ShopIn(In):
    """``latitude`` and ``longitude``: GCJ-02 degrees of WeChat's map picker, both or neither."""

    name: Annotated[str, OneLine(60)]
    address: Annotated[str, OneLine(200)]
    latitude: Annotated[Number, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[Number, Field(ge=-180, le=180)] | None = None
    phone: Phone | None = None
    hours: Hours | None = None

    @model_validator(mode="after")
    def _at_a_point(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise wrong("经纬度须同时填写", "latitude and longitude go together")
        return self


class ShopMoveIn(In):
    state: ShopState
    reason: Annotated[str, OneLine(200)]


class ShopOut(RecordOut):
    """``version`` is sent back as ``If-Match``; pictures are attachments of the shop."""

    merchant_id: UUID
    name: str
    address: str
    latitude: float | None
    longitude: float | None
    phone: str | None
    hours: str | None
    state: ShopState
    version: int


class ShopChangedOut(Out):
    """A shop after an edit, and what the edit changed."""

    shop: ShopOut
    changes: list[ChangeOut]
