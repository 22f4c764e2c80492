"""Codes of vouchers.

Revision ID: 20261130_voucher_codes
Revises: 20261130_reward_lists
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_voucher_codes"
down_revision = "20261130_reward_lists"
branch_labels = None
depends_on = None


def _key(column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_voucher_codes_{column}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name)


def upgrade() -> None:
    op.create_table(
        "voucher_codes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("handed_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(used_at, used_by) IN (0, 2)"
            " AND (used_at IS NULL OR redemption_id IS NOT NULL)",
            name=op.f("ck_voucher_codes_used"),
        ),
        sa.CheckConstraint(
            "(redemption_id IS NULL) = (handed_out_at IS NULL)",
            name=op.f("ck_voucher_codes_handed_out"),
        ),
        _key("created_by", "people"),
        _key("org_id", "orgs"),
        _key("redemption_id", "redemptions"),
        _key("reward_id", "rewards"),
        _key("used_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher_codes")),
        sa.UniqueConstraint(
            "reward_id", "code_index", name=op.f("uq_voucher_codes_reward_id_code_index")
        ),
    )
    op.create_index(
        "ix_voucher_codes_free",
        "voucher_codes",
        ["reward_id", "id"],
        postgresql_where=sa.text("redemption_id IS NULL"),
    )
    op.create_index(
        "ix_voucher_codes_redemption",
        "voucher_codes",
        ["redemption_id"],
        postgresql_where=sa.text("redemption_id IS NOT NULL"),
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (redemption_id, handed_out_at, used_at, used_by)"
        " ON voucher_codes TO qx_app"
    )
    op.add_column("rewards", sa.Column("coded_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("rewards", "coded_at")
    op.drop_table("voucher_codes")
