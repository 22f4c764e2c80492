"""Scans: what devices recorded without network, and how each was settled (decision 0048)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.signed_events import Action
from app.models.base import Timestamp, id_field, one_of


class ScanOutcome(StrEnum):
    """``conflict``: it contradicts something that stands; an organizer looks at it."""

    counted = "counted"
    duplicate = "duplicate"
    conflict = "conflict"
    refused = "refused"


class ScanReason(StrEnum):
    """Why a scan did not count."""

    # Of events that are not stored: the same event may count when it is sent again.
    malformed = "malformed"
    unknown_device = "unknown_device"
    bad_signature = "bad_signature"
    revoked = "revoked"
    clock_skewed = "clock_skewed"
    ahead = "ahead"
    too_old = "too_old"
    sequence_jumps = "sequence_jumps"
    other_activity = "other_activity"
    # Of duplicates.
    already_in = "already_in"
    came_earlier = "came_earlier"  # than the check-in says that stands
    already_out = "already_out"
    # Of conflicts.
    sequence_reused = "sequence_reused"
    closed_before = "closed_before"  # the presence was ended as forgotten
    corrected_before = "corrected_before"  # an organizer decided about the presence
    # Of refused scans.
    no_session = "no_session"
    code_invalid = "code_invalid"
    code_elsewhere = "code_elsewhere"  # of another activity or session
    code_expired = "code_expired"
    digits_wrong = "digits_wrong"
    card_unknown = "card_unknown"
    own_card = "own_card"
    not_open = "not_open"
    outside_window = "outside_window"
    not_signed_up = "not_signed_up"
    checkout_not_asked = "checkout_not_asked"
    handover_needed = "handover_needed"  # children leave a class in no other way
    not_eligible = "not_eligible"
    not_checked_in = "not_checked_in"  # settled when the check-in arrives


class RecordedScan(SQLModel, table=True):
    """An event of a device, and what became of it.

    ``digest``: SHA-256 of the signed text. ``by_code``: whether the person showed an offline code.
    ``recorded_at``: by the device's clock; ``happened_at``: by the server's. ``uploaded_by``: null:
    the device itself. ``first_id``: the scan that had recorded the same before. A row changes once
    at most: a check-out that arrived before its check-in.
    """

    __tablename__ = "scans"
    __table_args__ = (
        CheckConstraint(one_of("outcome", ScanOutcome), name="outcome"),
        CheckConstraint(one_of("reason", ScanReason), name="reason"),
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint("(outcome = 'counted') = (reason IS NULL)", name="counted"),
        CheckConstraint("outcome <> 'counted' OR checkin_id IS NOT NULL", name="checkin"),
        CheckConstraint("sequence > 0 AND session >= 0", name="numbers"),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        UniqueConstraint("device_id", "sequence", "digest"),
        # Of several texts with one sequence the first stands.
        Index(
            "uq_scans_sequence",
            "device_id",
            "sequence",
            unique=True,
            postgresql_where=text("reason IS DISTINCT FROM 'sequence_reused'"),
        ),
        Index("ix_scans_activity", "activity_id", "id"),
        Index("ix_scans_person", "person_id", "id"),
        Index("ix_scans_checkin", "checkin_id"),
    )

    id: UUID = id_field()
    device_id: UUID = Field(foreign_key="devices.id")
    sequence: int
    digest: bytes
    activity_id: UUID = Field(foreign_key="activities.id")
    session: int
    action: str = Field(max_length=20)
    by_code: bool
    person_id: UUID | None = Field(default=None, foreign_key="people.id")
    recorded_at: datetime = Field(sa_type=Timestamp)
    happened_at: datetime = Field(sa_type=Timestamp)
    received_at: datetime = Field(sa_type=Timestamp)
    uploaded_by: UUID | None = Field(default=None, foreign_key="people.id")
    outcome: str = Field(max_length=20)
    reason: str | None = Field(default=None, max_length=20)
    first_id: UUID | None = Field(default=None, foreign_key="scans.id")
    checkin_id: UUID | None = Field(default=None, foreign_key="checkins.id")
