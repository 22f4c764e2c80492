"""Exchanges of points between programmes: agreements, moves, clearing accounts, their transfers.

Revision ID: 20261130_exchanges
Revises: 20261130_fund_values
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_exchanges"
down_revision = "20261130_fund_values"
branch_labels = None
depends_on = None

PURPOSES = (
    *("available", "pending", "held", "debt", "fund", "budget", "income", "expired", "takings"),
)
KINDS = (
    *("award", "release", "hold", "unhold", "collect", "charge", "refund", "reversal"),
    *("clawback", "repayment", "expiry", "deduction", "restitution", "donation", "budget", "merge"),
)


def _moment(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text(default) if default else None,
        nullable=nullable,
    )


def _record() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        _moment("created_at", default="now()"),
    ]


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    _allow("ledger_accounts", "purpose", *PURPOSES, "clearing")
    _allow("ledger_transfers", "kind", *KINDS, "exchange")
    table = "exchange_agreements"
    op.create_table(
        table,
        *_record(),
        sa.Column("other_org_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("other_unit_id", sa.Integer(), nullable=False),
        sa.Column("rate_points", sa.Integer(), nullable=False),
        sa.Column("other_rate_points", sa.Integer(), nullable=False),
        sa.Column("max_points", sa.Integer(), nullable=False),
        sa.Column("other_max_points", sa.Integer(), nullable=False),
        _moment("starts_at"),
        _moment("ends_at"),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("other_position", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        _moment("decided_at", nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        _moment("ended_at", nullable=True),
        _check(table, "state", "state IN ('proposed', 'agreed', 'declined', 'ended')"),
        _check(table, "parties", "org_id <> other_org_id AND unit_id <> other_unit_id"),
        _check(table, "rate", "least(rate_points, other_rate_points) > 0"),
        _check(table, "limits", "least(max_points, other_max_points) > 0"),
        _check(
            table,
            "positions",
            "position >= -max_points AND other_position >= -other_max_points",
        ),
        _check(table, "time", "ends_at > starts_at"),
        _check(
            table,
            "decided",
            "CASE state WHEN 'proposed' THEN num_nonnulls(decided_by, decided_at) = 0"
            " WHEN 'ended' THEN num_nonnulls(decided_by, decided_at) IN (0, 2)"
            " ELSE num_nonnulls(decided_by, decided_at) = 2 END",
        ),
        _check(table, "decided_by", "decided_by <> created_by"),
        _check(
            table,
            "ended",
            "num_nonnulls(ended_by, ended_at) = CASE state WHEN 'ended' THEN 2 ELSE 0 END",
        ),
        *(_refers(table, column, "orgs") for column in ("org_id", "other_org_id")),
        *(_refers(table, column, "people") for column in ("created_by", "decided_by", "ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_exchange_agreements_org", table, ["org_id", "id"])
    op.create_index("ix_exchange_agreements_other", table, ["other_org_id", "id"])
    table = "exchanges"
    op.create_table(
        table,
        *_record(),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("to_org_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("to_unit_id", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        _moment("expires_at"),
        _check(table, "points", "least(points, received) > 0"),
        _check(table, "parties", "org_id <> to_org_id AND unit_id <> to_unit_id"),
        _refers(table, "agreement_id", "exchange_agreements"),
        *(_refers(table, column, "orgs") for column in ("org_id", "to_org_id")),
        _refers(table, "created_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_exchanges_agreement", table, ["agreement_id", "id"])
    op.create_index("ix_exchanges_person", table, ["created_by", "id"])
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (state, position, other_position, decided_by, decided_at,"
        " ended_by, ended_at) ON exchange_agreements TO qx_app"
    )
    op.execute("GRANT SELECT, INSERT ON exchanges TO qx_app")


def downgrade() -> None:
    """Refused by the constraints once there is a clearing account or a transfer of an exchange."""
    op.drop_table("exchanges")
    op.drop_table("exchange_agreements")
    _allow("ledger_transfers", "kind", *KINDS)
    _allow("ledger_accounts", "purpose", *PURPOSES)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _allow(table: str, column: str, *values: str) -> None:
    """Say anew what a column may hold; a long table is read once, and not locked meanwhile."""
    name = op.f(f"ck_{table}_{column}")
    allowed = ", ".join(f"'{value}'" for value in values)
    op.drop_constraint(name, table, type_="check")
    op.execute(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({allowed})) NOT VALID"
    )
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
