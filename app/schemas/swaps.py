"""Wire shapes of swaps of shifts, and the words of their notices."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.swaps import SwapState
from app.schemas.base import ActivityId, Flag, Id, In, Out, RecordOut, example
from app.schemas.notify import words

VALUES = {
    SwapState: {
        SwapState.proposed: ("待答复", "proposed"),
        SwapState.accepted: ("已接受", "accepted"),
        SwapState.refused: ("已拒绝", "refused"),
        SwapState.withdrawn: ("已撤回", "withdrawn"),
        SwapState.expired: ("已过期", "expired"),
    }
}
# Of either shift, which has the same fields.
_OF_SHIFT = {
    "id": Bilingual("编号", "id"),
    "number": Bilingual("序号", "number"),
    "post_name": Bilingual("岗位", "post"),
    "starts_at": Bilingual("开始时间", "starts at (Shanghai)"),
    "ends_at": Bilingual("结束时间", "ends at (Shanghai)"),
}
_SHIFTS = {"offered": ("让出班次", "Offered shift"), "wanted": ("想换班次", "Wanted shift")}
HEADINGS = {
    f"{shift}.{name}": Bilingual(f"{zh}{one.zh}", f"{en}: {one.en}")
    for shift, (zh, en) in _SHIFTS.items()
    for name, one in _OF_SHIFT.items()
}
_SHIFT = "「{title}」{starts_at:time} 的班次"
_SHIFT_EN = "the shift of “{title}” on {starts_at:time}"
NOTICES = {
    "swap_proposed": words(
        ("换班请求", "Swap proposed"),
        f"有人想用另一班次与您交换{_SHIFT}，请答复。",
        f"Somebody offers you another shift for {_SHIFT_EN}. Please answer.",
    ),
    "swap_accepted": words(
        ("换班成功", "Swap accepted"),
        f"换班成功：{_SHIFT}由您{{takes:负责|转出}}。",
        f"Swap accepted: {_SHIFT_EN} is {{takes:yours now|yours no more}}.",
    ),
    "swap_refused": words(
        ("换班被拒绝", "Swap refused"),
        f"{_SHIFT}的换班请求被拒绝，仍由您负责。",
        f"Your swap was refused: {_SHIFT_EN} is still yours.",
    ),
    "swap_withdrawn": words(
        ("换班已撤回", "Swap withdrawn"),
        f"对{_SHIFT}的换班请求已撤回。",
        f"The offer to swap {_SHIFT_EN} was withdrawn.",
    ),
    "swap_expired": words(
        ("换班已过期", "Swap expired"),
        f"{_SHIFT}的换班请求无人接受，仍由您负责。",
        f"Nobody took your offer: {_SHIFT_EN} is still yours.",
    ),
}


class SwapIn(In, json_schema_extra=example({"open": True})):
    """In exchange for another person's shift, or given away to who takes it."""

    with_signup_id: Id | None = Field(
        default=None, description="Id of the sign-up asked for in exchange; or `open`."
    )
    open: Flag = Field(default=False, description="True: whoever accepts takes the shift.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.with_signup_id is not None) == self.open:
            raise wrong(
                "with_signup_id 与 open 须填且只填一项",
                "either with_signup_id is given, or open is true",
            )
        return self


class SwapShiftOut(Out):
    """A shift of a swap."""

    id: UUID = Field(description="Id of the shift.")
    number: int = Field(description="Its number as a session of the activity.")
    post_name: str = Field(description="Name of its post.")
    starts_at: datetime = Field(description="When it starts, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")


class SwapOut(RecordOut):
    """An offer of a place at a shift; ``created_by`` made it."""

    activity_id: ActivityId
    activity_title: str = Field(description="What the activity is called.")
    offered: SwapShiftOut = Field(description="The shift that is offered.")
    wanted: SwapShiftOut | None = Field(
        description="The shift asked for in exchange; null: it is given away."
    )
    state: SwapState = Field(description="State of the offer.")
    expires_at: datetime = Field(description="Until when it can be accepted, in UTC.")
    is_mine: bool = Field(description="Whether the caller made it.")
