"""What funds got, and their figures month by month.

Revision ID: 20261122_funds
Revises: 20261122_expiry_notices
"""

import sqlalchemy as sa

from alembic import op

revision = "20261122_funds"
down_revision = "20261122_expiry_notices"
branch_labels = None
depends_on = None

FIGURES = (
    *("issued", "available", "pending", "held", "spent", "expired", "reversed"),
    *("received", "returned"),
)


def upgrade() -> None:
    op.create_table(
        "fund_receipts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("giver", sa.String(length=100), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('donation', 'budget')", name=op.f("ck_fund_receipts_kind")),
        sa.CheckConstraint("points > 0", name=op.f("ck_fund_receipts_points")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_fund_receipts_org_id")),
        sa.ForeignKeyConstraint(
            ["entered_by"], ["people.id"], name=op.f("fk_fund_receipts_entered_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_receipts")),
    )
    op.create_index("ix_fund_receipts_org", "fund_receipts", ["org_id", "id"])
    op.create_table(
        "fund_months",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in FIGURES),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "issued = available + pending + held + spent + expired + reversed",
            name=op.f("ck_fund_months_sum"),
        ),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_fund_months_month")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_fund_months_org_id")),
        sa.PrimaryKeyConstraint("org_id", "unit_id", "month", name=op.f("pk_fund_months")),
    )
    op.create_index(
        "ix_ledger_transfers_time", "ledger_transfers", ["created_at"], postgresql_using="brin"
    )
    # What was received is never changed; a month is rewritten while it runs, never removed.
    op.execute("GRANT SELECT, INSERT ON fund_receipts TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON fund_months TO qx_app")


def downgrade() -> None:
    op.drop_index("ix_ledger_transfers_time", table_name="ledger_transfers")
    op.drop_table("fund_months")
    op.drop_table("fund_receipts")
