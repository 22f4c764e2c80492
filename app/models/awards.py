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
    """The state of an award. ``spent`` and ``expired`` are not stored: they follow from lots."""

    pending_budget = "pending_budget"  # recorded; paid once the fund has enough points
    pending = "pending"  # waits for reviews or for its waiting hours
    notice = "notice"  # approved and in public notice (公示)
    available = "available"
    rejected = "rejected"  # by a reviewer, or after an objection
    reversed = "reversed"


class AwardReason(StrEnum):
    """Why the award has this number of points."""

    full = "full"
    cap_day = "cap_day"
    cap_month = "cap_month"
    cap_year = "cap_year"
    overall_day = "overall_day"
    overall_month = "overall_month"
    overall_year = "overall_year"
    once = "once"  # the rule gives once, and the person had it before
    counted_before = "counted_before"  # the attended time counted at another activity


class Award(SQLModel, table=True):
    """An award. Its transfer in the ledger has the same id; an award of 0 points has no transfer.

    An award over a cap is still written, with the points that the cap left and the reason.
    ``reviews_needed``, ``wait_hours`` and ``notice_days`` are those of the rule at the time of the
    proposal. ``release_at`` is when the points become available unless an objection is open; set as
    soon as no review is missing.

    ``points`` is what the award gives now. Of the points of its transfer, ``points_cut`` went back
    at the approval, over the caps, and ``points_reversed`` by partial reversals.
    ``hours_at_once``: the minutes were posted with the award, though its points may be pending.
    """

    __tablename__ = "awards"
    __table_args__ = (
        CheckConstraint(one_of("state", AwardState), name="state"),
        CheckConstraint(one_of("reason", AwardReason), name="reason"),
        CheckConstraint(
            "least(points, points_cut, points_reversed) >= 0"
            " AND points + points_cut + points_reversed <= points_before_caps",
            name="points",
        ),
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
    unit_id: int  # unit of the ledger
    rule_key: str = Field(max_length=40)
    policy_version: int
    points: int
    points_before_caps: int
    points_cut: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    points_reversed: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    minutes: int = 0
    hours_at_once: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    state: str = Field(max_length=20)
    reason: str = Field(max_length=20)
    title: str = Field(max_length=200)
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    proposed_by: UUID | None = Field(default=None, foreign_key="people.id")
    proposal_id: UUID | None = None  # shared by all awards of one proposal
    awarded_at: datetime = Field(sa_type=Timestamp)
    reviews_needed: int = 0
    wait_hours: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    notice_days: int = 0
    release_at: datetime | None = Field(default=None, sa_type=Timestamp)
    # Number of open cases of the kind objection. Kept rather than counted, so that release and
    # objection conflict on the lock of this row.
    open_objections: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class AwardReview(SQLModel, table=True):
    """A review of an award, by a person who neither proposed nor receives it."""

    __tablename__ = "award_reviews"

    award_id: UUID = Field(primary_key=True, foreign_key="awards.id")
    reviewer_id: UUID = Field(primary_key=True, foreign_key="people.id")
    approved: bool
    reason: str | None = Field(default=None, max_length=200)
    created_at: datetime = created_at_field()


class EvidenceNumber(SQLModel, table=True):
    """A number that may be used once under a rule: of a dispatch, a case or a certificate.

    ``proposal_id``: awards of one proposal may share the number, for example of one dispatch.
    """

    __tablename__ = "award_evidence_numbers"
    __table_args__ = (Index("ix_award_evidence_numbers_proposal", "proposal_id"),)

    unit_id: int = Field(primary_key=True)
    rule_key: str = Field(primary_key=True, max_length=40)
    field: str = Field(primary_key=True, max_length=40)
    number: str = Field(primary_key=True, max_length=500)
    proposal_id: UUID
    created_at: datetime = created_at_field()
