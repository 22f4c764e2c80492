"""Wire shapes of counters without network: the sealed list of orders, and signed hand-overs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.core.signed_events import MAX_CLOCK_MS
from app.core.signed_handovers import MAX_LENGTH
from app.models.offline_handovers import HandOverOutcome, HandOverReason
from app.schemas.base import Id, In, Out, example

HEADINGS = {
    "device_id": Bilingual("设备编号", "Device id"),
    "sequence": Bilingual("序号", "Sequence"),
    "redemption_id": Bilingual("预约编号", "Order id"),
    "happened_at": Bilingual("发生时间", "Happened at (Shanghai)"),
    "received_at": Bilingual("上传时间", "Received at (Shanghai)"),
    "outcome": Bilingual("结果", "Outcome"),
}


MOST = 100  # of one upload
VALUES: dict[Any, Any] = {
    HandOverReason: {
        HandOverReason.malformed: ("格式有误", "malformed"),
        HandOverReason.unknown_device: ("设备未登记", "unknown device"),
        HandOverReason.bad_signature: ("签名无效", "wrong signature"),
        HandOverReason.revoked: ("设备已停用", "device revoked"),
        HandOverReason.clock_skewed: ("设备时钟偏差过大", "clock is wrong"),
        HandOverReason.ahead: ("时间晚于当前", "ahead of time"),
        HandOverReason.too_old: ("记录过旧", "too old"),
        HandOverReason.sequence_jumps: ("序号跳跃", "sequence jumps"),
        HandOverReason.other_day: ("不是本场", "of another day"),
        HandOverReason.collected_before: ("此前已领取", "collected before"),
        HandOverReason.sequence_reused: ("序号重复", "sequence reused"),
        HandOverReason.ended_before: ("此前已取消或释放", "ended before"),
        HandOverReason.order_unknown: ("没有这份预约", "order unknown"),
        HandOverReason.own_order: ("本人的预约", "own order"),
        HandOverReason.outside_window: ("不在领取时段", "outside of the time"),
        HandOverReason.card_suspended: ("青享卡不可用", "card suspended"),
    },
    HandOverOutcome: {
        HandOverOutcome.counted: ("已核销", "counted"),
        HandOverOutcome.duplicate: ("重复", "duplicate"),
        HandOverOutcome.conflict: ("冲突", "conflict"),
        HandOverOutcome.refused: ("未计", "refused"),
    },
}


class CounterListOut(Out):
    """The orders that wait, which one device can read: whoever downloads it only passes it on."""

    device_id: Id = Field(description="Id of the device that can read it.")
    day_id: Id = Field(description="Id of the redemption day.")
    orders: int = Field(description="How many orders are on it.")
    sealed: str = Field(
        description="The list, encrypted for the device, in base64url: see docs/devices.md."
    )
    upload_until: datetime = Field(description="Until when hand-overs count, in UTC.")


class SignedHandOverIn(In):
    text: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)] = Field(
        description="The six lines that the device signed: see docs/devices.md."
    )
    signature: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="The signature of 64 bytes, in base64url without padding."
    )


class HandOverUploadIn(
    In,
    json_schema_extra=example(
        {
            "device_id": "01900000-0000-7000-8000-0000000000d1",
            "sent_ms": 1796000405123,
            "events": [
                {
                    "text": "qingxiang-handover-1\n01900000-0000-7000-8000-0000000000d1\n1\n"
                    "01900000-0000-7000-8000-0000000000da\n01900000-0000-7000-8000-0000000000e1\n"
                    "1796000400000",
                    "signature": "A" * 86,
                }
            ],
        }
    ),
):
    device_id: Id = Field(description="Id of the device that recorded them.")
    sent_ms: Annotated[int, Field(ge=0, lt=MAX_CLOCK_MS, strict=True)] = Field(
        description="The device's clock when it sent them, Unix milliseconds."
    )
    events: Annotated[list[SignedHandOverIn], Field(min_length=1, max_length=MOST)] = Field(
        description="In any order; each any number of times."
    )


class HandOverItemOut(Out):
    sequence: int | None = Field(description="Its sequence; null: the text is none.")
    outcome: HandOverOutcome = Field(description="What became of it.")
    reason: HandOverReason | None = Field(description="Why it did not count; null: it counted.")
    is_new: bool = Field(description="Whether it was settled by this upload.")


class HandOversOut(Out):
    """One item for each event, in their order."""

    items: list[HandOverItemOut] = Field(description="One for each event, in their order.")
    counted: int = Field(description="How many count, of this upload or an earlier one.")
    settled: int = Field(description="How many were settled by this upload.")


class OfflineHandOverOut(Out):
    """A hand-over that a device recorded."""

    id: UUID = Field(description="Id of the record.")
    device_id: UUID = Field(description="Id of the device.")
    sequence: int = Field(description="Its sequence.")
    redemption_id: UUID | None = Field(description="Id of the order; null: none of this day.")
    happened_at: datetime = Field(description="When, by the server's clock, in UTC.")
    received_at: datetime = Field(description="When it was uploaded, in UTC.")
    outcome: HandOverOutcome = Field(description="What became of it.")
    reason: HandOverReason | None = Field(description="Why it did not count; null: it counted.")
