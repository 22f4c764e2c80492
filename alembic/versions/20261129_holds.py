"""Holds carry their deadline in the ledger; an account names the first end of its holds.

Of what is reserved now, points that go back to a lot that has ended live 30 days, as by default.

Revision ID: 20261129_holds
Revises: 20261129_audit_facts
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_holds"
down_revision = "20261129_audit_facts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_holds",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("revived_for", sa.Interval(), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_ledger_holds")),
    )
    op.add_column(
        "ledger_accounts", sa.Column("holds_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.execute("""
        INSERT INTO ledger_holds (transfer_id, account_id, held_until, reason, revived_for)
        SELECT t.id, t.from_account_id, r.expires_at, left('兑换退回：' || w.name, 200),
               INTERVAL '30 days'
        FROM redemptions r
        JOIN ledger_transfers t ON t.id = r.id
        JOIN rewards w ON w.id = r.reward_id
        WHERE r.status = 'reserved'
    """)
    op.execute("""
        UPDATE ledger_accounts a SET holds_until = h.first
        FROM (SELECT account_id, min(held_until) AS first FROM ledger_holds GROUP BY 1) h
        WHERE a.id = h.account_id
    """)
    op.create_index(
        "ix_ledger_holds_open",
        "ledger_holds",
        ["account_id", "held_until"],
        unique=False,
        postgresql_where=sa.text("is_open"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE (is_open) ON ledger_holds TO qx_app")
    op.execute("GRANT UPDATE (holds_until) ON ledger_accounts TO qx_app")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (holds_until) ON ledger_accounts FROM qx_app")
    op.drop_column("ledger_accounts", "holds_until")
    op.drop_table("ledger_holds")
