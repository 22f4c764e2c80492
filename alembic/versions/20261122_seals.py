"""A seal for every day of the ledger.

Revision ID: 20261122_seals
Revises: 20261122_funds
"""

import sqlalchemy as sa

from alembic import op

revision = "20261122_seals"
down_revision = "20261122_funds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_seals",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("leaves", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sealed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "length(root) = 32 AND length(previous) = 32 AND length(seal) = 32",
            name=op.f("ck_ledger_seals_hashes"),
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_ledger_seals")),
        sa.UniqueConstraint("previous", name=op.f("uq_ledger_seals_previous")),
    )
    op.create_table(
        "ledger_seal_nodes",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.LargeBinary(), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("day", "level", "n", name=op.f("pk_ledger_seal_nodes")),
    )
    # Like every row of the ledger: written once.
    for table in ("ledger_seals", "ledger_seal_nodes"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO qx_app")


def downgrade() -> None:
    op.drop_table("ledger_seal_nodes")
    op.drop_table("ledger_seals")
