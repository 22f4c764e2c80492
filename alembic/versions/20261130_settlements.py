"""Agreements with merchants, and monthly settlements with their parts and disputes.

Revision ID: 20261130_settlements
Revises: 20261130_reasons_erased
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_settlements"
down_revision = "20261130_reasons_erased"
branch_labels = None
depends_on = None

TABLES = ("settlement_disputes", "settlement_parts", "settlements", "agreements")


def upgrade() -> None:
    _agreements()
    _settlements()
    _settlement_parts()
    _settlement_disputes()
    _grant()


def _agreements() -> None:
    op.create_table(
        "agreements",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("cents_per_point", sa.Integer(), nullable=False),
        sa.Column("subsidy_percent", sa.Integer(), nullable=False),
        sa.Column("cap_cents", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("merchant_id"), "="),
            (sa.column("org_id"), "="),
            (sa.text("daterange(since, until, '[]')"), "&&"),
            where=sa.text("state IN ('active', 'ended')"),
            using="gist",
            name="ex_agreements_overlap",
        ),
        sa.CheckConstraint(
            "state <> 'ended' OR until IS NOT NULL", name=op.f("ck_agreements_ended")
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'active', 'declined', 'withdrawn', 'ended')",
            name=op.f("ck_agreements_state"),
        ),
        sa.CheckConstraint(
            "cents_per_point > 0 AND subsidy_percent BETWEEN 0 AND 100 AND cap_cents >= 0",
            name=op.f("ck_agreements_numbers"),
        ),
        sa.CheckConstraint("until >= since", name=op.f("ck_agreements_days")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_agreements_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_agreements_merchant_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_agreements_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreements")),
    )
    op.create_index("ix_agreements_merchant", "agreements", ["merchant_id", "id"], unique=False)
    op.create_index("ix_agreements_org", "agreements", ["org_id", "id"], unique=False)


def _settlements() -> None:
    op.create_table(
        "settlements",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("charged", sa.Integer(), nullable=False),
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("collected", sa.Integer(), nullable=False),
        sa.Column("undone", sa.Integer(), nullable=False),
        sa.Column("opening", sa.BigInteger(), nullable=False),
        sa.Column("closing", sa.BigInteger(), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("corrected_cents", sa.BigInteger(), nullable=False),
        sa.Column("carried_cents", sa.BigInteger(), nullable=False),
        sa.Column("due_cents", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_by", sa.Uuid(), nullable=True),
        sa.Column("paid_reference", sa.String(length=100), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(paid_at, paid_by, paid_reference) IN (0, 3) AND (state = 'paid') = (paid_at IS NOT NULL)",
            name=op.f("ck_settlements_paid"),
        ),
        sa.CheckConstraint("state IN ('settled', 'paid')", name=op.f("ck_settlements_state")),
        sa.CheckConstraint(
            "carried_cents <= 0 AND due_cents = value_cents + corrected_cents + carried_cents",
            name=op.f("ck_settlements_due"),
        ),
        sa.CheckConstraint(
            "closing = opening + charged - refunded + collected - undone",
            name=op.f("ck_settlements_closing"),
        ),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_settlements_month")),
        sa.CheckConstraint(
            "least(charged, refunded, collected, undone) >= 0", name=op.f("ck_settlements_points")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_settlements_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_settlements_merchant_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_settlements_org_id")),
        sa.ForeignKeyConstraint(["paid_by"], ["people.id"], name=op.f("fk_settlements_paid_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlements")),
        sa.UniqueConstraint(
            "merchant_id",
            "org_id",
            "unit_id",
            "month",
            name=op.f("uq_settlements_merchant_id_org_id_unit_id_month"),
        ),
    )
    op.create_index("ix_settlements_merchant", "settlements", ["merchant_id", "id"], unique=False)
    op.create_index("ix_settlements_org", "settlements", ["org_id", "id"], unique=False)


def _settlement_parts() -> None:
    op.create_table(
        "settlement_parts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("charged", sa.Integer(), nullable=False),
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("collected", sa.Integer(), nullable=False),
        sa.Column("undone", sa.Integer(), nullable=False),
        sa.Column("cents_per_point", sa.Integer(), nullable=False),
        sa.Column("subsidy_percent", sa.Integer(), nullable=False),
        sa.Column("cap_cents", sa.BigInteger(), nullable=True),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "least(charged, refunded, collected, undone) >= 0",
            name=op.f("ck_settlement_parts_points"),
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=op.f("fk_settlement_parts_agreement_id")
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.id"], name=op.f("fk_settlement_parts_settlement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_parts")),
    )
    op.create_index(
        "uq_settlement_parts_agreement",
        "settlement_parts",
        ["settlement_id", "agreement_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )


def _settlement_disputes() -> None:
    op.create_table(
        "settlement_disputes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=200), nullable=True),
        sa.Column("correction_cents", sa.BigInteger(), nullable=True),
        sa.Column("corrected_in", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(state = 'upheld') = (correction_cents IS NOT NULL)",
            name=op.f("ck_settlement_disputes_correction"),
        ),
        sa.CheckConstraint(
            "corrected_in IS NULL OR state = 'upheld'",
            name=op.f("ck_settlement_disputes_corrected"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(decided_by, decided_at, answer) = CASE state WHEN 'open' THEN 0 ELSE 3 END AND decided_by <> created_by",
            name=op.f("ck_settlement_disputes_decided"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'upheld', 'rejected')", name=op.f("ck_settlement_disputes_state")
        ),
        sa.ForeignKeyConstraint(
            ["corrected_in"], ["settlements.id"], name=op.f("fk_settlement_disputes_corrected_in")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_settlement_disputes_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["people.id"], name=op.f("fk_settlement_disputes_decided_by")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_settlement_disputes_merchant_id")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["orgs.id"], name=op.f("fk_settlement_disputes_org_id")
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.id"], name=op.f("fk_settlement_disputes_settlement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_disputes")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_settlement_disputes_transfer_id")),
    )
    op.create_index(
        "ix_settlement_disputes_settlement",
        "settlement_disputes",
        ["settlement_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_settlement_disputes_to_correct",
        "settlement_disputes",
        ["merchant_id", "org_id"],
        unique=False,
        postgresql_where=sa.text("state = 'upheld' AND corrected_in IS NULL"),
    )


def _grant() -> None:
    """A settled month only gets its paid mark, and a part never changes."""
    for table, columns in (
        ("agreements", "UPDATE (state, until)"),
        ("settlements", "UPDATE (state, paid_at, paid_by, paid_reference)"),
        (
            "settlement_disputes",
            "UPDATE (state, decided_by, decided_at, answer, correction_cents, corrected_in)",
        ),
    ):
        op.execute(f"GRANT SELECT, INSERT, {columns} ON {table} TO qx_app")
    op.execute("GRANT SELECT, INSERT ON settlement_parts TO qx_app")


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
