"""Lots know who issued them; accounts for debts, budgets and what expired.

Revision ID: 20261122_ledger_of_record
Revises: 20261122_units_of_acts
"""

import sqlalchemy as sa

from alembic import op

revision = "20261122_ledger_of_record"
down_revision = "20261122_units_of_acts"
branch_labels = None
depends_on = None

PURPOSES = ("available", "pending", "held", "fund", "takings")
NEW_PURPOSES = ("debt", "budget", "income", "expired")
KINDS = ("award", "release", "hold", "unhold", "collect", "charge", "refund", "reversal")
NEW_KINDS = (
    *("clawback", "repayment", "expiry", "deduction", "restitution", "donation", "budget"),
)


def upgrade() -> None:
    _allow("ledger_accounts", "purpose", [*PURPOSES, *NEW_PURPOSES])
    _allow("ledger_transfers", "kind", [*KINDS, *NEW_KINDS])
    op.create_check_constraint(
        op.f("ck_ledger_accounts_ceiling"),
        "ledger_accounts",
        "purpose NOT IN ('debt', 'income') OR balance <= 0",
    )
    op.add_column("ledger_lots", sa.Column("org_id", sa.Uuid(), nullable=True))
    op.execute(
        "UPDATE ledger_lots l SET org_id = t.org_id FROM ledger_transfers t"
        " WHERE t.id = l.transfer_id"
    )
    op.alter_column("ledger_lots", "org_id", nullable=False)
    op.create_index(
        "ix_ledger_lots_expiring",
        "ledger_lots",
        ["expires_at", "id"],
        postgresql_where=sa.text("remaining > 0"),
    )


def downgrade() -> None:
    """Refused by the constraints once one of the new accounts or kinds is in use."""
    op.drop_index("ix_ledger_lots_expiring", table_name="ledger_lots")
    op.drop_column("ledger_lots", "org_id")
    op.drop_constraint(op.f("ck_ledger_accounts_ceiling"), "ledger_accounts", type_="check")
    _allow("ledger_transfers", "kind", KINDS)
    _allow("ledger_accounts", "purpose", PURPOSES)


def _allow(table: str, column: str, values: list[str] | tuple[str, ...]) -> None:
    """Say anew what a column may hold; a long table is read once, and not locked meanwhile."""
    name = op.f(f"ck_{table}_{column}")
    allowed = ", ".join(f"'{value}'" for value in values)
    op.drop_constraint(name, table, type_="check")
    op.execute(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({allowed})) NOT VALID"
    )
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
