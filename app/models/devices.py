"""Devices (志愿服务打卡器): counters at a door and phones of stewards, each with its own keys."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class DeviceKind(StrEnum):
    counter = "counter"
    steward_phone = "steward_phone"


class DeviceState(StrEnum):
    active = "active"
    revoked = "revoked"


class Device(Record, table=True):
    """The row stays when the device is revoked: its key is never taken a second time.

    ``public_key`` (Ed25519) verifies its events, ``roster_key`` (X25519) encrypts rosters for it;
    32 bytes each. ``last_sequence``: the highest of its events, 0 for none.
    """

    __tablename__ = "devices"
    __table_args__ = (
        CheckConstraint(one_of("kind", DeviceKind), name="kind"),
        CheckConstraint(one_of("state", DeviceState), name="state"),
        CheckConstraint("octet_length(public_key) = 32", name="public_key"),
        CheckConstraint("octet_length(roster_key) = 32", name="roster_key"),
        CheckConstraint(
            "num_nonnulls(reason, revoked_at) = CASE state WHEN 'revoked' THEN 2 ELSE 0 END",
            name="revoked",
        ),
        CheckConstraint("last_sequence >= 0", name="last_sequence"),
        Index("ix_devices_org", "org_id", "id"),
    )

    name: str = Field(max_length=40)
    kind: str = Field(max_length=20)
    public_key: bytes = Field(unique=True)
    roster_key: bytes | None = None
    state: str = Field(
        default=DeviceState.active,
        max_length=20,
        sa_column_kwargs={"server_default": DeviceState.active.value},
    )
    reason: str | None = Field(default=None, max_length=200)
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_seen_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_sequence: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
