"""Queues for rewards that are out of stock.

Revision ID: 20261130_reward_waits
Revises: 20261130_proxies
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_reward_waits"
down_revision = "20261130_proxies"
branch_labels = None
depends_on = None

OPEN = "state IN ('waiting', 'told')"


def upgrade() -> None:
    op.create_table(
        "reward_waits",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'told', 'reserved', 'lapsed', 'left')",
            name=op.f("ck_reward_waits_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('told', 'lapsed') OR told_at IS NOT NULL",
            name=op.f("ck_reward_waits_told"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_reward_waits_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["reward_id"], ["rewards.id"], name=op.f("fk_reward_waits_reward_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reward_waits")),
    )
    op.create_index(
        "uq_reward_waits_person",
        "reward_waits",
        ["person_id", "reward_id"],
        unique=True,
        postgresql_where=sa.text(OPEN),
    )
    op.create_index(
        "ix_reward_waits_reward",
        "reward_waits",
        ["reward_id", "id"],
        postgresql_where=sa.text(OPEN),
    )
    op.create_index("ix_reward_waits_own", "reward_waits", ["person_id", "id"])
    op.execute("GRANT SELECT, INSERT, UPDATE (state, told_at) ON reward_waits TO qx_app")


def downgrade() -> None:
    op.drop_table("reward_waits")
