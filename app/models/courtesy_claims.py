"""Claims of courtesies, and their uses."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class CourtesyClaimState(StrEnum):
    """``expired`` is shown of one whose ``valid_until`` has passed; it is not stored."""

    claimed = "claimed"
    used = "used"
    cancelled = "cancelled"
    expired = "expired"


STORED = (CourtesyClaimState.claimed, CourtesyClaimState.used, CourtesyClaimState.cancelled)


class CourtesyClaim(Record, table=True):
    """``created_by`` claimed a courtesy of ``org_id``.

    ``number``: which of the period's quota it is, from 1; NULL: it came with a grant. The unique
    indexes keep a quota, the one choice of a year, and a grant. ``merchant_id``: where it was used;
    NULL with ``used_at``: at the venue of the organisation.
    """

    __tablename__ = "courtesy_claims"
    __table_args__ = (
        CheckConstraint(one_of("state", STORED), name="state"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("num_nonnulls(number, grant_id) = 1", name="origin"),
        CheckConstraint("num_nonnulls(choice_group, choice_year) IN (0, 2)", name="choice"),
        CheckConstraint(
            "num_nonnulls(used_at, used_by) = CASE WHEN state = 'used' THEN 2 ELSE 0 END",
            name="used",
        ),
        CheckConstraint("merchant_id IS NULL OR state = 'used'", name="place"),
        CheckConstraint("used_by <> created_by", name="own"),
        Index(
            "uq_courtesy_claims_quota",
            "created_by",
            "courtesy_id",
            "period_start",
            "number",
            unique=True,
            postgresql_where=text("state <> 'cancelled' AND number IS NOT NULL"),
        ),
        Index(
            "uq_courtesy_claims_choice",
            "created_by",
            "org_id",
            "choice_group",
            "choice_year",
            unique=True,
            postgresql_where=text("state <> 'cancelled' AND choice_group IS NOT NULL"),
        ),
        Index(
            "uq_courtesy_claims_grant",
            "created_by",
            "grant_id",
            "courtesy_id",
            unique=True,
            postgresql_where=text("grant_id IS NOT NULL"),
        ),
        Index("ix_courtesy_claims_own", "created_by", "id"),
        Index("ix_courtesy_claims_org", "org_id", "id"),
        Index("ix_courtesy_claims_merchant", "merchant_id", "id"),
    )

    courtesy_id: UUID = Field(foreign_key="courtesies.id")
    grant_id: UUID | None = Field(default=None, foreign_key="courtesy_grants.id")
    period_start: datetime = Field(sa_type=Timestamp)
    number: int | None = None
    choice_group: str | None = Field(default=None, max_length=40)
    choice_year: int | None = None
    valid_until: datetime = Field(sa_type=Timestamp)
    state: str = Field(
        default=CourtesyClaimState.claimed,
        max_length=20,
        sa_column_kwargs={"server_default": "claimed"},
    )
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    used_by: UUID | None = Field(default=None, foreign_key="people.id")
    merchant_id: UUID | None = Field(default=None, foreign_key="merchants.id")
