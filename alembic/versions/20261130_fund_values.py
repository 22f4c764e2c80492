"""Receipts have a value in money or goods; prices of a list freeze while its fund covers too little.

Revision ID: 20261130_fund_values
Revises: 20261130_reasons_erased
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_fund_values"
down_revision = "20261130_settlements"
branch_labels = None
depends_on = None

_CHECKS = {
    "form": "form IN ('money', 'goods')",
    "value": "value_cents > 0 AND form IS NOT NULL OR num_nonnulls(value_cents, form) = 0",
    "goods": "goods IS NULL OR form = 'goods'",
}


def upgrade() -> None:
    op.add_column("fund_receipts", sa.Column("form", sa.String(length=20), nullable=True))
    op.add_column("fund_receipts", sa.Column("value_cents", sa.BigInteger(), nullable=True))
    op.add_column("fund_receipts", sa.Column("goods", sa.String(length=200), nullable=True))
    for name, condition in _CHECKS.items():
        op.create_check_constraint(op.f(f"ck_fund_receipts_{name}"), "fund_receipts", condition)
    op.create_table(
        "price_freezes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("liability_cents", sa.BigInteger(), nullable=False),
        sa.Column("fund_cents", sa.BigInteger(), nullable=False),
        sa.Column("freeze_percent", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ended_at >= began_at", name=op.f("ck_price_freezes_ended_at")),
        sa.CheckConstraint("liability_cents > 0", name=op.f("ck_price_freezes_liability")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_price_freezes_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_freezes")),
    )
    op.create_index("ix_price_freezes_org", "price_freezes", ["org_id", "id"])
    op.create_index(
        "uq_price_freezes_open",
        "price_freezes",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE (ended_at) ON price_freezes TO qx_app")


def downgrade() -> None:
    op.drop_table("price_freezes")
    for name in _CHECKS:
        op.drop_constraint(op.f(f"ck_fund_receipts_{name}"), "fund_receipts", type_="check")
    op.drop_column("fund_receipts", "goods")
    op.drop_column("fund_receipts", "value_cents")
    op.drop_column("fund_receipts", "form")
