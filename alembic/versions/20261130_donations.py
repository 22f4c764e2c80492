"""Who hides the honour mark.

Revision ID: 20261130_donations
Revises: 20261130_reward_waits
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_donations"
down_revision = "20261130_reward_waits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hidden_honours",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_hidden_honours_person_id")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_hidden_honours")),
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON hidden_honours TO qx_app")


def downgrade() -> None:
    op.drop_table("hidden_honours")
