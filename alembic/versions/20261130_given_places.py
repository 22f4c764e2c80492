"""When a place was given to who waited for it.

Revision ID: 20261130_given_places
Revises: 20261130_linked_places
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_given_places"
down_revision = "20261130_linked_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signups", sa.Column("given_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("signups", "given_at")
