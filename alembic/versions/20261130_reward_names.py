"""Rewards have English names.

Revision ID: 20261130_reward_names
Revises: 20261130_policy_simulations
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_reward_names"
down_revision = "20261130_policy_simulations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rewards", sa.Column("name_en", sa.String(length=60), nullable=True))


def downgrade() -> None:
    op.drop_column("rewards", "name_en")
