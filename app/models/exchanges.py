"""Exchanges of points between two programmes: agreements of organisations, residents' moves."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class ExchangeAgreementState(StrEnum):
    proposed = "proposed"
    agreed = "agreed"
    declined = "declined"
    ended = "ended"


class ExchangeAgreement(Record, table=True):
    """``rate_points`` of the organisation's unit are worth ``other_rate_points`` of the other one.

    ``position``: points that the organisation's clearing account got by exchanges under this
    agreement, less what it gave; ``other_position`` the same of the other organisation.
    ``max_points``, ``other_max_points``: how far below zero each may go.
    """

    __tablename__ = "exchange_agreements"
    __table_args__ = (
        CheckConstraint(one_of("state", ExchangeAgreementState), name="state"),
        CheckConstraint("org_id <> other_org_id AND unit_id <> other_unit_id", name="parties"),
        CheckConstraint("least(rate_points, other_rate_points) > 0", name="rate"),
        CheckConstraint("least(max_points, other_max_points) > 0", name="limits"),
        CheckConstraint(
            "position >= -max_points AND other_position >= -other_max_points", name="positions"
        ),
        CheckConstraint("ends_at > starts_at", name="time"),
        CheckConstraint(
            "CASE state WHEN 'proposed' THEN num_nonnulls(decided_by, decided_at) = 0"
            " WHEN 'ended' THEN num_nonnulls(decided_by, decided_at) IN (0, 2)"
            " ELSE num_nonnulls(decided_by, decided_at) = 2 END",
            name="decided",
        ),
        CheckConstraint("decided_by <> created_by", name="decided_by"),
        CheckConstraint(
            "num_nonnulls(ended_by, ended_at) = CASE state WHEN 'ended' THEN 2 ELSE 0 END",
            name="ended",
        ),
        Index("ix_exchange_agreements_org", "org_id", "id"),
        Index("ix_exchange_agreements_other", "other_org_id", "id"),
    )

    other_org_id: UUID = Field(foreign_key="orgs.id")
    unit_id: int
    other_unit_id: int
    rate_points: int
    other_rate_points: int
    max_points: int
    other_max_points: int
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    state: str = Field(default=ExchangeAgreementState.proposed, max_length=20)
    position: int = Field(default=0, sa_type=BigInteger)
    other_position: int = Field(default=0, sa_type=BigInteger)
    decided_by: UUID | None = Field(default=None, foreign_key="people.id")
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_by: UUID | None = Field(default=None, foreign_key="people.id")
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Exchange(Record, table=True):
    """``created_by`` gave ``points`` of ``org_id`` and got ``received`` points of ``to_org_id``.

    Two transfers of kind ``exchange`` name it as their source; the first has its id. ``expires_at``
    is the end of the new lot, which ``to_org_id`` issued.
    """

    __tablename__ = "exchanges"
    __table_args__ = (
        CheckConstraint("least(points, received) > 0", name="points"),
        CheckConstraint("org_id <> to_org_id AND unit_id <> to_unit_id", name="parties"),
        Index("ix_exchanges_agreement", "agreement_id", "id"),
        Index("ix_exchanges_person", "created_by", "id"),
    )

    agreement_id: UUID = Field(foreign_key="exchange_agreements.id")
    to_org_id: UUID = Field(foreign_key="orgs.id")
    unit_id: int
    to_unit_id: int
    points: int
    received: int
    expires_at: datetime = Field(sa_type=Timestamp)
