"""Quests, their checkpoints, visits and completions.

Revision ID: 20261130_quests
Revises: 20261130_reasons
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_quests"
down_revision = "20261130_devices"
branch_labels = None
depends_on = None


def _moment(name: str, default: str | None = None) -> sa.Column:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text(default) if default else None,
        nullable=False,
    )


def _id() -> sa.Column:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def _refers(table: str, column: str, to: str, **options: str | bool) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"), **options
    )


def upgrade() -> None:
    op.create_table(
        "quests",
        _id(),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        _moment("created_at", "now()"),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=5000), nullable=False),
        _moment("starts_at"),
        _moment("ends_at"),
        sa.Column("rule_key", sa.String(length=40), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'closed')", name=op.f("ck_quests_state")
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_quests_times")),
        sa.CheckConstraint(
            "ends_at - created_at <= '731 days' AND created_at - starts_at <= '731 days'",
            name=op.f("ck_quests_distance"),
        ),
        sa.CheckConstraint("needed BETWEEN 1 AND 50", name=op.f("ck_quests_needed")),
        _refers("quests", "org_id", "orgs"),
        _refers("quests", "created_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quests")),
    )
    op.create_index("ix_quests_org", "quests", ["org_id", "id"])
    op.create_index("ix_quests_state", "quests", ["state", "id"])
    op.create_table(
        "quest_checkpoints",
        _id(),
        sa.Column("quest_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("location_name", sa.String(length=100), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("radius_m", sa.Integer(), nullable=False),
        _moment("opens_at"),
        _moment("closes_at"),
        sa.Column("issue", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("number BETWEEN 1 AND 50", name=op.f("ck_quest_checkpoints_number")),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_quest_checkpoints_times")),
        sa.CheckConstraint("radius_m > 0", name=op.f("ck_quest_checkpoints_radius")),
        sa.CheckConstraint("issue BETWEEN 1 AND 65535", name=op.f("ck_quest_checkpoints_issue")),
        _refers("quest_checkpoints", "quest_id", "quests", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quest_checkpoints")),
        sa.UniqueConstraint(
            "quest_id", "number", name=op.f("uq_quest_checkpoints_quest_id_number")
        ),
        sa.UniqueConstraint("serial", name=op.f("uq_quest_checkpoints_serial")),
    )
    op.create_table(
        "quest_organizers",
        sa.Column("quest_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        _moment("created_at", "now()"),
        _refers("quest_organizers", "quest_id", "quests"),
        _refers("quest_organizers", "person_id", "people"),
        sa.PrimaryKeyConstraint("quest_id", "person_id", name=op.f("pk_quest_organizers")),
    )
    op.create_table(
        "quest_visits",
        _id(),
        sa.Column("quest_id", sa.Uuid(), nullable=False),
        sa.Column("checkpoint_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        _moment("visited_at"),
        sa.Column("distance_m", sa.Integer(), nullable=False),
        sa.Column("accuracy_m", sa.Integer(), nullable=False),
        sa.Column("flagged", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "flagged IS NULL OR flagged IN ('travel')", name=op.f("ck_quest_visits_flagged")
        ),
        sa.CheckConstraint(
            "distance_m >= 0 AND accuracy_m BETWEEN 0 AND 100",
            name=op.f("ck_quest_visits_location"),
        ),
        _refers("quest_visits", "quest_id", "quests"),
        _refers("quest_visits", "checkpoint_id", "quest_checkpoints"),
        _refers("quest_visits", "person_id", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quest_visits")),
        sa.UniqueConstraint(
            "checkpoint_id", "person_id", name=op.f("uq_quest_visits_checkpoint_id_person_id")
        ),
    )
    op.create_index("ix_quest_visits_person", "quest_visits", ["person_id", "id"])
    op.create_index("ix_quest_visits_quest", "quest_visits", ["quest_id", "person_id"])
    op.create_table(
        "quest_completions",
        sa.Column("quest_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        _moment("completed_at"),
        sa.Column("doubted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("award_id", sa.Uuid(), nullable=False),
        _refers("quest_completions", "quest_id", "quests"),
        _refers("quest_completions", "person_id", "people"),
        _refers("quest_completions", "award_id", "awards", deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("quest_id", "person_id", name=op.f("pk_quest_completions")),
        sa.UniqueConstraint("award_id", name=op.f("uq_quest_completions_award_id")),
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (title, description, starts_at, ends_at, rule_key, needed,"
        " state, version) ON quests TO qx_app"
    )
    op.execute("GRANT SELECT, INSERT, DELETE, UPDATE (issue) ON quest_checkpoints TO qx_app")
    op.execute(
        "GRANT SELECT, INSERT ON quest_organizers, quest_visits, quest_completions TO qx_app"
    )


def downgrade() -> None:
    for table in ("completions", "visits", "organizers", "checkpoints"):
        op.drop_table(f"quest_{table}")
    op.drop_table("quests")
