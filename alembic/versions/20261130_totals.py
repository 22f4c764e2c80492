"""Totals of the entries of people's accounts are kept with every 256th entry.

Revision ID: 20261130_totals
Revises: 20261129_search
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_totals"
down_revision = "20261130_reward_names"
branch_labels = None
depends_on = None

# Of the accounts that have so many entries already, with each multiple of 256.
_KEEP = """
INSERT INTO ledger_totals (account_id, number, earned, spent, expired, deducted)
SELECT account_id, number, earned, spent, expired, deducted FROM (
    SELECT e.account_id, e.number,
           sum(CASE WHEN e.kind IN ('award', 'release') AND e.sign > 0
                      OR e.kind IN ('reversal', 'clawback') AND e.sign < 0
                    THEN e.sign * e.amount ELSE 0 END) OVER entries AS earned,
           sum(CASE WHEN e.kind IN ('charge', 'collect') AND e.sign < 0
                      OR e.kind = 'refund' AND e.sign > 0
                    THEN -e.sign * e.amount ELSE 0 END) OVER entries AS spent,
           sum(CASE WHEN e.kind = 'expiry' AND e.sign < 0 THEN e.amount ELSE 0 END)
               OVER entries AS expired,
           sum(CASE WHEN e.kind = 'deduction' AND e.sign < 0
                      OR e.kind = 'restitution' AND e.sign > 0
                    THEN -e.sign * e.amount ELSE 0 END) OVER entries AS deducted
    FROM ledger_accounts a
    CROSS JOIN LATERAL (
        SELECT a.id AS account_id, t.to_number AS number, t.kind, t.amount, 1 AS sign
        FROM ledger_transfers t WHERE t.to_account_id = a.id
        UNION ALL
        SELECT a.id, t.from_number, t.kind, t.amount, -1
        FROM ledger_transfers t WHERE t.from_account_id = a.id
    ) e
    WHERE a.purpose IN ('available', 'held', 'debt') AND a.last_number >= 256
    WINDOW entries AS (PARTITION BY e.account_id ORDER BY e.number)
) s
WHERE number % 256 = 0
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.create_table(
        "ledger_totals",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("earned", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.Column("deducted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "number", name=op.f("pk_ledger_totals")),
    )
    op.execute("GRANT SELECT, INSERT ON ledger_totals TO qx_app")
    op.execute(_KEEP)


def downgrade() -> None:
    op.drop_table("ledger_totals")
