"""Hand-overs that counters recorded without network, and how each was settled."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of


class HandOverOutcome(StrEnum):
    """``conflict``: goods are gone and the order had ended; an organizer looks at it."""

    counted = "counted"
    duplicate = "duplicate"
    conflict = "conflict"
    refused = "refused"


class HandOverReason(StrEnum):
    """Why a hand-over did not count."""

    # Of those that are not stored: the same may count when it is sent again.
    malformed = "malformed"
    unknown_device = "unknown_device"
    bad_signature = "bad_signature"
    revoked = "revoked"
    clock_skewed = "clock_skewed"
    ahead = "ahead"
    too_old = "too_old"
    sequence_jumps = "sequence_jumps"
    other_day = "other_day"
    own_order = "own_order"  # of who uploads, or of who registered the device
    # Of duplicates and conflicts.
    collected_before = "collected_before"
    sequence_reused = "sequence_reused"
    ended_before = "ended_before"  # the order was cancelled, replaced or released
    # Of refused ones.
    order_unknown = "order_unknown"
    outside_window = "outside_window"
    card_suspended = "card_suspended"


class OfflineHandOver(SQLModel, table=True):
    """A signed hand-over of a device, and what became of it. Append-only.

    ``digest``: SHA-256 of the signed text. ``recorded_at``: by the device's clock; ``happened_at``:
    by the server's.
    """

    __tablename__ = "offline_handovers"
    __table_args__ = (
        CheckConstraint(one_of("outcome", HandOverOutcome), name="outcome"),
        CheckConstraint(one_of("reason", HandOverReason), name="reason"),
        CheckConstraint("(outcome = 'counted') = (reason IS NULL)", name="counted"),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        UniqueConstraint("device_id", "sequence", "digest"),
        # Of several texts with one sequence the first stands; an order is handed over once.
        Index(
            "uq_offline_handovers_sequence",
            "device_id",
            "sequence",
            unique=True,
            postgresql_where=text("reason IS DISTINCT FROM 'sequence_reused'"),
        ),
        Index(
            "uq_offline_handovers_order",
            "redemption_id",
            unique=True,
            postgresql_where=text("outcome = 'counted'"),
        ),
        Index("ix_offline_handovers_day", "day_id", "id"),
    )

    id: UUID = id_field()
    day_id: UUID = Field(foreign_key="redemption_days.id")
    device_id: UUID = Field(foreign_key="devices.id")
    sequence: int
    digest: bytes
    redemption_id: UUID | None = Field(default=None, foreign_key="redemptions.id")
    recorded_at: datetime = Field(sa_type=Timestamp)
    happened_at: datetime = Field(sa_type=Timestamp)
    received_at: datetime = Field(sa_type=Timestamp)
    uploaded_by: UUID = Field(foreign_key="people.id")
    outcome: str = Field(max_length=20)
    reason: str | None = Field(default=None, max_length=20)
