"""A lot of points that came back names the transfer that brought them first.

What was given back before stays unnamed: of that a reversal does not know what has expired.

Revision ID: 20261123_origins_of_lots
Revises: 20261123_evidence_numbers
"""

import sqlalchemy as sa

from alembic import op

revision = "20261123_origins_of_lots"
down_revision = "20261123_evidence_numbers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ledger_lots", sa.Column("origin_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_ledger_lots_origin",
        "ledger_lots",
        ["origin_id"],
        postgresql_where=sa.text("origin_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_ledger_lots_origin", "ledger_lots")
    op.drop_column("ledger_lots", "origin_id")
