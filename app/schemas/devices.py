"""Wire shapes of devices."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from app.core import base64url, sealed_rosters, signed_events
from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.devices import Device, DeviceKind, DeviceState
from app.schemas.base import STREET, In, OneLine, OrgId, RecordOut, example

HEADINGS = {
    "public_key": Bilingual("公钥", "Public key"),
    "roster_key": Bilingual("名单公钥", "Key of rosters"),
    "revoked_at": Bilingual("停用时间", "Revoked at (Shanghai)"),
    "last_seen_at": Bilingual("最近上传时间", "Last seen (Shanghai)"),
    "last_sequence": Bilingual("最近序号", "Last sequence"),
}


VALUES = {
    DeviceKind: {
        DeviceKind.counter: ("打卡器", "counter"),
        DeviceKind.steward_phone: ("工作人员手机", "steward's phone"),
    },
    DeviceState: {
        DeviceState.active: ("使用中", "active"),
        DeviceState.revoked: ("已停用", "revoked"),
    },
}
KeyText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", max_length=43)]


def _bytes_of(text: str) -> bytes:
    raw = base64url.decode(text, signed_events.KEY_BYTES)
    if raw is None:
        raise wrong(
            "应为 32 字节公钥的 base64url 编码（无补位）",
            "expected a public key of 32 bytes in base64url without padding",
        )
    return raw


def _signing_key(text: str) -> str:
    """Refuse a key under which anybody can make signatures."""
    if signed_events.is_weak(_bytes_of(text)):
        raise wrong("不是安全的 Ed25519 公钥", "not a safe Ed25519 public key")
    return text


def _roster_key(text: str) -> str:
    """Refuse a key for which nothing can be encrypted."""
    if not sealed_rosters.is_key(_bytes_of(text)):
        raise wrong("不是安全的 X25519 公钥", "not a safe X25519 public key")
    return text


SigningKey = Annotated[KeyText, AfterValidator(_signing_key)]
RosterKey = Annotated[KeyText, AfterValidator(_roster_key)]


class DeviceIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "name": "三茅青年之家门口",
            "kind": "counter",
            "public_key": "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w",
            "roster_key": "zo060cy2M-x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk",
        }
    ),
):
    org_id: OrgId
    name: Annotated[str, OneLine(40)] = Field(description="Where it stands, or whose it is.")
    kind: DeviceKind = Field(description="What it is.")
    public_key: SigningKey = Field(
        description="Ed25519 public key, 32 bytes in base64url; of no other device, ever."
    )
    roster_key: RosterKey | None = Field(
        default=None,
        description="X25519 public key, 32 bytes in base64url; null: it gets no rosters.",
    )


class DeviceOut(RecordOut):
    name: str = Field(description="Where it stands, or whose it is.")
    kind: DeviceKind = Field(description="What it is.")
    public_key: str = Field(description="Ed25519 public key, 32 bytes in base64url.")
    roster_key: str | None = Field(
        description="X25519 public key, 32 bytes in base64url; null: it gets no rosters."
    )
    state: DeviceState = Field(description="State of the device.")
    reason: str | None = Field(description="Why it was revoked; null while it is active.")
    revoked_at: datetime | None = Field(
        description="Since when its events are refused, in UTC; null while it is active."
    )
    last_seen_at: datetime | None = Field(
        description="When its last events arrived, in UTC; null: none yet."
    )
    last_sequence: int = Field(description="Highest sequence of its events; 0: none yet.")

    @classmethod
    def of(cls, device: Device) -> "DeviceOut":
        keys = {
            "public_key": base64url.encode(device.public_key),
            "roster_key": base64url.encode(device.roster_key) if device.roster_key else None,
        }
        return cls.model_validate(device.model_dump() | keys)
