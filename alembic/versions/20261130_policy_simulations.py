"""Simulations of drafts of points rules, and what they found of each person.

Revision ID: 20261130_policy_simulations
Revises: 20261130_units
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_policy_simulations"
down_revision = "20261130_units"
branch_labels = None
depends_on = None

UNDER_WAY = "state IN ('waiting', 'running')"
MAY_CHANGE = "state, attempts, heard_at, people_total, people_done, result, failure, ended_at"


def upgrade() -> None:
    op.create_table(
        "policy_simulations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("people_total", sa.Integer(), nullable=True),
        sa.Column("people_done", sa.Integer(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("failure", sa.String(length=60), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'cancelled')",
            name=op.f("ck_policy_simulations_state"),
        ),
        sa.CheckConstraint(
            "(state = 'done') = (result IS NOT NULL)", name=op.f("ck_policy_simulations_result")
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (failure IS NOT NULL)",
            name=op.f("ck_policy_simulations_failure"),
        ),
        sa.CheckConstraint(
            f"({UNDER_WAY}) = (ended_at IS NULL)", name=op.f("ck_policy_simulations_ended_at")
        ),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_policy_simulations_days")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_policy_simulations_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_policy_simulations_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_simulations")),
    )
    op.create_index("ix_policy_simulations_org", "policy_simulations", ["org_id", "id"])
    op.create_index(
        "uq_policy_simulations_under_way",
        "policy_simulations",
        ["org_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text(UNDER_WAY),
    )
    op.create_table(
        "simulated_people",
        sa.Column("simulation_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("awards", sa.Integer(), nullable=False),
        sa.Column("points_now", sa.Integer(), nullable=False),
        sa.Column("points_draft", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("cap_hits", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_simulated_people_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["simulation_id"],
            ["policy_simulations.id"],
            name=op.f("fk_simulated_people_simulation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("simulation_id", "person_id", name=op.f("pk_simulated_people")),
    )
    op.create_index("ix_simulated_people_person", "simulated_people", ["person_id"])
    op.execute("GRANT SELECT, INSERT, DELETE ON policy_simulations TO qx_app")
    op.execute(f"GRANT UPDATE ({MAY_CHANGE}) ON policy_simulations TO qx_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON simulated_people TO qx_app")


def downgrade() -> None:
    op.drop_table("simulated_people")
    op.drop_table("policy_simulations")
