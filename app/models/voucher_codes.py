"""Codes of vouchers, imported or generated: each is handed out once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from app.models.base import Record, Timestamp


class VoucherCode(Record, table=True):
    """A piece of a reward. ``redemption_id``: to which it was handed out; NULL: not yet.

    ``used_at``: when the merchant took it. ``code_sealed``: the code, encrypted. ``code_index``: by
    which it is found.
    """

    __tablename__ = "voucher_codes"
    __table_args__ = (
        CheckConstraint("(redemption_id IS NULL) = (handed_out_at IS NULL)", name="handed_out"),
        CheckConstraint(
            "num_nonnulls(used_at, used_by) IN (0, 2)"
            " AND (used_at IS NULL OR redemption_id IS NOT NULL)",
            name="used",
        ),
        UniqueConstraint("reward_id", "code_index"),
        Index(
            "ix_voucher_codes_free",
            "reward_id",
            "id",
            postgresql_where=text("redemption_id IS NULL"),
        ),
        Index(
            "ix_voucher_codes_redemption",
            "redemption_id",
            postgresql_where=text("redemption_id IS NOT NULL"),
        ),
    )

    reward_id: UUID = Field(foreign_key="rewards.id")
    code_sealed: bytes
    code_index: bytes
    redemption_id: UUID | None = Field(default=None, foreign_key="redemptions.id")
    handed_out_at: datetime | None = Field(default=None, sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    used_by: UUID | None = Field(default=None, foreign_key="people.id")
