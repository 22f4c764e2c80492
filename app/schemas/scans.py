"""Wire shapes of scans: what devices recorded without network."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.core.signed_events import MAX_CLOCK_MS, MAX_EVENT_LENGTH, Action
from app.models.scans import ScanOutcome, ScanReason
from app.schemas import attendance
from app.schemas.base import Id, In, Out, example

MOST = 5000  # events of one upload
MOST_GAPS = 50
HEADINGS = {
    "card_no": attendance.HEADINGS["card_no"],
    "session": attendance.HEADINGS["session"],
    "device_id": Bilingual("设备编号", "Device id"),
    "device_name": Bilingual("设备", "Device"),
    "sequence": Bilingual("设备序号", "Sequence"),
    "action": Bilingual("签到签退", "In or out"),
    "by_code": Bilingual("离线码", "By offline code"),
    "recorded_at": Bilingual("设备时间", "By the device's clock (Shanghai)"),
    "happened_at": Bilingual("校正后时间", "Corrected time (Shanghai)"),
    "received_at": Bilingual("上传时间", "Uploaded at (Shanghai)"),
    "uploaded_by": Bilingual("上传人编号", "Uploaded by (id)"),
    "outcome": Bilingual("结果", "Outcome"),
    "first_device_name": Bilingual("首次记录的设备", "First recorded by device"),
    "first_sequence": Bilingual("首次记录的序号", "First recorded as sequence"),
    "checkin_id": Bilingual("签到编号", "Check-in id"),
}
VALUES = {
    Action: {Action.check_in: ("签到", "in"), Action.check_out: ("签退", "out")},
    ScanOutcome: {
        ScanOutcome.counted: ("有效", "counted"),
        ScanOutcome.duplicate: ("重复", "duplicate"),
        ScanOutcome.conflict: ("冲突", "conflict"),
        ScanOutcome.refused: ("未采纳", "refused"),
    },
    ScanReason: {
        ScanReason.malformed: ("格式错误", "malformed"),
        ScanReason.unknown_device: ("不是此设备的记录", "of another device"),
        ScanReason.bad_signature: ("签名无效", "wrong signature"),
        ScanReason.revoked: ("设备已停用", "device revoked"),
        ScanReason.clock_skewed: ("设备时钟偏差过大", "device's clock is wrong"),
        ScanReason.ahead: ("记录时间晚于上传时间", "recorded after it was sent"),
        ScanReason.too_old: ("超过 7 天", "older than 7 days"),
        ScanReason.sequence_jumps: ("序号跳跃过大", "sequence jumps"),
        ScanReason.other_activity: ("不是此活动的记录", "of another activity"),
        ScanReason.already_in: ("已签到", "checked in before"),
        ScanReason.came_earlier: (
            "已签到，此记录时间更早",
            "checked in before; this scan is of an earlier time",
        ),
        ScanReason.already_out: ("已签退", "checked out before"),
        ScanReason.sequence_reused: ("序号重复使用", "sequence used twice"),
        ScanReason.closed_before: (
            "已按未签退处理，请更正",
            "ended as forgotten before; needs a correction",
        ),
        ScanReason.corrected_before: ("组织者已更正", "corrected by an organizer before"),
        ScanReason.no_session: ("活动没有这一场次", "no such session"),
        ScanReason.code_invalid: ("离线码无效", "offline code invalid"),
        ScanReason.code_elsewhere: ("离线码属于其他活动", "offline code of another activity"),
        ScanReason.code_expired: ("离线码不在有效时间", "offline code of another time"),
        ScanReason.digits_wrong: ("卡号末四位不符", "last digits are not the card's"),
        ScanReason.card_unknown: ("卡不存在", "no such card"),
        ScanReason.own_card: ("本人的卡", "own card"),
        ScanReason.not_open: ("活动未发布或已取消", "activity not open"),
        ScanReason.outside_window: ("不在签到时间内", "outside the window"),
        ScanReason.not_signed_up: ("未报名", "not signed up"),
        ScanReason.checkout_not_asked: ("活动无需签退", "no check-out asked"),
        ScanReason.handover_needed: ("孩子须经接送交接离开", "children leave by a hand-over"),
        ScanReason.not_eligible: ("不符合参加条件", "not eligible"),
        ScanReason.not_checked_in: ("尚无签到记录", "no check-in yet"),
    },
}


class EventIn(
    In,
    json_schema_extra=example(
        {
            "text": "qingxiang-event-1\n01900000-0000-7000-8000-0000000000d1\n1\n42\n0\nin\n"
            "card:7\n1796000405123\n32236800,119826700,15",
            "signature": "q7LA5qssk-_hFzFKy849UbmqeYMCNry4ziVn_b0KExYD9nx44UYs4HI0rNl2hySmHWRhr52OWE7oQYYBs-uOAA",  # noqa: E501 - a signature
        }
    ),
):
    text: Annotated[str, Field(max_length=MAX_EVENT_LENGTH)] = Field(
        description="The nine lines that the device signed: see docs/devices.md."
    )
    signature: Annotated[str, Field(max_length=100)] = Field(
        description="Ed25519 signature of the text, 64 bytes in base64url."
    )


_EXAMPLE = {
    "sent_ms": 1796000465000,
    "events": [
        {
            "text": "qingxiang-event-1\n01900000-0000-7000-8000-0000000000d1\n1\n42\n0\nin\n"
            "card:7\n1796000405123\n-",
            "signature": "A" * 85 + "Q",
        }
    ],
}


class DeviceEventsIn(In, json_schema_extra=example(_EXAMPLE)):
    sent_ms: int = Field(
        ge=0,
        lt=MAX_CLOCK_MS,
        strict=True,
        description="The device's clock when it sends the events, Unix milliseconds.",
    )
    events: list[EventIn] = Field(
        min_length=1,
        max_length=MOST,
        description="Events in any order; each may be sent any number of times.",
    )


class ScanUploadIn(
    DeviceEventsIn,
    json_schema_extra=example({"device_id": "01900000-0000-7000-8000-0000000000d1"} | _EXAMPLE),
):
    device_id: Id = Field(description="Id of the device that recorded the events.")


class ScanItemOut(Out):
    sequence: int | None = Field(description="Sequence of the event; null: it cannot be read.")
    outcome: ScanOutcome = Field(description="What became of it, now or at an earlier upload.")
    reason: ScanReason | None = Field(description="Why it did not count; null: it counted.")
    is_new: bool = Field(description="Whether it was settled by this upload.")


class GapOut(Out):
    first: int = Field(description="First missing sequence.")
    last: int = Field(description="Last missing sequence.")


class ScansOut(Out):
    """What became of each event, in their order.

    Events that are refused as `malformed`, `unknown_device`, `bad_signature`, `revoked`,
    `clock_skewed`, `ahead`, `too_old`, `sequence_jumps` or `other_activity` are not stored.
    """

    items: list[ScanItemOut] = Field(description="One for each event, in the order sent.")
    counted: int = Field(description="How many counted.")
    duplicate: int = Field(description="How many repeat what was recorded before.")
    conflict: int = Field(description="How many contradict what stands.")
    refused: int = Field(description="How many were refused.")
    settled: int = Field(description="How many were settled by this upload.")
    last_sequence: int = Field(description="Highest sequence of the device that is stored.")
    missing: int = Field(description="How many sequences below it are not stored.")
    gaps: list[GapOut] = Field(description="The missing sequences: the lowest 50 gaps.")


class ScanOut(Out):
    """A stored scan. Names are masked for auditors, numbers of cards for all."""

    id: UUID = Field(description="Id of the scan.")
    device_id: UUID = Field(description="Id of the device.")
    device_name: str = Field(description="Name of the device.")
    sequence: int = Field(description="Sequence of the event.")
    session: int = Field(description="Session that the event names; 0: the whole activity.")
    action: Action = Field(description="Whether the person came or left.")
    by_code: bool = Field(description="Whether the person showed an offline code.")
    person_id: UUID | None = Field(description="Id of the person; null: not known.")
    display_name: PersonName | None = Field(
        description="The person's name, masked for auditors; null: not known."
    )
    card_no: str | None = Field(description="Number of the person's card, masked; null: unknown.")
    recorded_at: datetime = Field(description="When, by the device's clock, in UTC.")
    happened_at: datetime = Field(description="When, by the server's clock, in UTC.")
    received_at: datetime = Field(description="When it was uploaded, in UTC.")
    uploaded_by: UUID | None = Field(description="Who uploaded it; null: the device itself.")
    outcome: ScanOutcome = Field(description="What became of it.")
    reason: ScanReason | None = Field(description="Why it did not count; null: it counted.")
    first_device_name: str | None = Field(
        description="Device of the scan that had recorded the same; null: none."
    )
    first_sequence: int | None = Field(description="Sequence of that scan; null: none.")
    checkin_id: UUID | None = Field(description="Id of the check-in that stands; null: none.")
