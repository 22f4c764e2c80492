"""What people accepted of WeChat's messages.

Revision ID: 20261130_subscriptions
Revises: 20261130_merges
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_subscriptions"
down_revision = "20261130_merges"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(length=10), nullable=False),
        sa.Column(
            "answered_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "answer IN ('accept', 'reject', 'ban', 'filter')",
            name=op.f("ck_subscriptions_answer"),
        ),
        sa.CheckConstraint("credits >= 0", name=op.f("ck_subscriptions_credits")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_subscriptions_person_id")
        ),
        sa.PrimaryKeyConstraint("person_id", "template_id", name=op.f("pk_subscriptions")),
    )
    op.execute(
        "GRANT SELECT, INSERT, DELETE, UPDATE (credits, answer, answered_at)"
        " ON subscriptions TO qx_app"
    )


def downgrade() -> None:
    op.drop_table("subscriptions")
