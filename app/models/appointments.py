"""Appointments by code: an administrator offers a role, the person accepts it on a phone."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of
from app.models.people import Role


class Appointment(Record, table=True):
    """A role that whoever enters the code gets, once, before ``expires_at``.

    ``org_id``: the organisation, or that of the merchant. Only the SHA-256 of the code is kept.
    ``starts_at`` and ``ends_at`` are those of the role.
    """

    __tablename__ = "appointments"
    __table_args__ = (
        CheckConstraint(one_of("role", Role), name="role"),
        CheckConstraint("(role = 'merchant_staff') = (merchant_id IS NOT NULL)", name="place"),
        CheckConstraint("ends_at > starts_at", name="times"),
        CheckConstraint("num_nonnulls(accepted_by, accepted_at) IN (0, 2)", name="accepted"),
        CheckConstraint("accepted_by <> created_by", name="own"),
    )

    role: str = Field(max_length=20)
    merchant_id: UUID | None = Field(default=None, foreign_key="merchants.id")
    starts_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ends_at: datetime | None = Field(default=None, sa_type=Timestamp)
    code_hash: bytes = Field(unique=True)
    expires_at: datetime = Field(sa_type=Timestamp)
    accepted_by: UUID | None = Field(default=None, foreign_key="people.id")
    accepted_at: datetime | None = Field(default=None, sa_type=Timestamp)
