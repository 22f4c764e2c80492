"""Which poster of an activity is valid.

Revision ID: 20261130_posters
Revises: 20261130_signup_terms
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_posters"
down_revision = "20261130_signup_terms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "activities",
        sa.Column("poster_issue", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_activities_poster_issue"), "activities", "poster_issue BETWEEN 1 AND 65535"
    )


def downgrade() -> None:
    op.drop_column("activities", "poster_issue")
