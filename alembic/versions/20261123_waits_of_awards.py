"""An award that has reviewers knows for how long it waits after them.

Those that wait for reviewers now were proposed when nothing waited any longer.

Revision ID: 20261123_waits_of_awards
Revises: 20261123_origins_of_lots
"""

import sqlalchemy as sa

from alembic import op

revision = "20261123_waits_of_awards"
down_revision = "20261123_origins_of_lots"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "awards",
        sa.Column("wait_hours", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )


def downgrade() -> None:
    op.drop_column("awards", "wait_hours")
