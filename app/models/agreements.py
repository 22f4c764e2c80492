"""Agreements of an organisation with a merchant: what it pays for the points taken there."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlmodel import Field

from app.models.base import Record, one_of


class AgreementState(StrEnum):
    """``ended``: it has a last day, which may be to come; until then it is in force."""

    proposed = "proposed"
    active = "active"
    declined = "declined"
    withdrawn = "withdrawn"
    ended = "ended"


# What was accepted. It is in force on the days from ``since`` until ``until``.
ACCEPTED = (AgreementState.active, AgreementState.ended)


class Agreement(Record, table=True):
    """Proposed by an organizer (``created_by``), accepted by the merchant's staff.

    ``since`` and ``until``: first and last day, in Asia/Shanghai; NULL: no last day.
    ``cents_per_point``: yuan cents that a point is worth. ``subsidy_percent``: the part of that
    value that the organisation pays; the merchant bears the rest. ``cap_cents``: the most that it
    pays for a month; NULL: no cap. At most one is in force between the two on any day.
    """

    __tablename__ = "agreements"
    __table_args__ = (
        CheckConstraint(one_of("state", AgreementState), name="state"),
        CheckConstraint(
            "cents_per_point > 0 AND subsidy_percent BETWEEN 0 AND 100 AND cap_cents >= 0",
            name="numbers",
        ),
        CheckConstraint("until >= since", name="days"),
        CheckConstraint("state <> 'ended' OR until IS NOT NULL", name="ended"),
        Index("ix_agreements_org", "org_id", "id"),
        Index("ix_agreements_merchant", "merchant_id", "id"),
        ExcludeConstraint(
            ("merchant_id", "="),
            ("org_id", "="),
            (text("daterange(since, until, '[]')"), "&&"),
            name="ex_agreements_overlap",
            using="gist",
            where=text("state IN ('active', 'ended')"),
        ),
    )

    merchant_id: UUID = Field(foreign_key="merchants.id")
    since: date
    until: date | None = None
    cents_per_point: int
    subsidy_percent: int
    cap_cents: int | None = Field(default=None, sa_type=BigInteger)
    note: str | None = Field(default=None, max_length=500)
    state: str = Field(default=AgreementState.proposed, max_length=20)
