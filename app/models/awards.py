"""Awards: points (and volunteer minutes) given for an act under a rule."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class AwardState(StrEnum):
    """Where an award is on its way. ``spent`` and ``expired`` the ledger's lots tell."""

    pending_budget = "pending_budget"  # recorded, and paid when the fund is filled
    pending = "pending"  # waits for reviewers or for hours to pass
    notice = "notice"  # approved, and shown to everybody (公示)
    available = "available"
    rejected = "rejected"  # by a reviewer, or for an objection
    reversed = "reversed"


class AwardReason(StrEnum):
    """Why the award has the points that it has."""

    full = "full"
    cap_day = "cap_day"
    cap_month = "cap_month"
    cap_year = "cap_year"
    overall_day = "overall_day"
    overall_month = "overall_month"
    overall_year = "overall_year"
    once = "once"  # had before, by a rule that gives once


class Award(SQLModel, table=True):
    """Its transfer in the ledger has the same id; an award of 0 points has no transfer.

    Over a cap the award is still written, with what the cap left and the reason.
    ``reviews_needed``, ``wait_hours`` and ``notice_days`` are what the rule asked when it was
    proposed; ``release_at`` is when its points become available if nobody stops them, known as
    soon as it waits for no reviewer.
    """

    __tablename__ = "awards"
    __table_args__ = (
        CheckConstraint(one_of("state", AwardState), name="state"),
        CheckConstraint(one_of("reason", AwardReason), name="reason"),
        CheckConstraint("points >= 0 AND points <= points_before_caps", name="points"),
        CheckConstraint("minutes >= 0", name="minutes"),
        CheckConstraint("open_objections >= 0", name="open_objections"),
        UniqueConstraint("reference"),
        Index("ix_awards_person_time", "person_id", "awarded_at"),
        Index("ix_awards_person", "person_id", "id"),
        Index("ix_awards_org_state", "org_id", "state", "id"),
        Index(
            "ix_awards_proposal", "proposal_id", postgresql_where=text("proposal_id IS NOT NULL")
        ),
        Index(
            "ix_awards_release",
            "release_at",
            "id",
            postgresql_where=text("state IN ('pending', 'notice') AND release_at IS NOT NULL"),
        ),
        Index(
            "ix_awards_unpaid",
            "org_id",
            "unit_id",
            "awarded_at",
            "id",
            postgresql_where=text("state = 'pending_budget'"),
        ),
    )

    id: UUID = id_field()
    reference: str = Field(max_length=160)
    person_id: UUID = Field(foreign_key="people.id")
    org_id: UUID = Field(foreign_key="orgs.id")
    unit_id: int  # of the ledger: in which points
    rule_key: str = Field(max_length=40)
    policy_version: int
    points: int
    points_before_caps: int
    minutes: int = 0
    state: str = Field(max_length=20)
    reason: str = Field(max_length=20)
    title: str = Field(max_length=200)
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    proposed_by: UUID | None = Field(default=None, foreign_key="people.id")
    proposal_id: UUID | None = None  # what was proposed together has one
    awarded_at: datetime = Field(sa_type=Timestamp)
    reviews_needed: int = 0
    wait_hours: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    notice_days: int = 0
    release_at: datetime | None = Field(default=None, sa_type=Timestamp)
    # Kept, though it could be counted: who releases an award then meets who objects to it
    # at this row.
    open_objections: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class AwardReview(SQLModel, table=True):
    """What somebody who did not propose it, and does not get it, said of an award."""

    __tablename__ = "award_reviews"

    award_id: UUID = Field(primary_key=True, foreign_key="awards.id")
    reviewer_id: UUID = Field(primary_key=True, foreign_key="people.id")
    approved: bool
    reason: str | None = Field(default=None, max_length=200)
    created_at: datetime = created_at_field()


class AwardObjection(SQLModel, table=True):
    """What anybody holds against an award that is shown; open until it is decided."""

    __tablename__ = "award_objections"
    __table_args__ = (
        UniqueConstraint("award_id", "person_id"),
        CheckConstraint(
            "num_nonnulls(upheld, decision, decided_by, decided_at) IN (0, 4)", name="decision"
        ),
    )

    id: UUID = id_field()
    award_id: UUID = Field(foreign_key="awards.id")
    person_id: UUID = Field(foreign_key="people.id")
    reason: str = Field(max_length=500)
    created_at: datetime = created_at_field()
    upheld: bool | None = None
    decision: str | None = Field(default=None, max_length=500)
    decided_by: UUID | None = Field(default=None, foreign_key="people.id")
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)


class EvidenceNumber(SQLModel, table=True):
    """A number that counts once under a rule: of a dispatch, a case, a certificate.

    ``proposal_id``: several awards of one proposal may share the number of a dispatch.
    """

    __tablename__ = "award_evidence_numbers"
    __table_args__ = (Index("ix_award_evidence_numbers_proposal", "proposal_id"),)

    unit_id: int = Field(primary_key=True)
    rule_key: str = Field(primary_key=True, max_length=40)
    field: str = Field(primary_key=True, max_length=40)
    number: str = Field(primary_key=True, max_length=500)
    proposal_id: UUID
    created_at: datetime = created_at_field()
