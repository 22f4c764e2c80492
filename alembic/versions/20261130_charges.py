"""Charges that their payer confirms, and disputes of charges.

Revision ID: 20261130_charges
Revises: 20261130_reasons_erased
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_charges"
down_revision = "20261130_donations"
branch_labels = None
depends_on = None

SETTLED = (
    "CASE WHEN expires_at IS NULL THEN status IN ('charged', 'refunded')"
    " AND settled_at IS NULL ELSE (status = 'waiting') = (settled_at IS NULL) END"
)
STATES = ("'charged', 'refunded'", "'waiting', 'charged', 'refunded', 'refused', 'expired'")
KINDS = ("'appeal', 'objection'", "'appeal', 'objection', 'dispute'")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("charges", sa.Column("expires_at", moment, nullable=True))
    op.add_column("charges", sa.Column("settled_at", moment, nullable=True))
    _allow("charges", "status", STATES[1])
    op.create_check_constraint(op.f("ck_charges_settled"), "charges", SETTLED)
    op.create_index(
        "ix_charges_waiting",
        "charges",
        ["person_id", "expires_at"],
        postgresql_where=sa.text("status = 'waiting'"),
    )
    _allow("cases", "kind", KINDS[1])


def downgrade() -> None:
    _allow("cases", "kind", KINDS[0])
    op.drop_index("ix_charges_waiting", "charges")
    op.drop_constraint(op.f("ck_charges_settled"), "charges", type_="check")
    _allow("charges", "status", STATES[0])
    op.drop_column("charges", "settled_at")
    op.drop_column("charges", "expires_at")


def _allow(table: str, column: str, values: str) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({values})")
