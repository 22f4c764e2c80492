"""In which points somebody was awarded, reserved or charged: a second programme has its own.

Revision ID: 20261122_units_of_acts
Revises: 20261122_policy_documents
"""

import sqlalchemy as sa

from alembic import op

revision = "20261122_units_of_acts"
down_revision = "20261122_policy_documents"
branch_labels = None
depends_on = None

TABLES = ("awards", "charges", "redemptions")
POINTS = "1"  # all there were


def upgrade() -> None:
    for table in TABLES:
        column = sa.Column("unit_id", sa.Integer(), nullable=False, server_default=POINTS)
        op.add_column(table, column)
        op.alter_column(table, "unit_id", server_default=None)


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "unit_id")
