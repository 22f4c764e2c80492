"""Names of the friends whom a sign-up brings along.

Revision ID: 20261130_friend_names
Revises: 20261130_scan_reasons
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_friend_names"
down_revision = "20261130_scan_reasons"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signups", sa.Column("friend_names", sa.String(length=205), nullable=True))


def downgrade() -> None:
    op.drop_column("signups", "friend_names")
