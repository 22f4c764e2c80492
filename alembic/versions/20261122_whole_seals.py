"""Seals cover every column of a transfer. The days are sealed anew, by the job.

No seal of the earlier form was ever published. From here on a change of the form must leave
what is sealed as it is.

Revision ID: 20261122_whole_seals
Revises: 20261122_deductions
"""

from alembic import op

revision = "20261122_whole_seals"
down_revision = "20261122_deductions"
branch_labels = None
depends_on = None

TIME = "ix_ledger_transfers_time"


def upgrade() -> None:
    _seal_anew()
    op.drop_index(TIME, table_name="ledger_transfers")
    op.create_index(
        TIME,
        "ledger_transfers",
        ["created_at"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32},
    )


def downgrade() -> None:
    _seal_anew()
    op.drop_index(TIME, table_name="ledger_transfers")
    op.create_index(TIME, "ledger_transfers", ["created_at"], postgresql_using="brin")


def _seal_anew() -> None:
    op.execute("DELETE FROM ledger_seal_nodes")
    op.execute("DELETE FROM ledger_seals")
