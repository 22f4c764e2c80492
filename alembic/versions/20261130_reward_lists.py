"""Published lists of rewards.

Revision ID: 20261130_reward_lists
Revises: 20261130_reasons_erased
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_reward_lists"
down_revision = "20261130_exchanges"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reward_lists",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("items", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "state IN ('announced', 'in_force', 'superseded', 'withdrawn')",
            name=op.f("ck_reward_lists_state"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_reward_lists_number")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_reward_lists_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_reward_lists_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reward_lists")),
        sa.UniqueConstraint("org_id", "number", name=op.f("uq_reward_lists_org_id_number")),
    )
    for state in ("announced", "in_force"):
        op.create_index(
            f"uq_reward_lists_{state}",
            "reward_lists",
            ["org_id"],
            unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )
    op.create_index(
        "ix_reward_lists_due",
        "reward_lists",
        ["effective_from"],
        postgresql_where=sa.text("state = 'announced'"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE (state) ON reward_lists TO qx_app")
    op.add_column("rewards", sa.Column("list_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_rewards_list_id"), "rewards", "reward_lists", ["list_id"], ["id"]
    )
    op.create_index(op.f("ix_rewards_list_id"), "rewards", ["list_id"])


def downgrade() -> None:
    op.drop_column("rewards", "list_id")
    op.drop_table("reward_lists")
