"""Activities get versions, covers and an end; co-organizers and templates of activities.

Revision ID: 20261129_organizing
Revises: 20261129_partitions
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_organizing"
down_revision = "20261129_partitions"
branch_labels = None
depends_on = None

STATES = ("draft", "published", "cancelled")
CATEGORIES = (
    "'thought_guidance', 'culture', 'health', 'employment', 'social_life', 'rights_protection',"
    " 'safety', 'social_practice', 'volunteer_service', 'property_affairs'"
)


def upgrade() -> None:
    _activities()
    op.create_table(
        "co_organizers",
        *_record(),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["activities.id"],
            name=op.f("fk_co_organizers_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_co_organizers_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_co_organizers_org_id")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_co_organizers_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_co_organizers")),
        sa.UniqueConstraint(
            "activity_id", "person_id", name=op.f("uq_co_organizers_activity_id_person_id")
        ),
    )
    op.create_index(op.f("ix_co_organizers_person_id"), "co_organizers", ["person_id"])
    _templates()
    op.execute("GRANT SELECT, INSERT, DELETE ON co_organizers TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON activity_templates TO qx_app")


def _record() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    ]


def _activities() -> None:
    op.add_column("activities", sa.Column("cancel_reason", sa.String(length=200), nullable=True))
    op.add_column("activities", sa.Column("cover_id", sa.Uuid(), nullable=True))
    op.add_column(
        "activities",
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )
    op.create_foreign_key(
        op.f("fk_activities_cover_id"),
        "activities",
        "attachments",
        ["cover_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(
        "ix_activities_cover",
        "activities",
        ["cover_id"],
        postgresql_where=sa.text("cover_id IS NOT NULL"),
    )
    _states(*STATES, "closed")
    op.create_check_constraint(
        op.f("ck_activities_cancelled"),
        "activities",
        "(cancel_reason IS NOT NULL) <= (status = 'cancelled')",
    )


def _states(*states: str) -> None:
    listed = ", ".join(f"'{state}'" for state in states)
    op.drop_constraint(op.f("ck_activities_status"), "activities", type_="check")
    op.create_check_constraint(op.f("ck_activities_status"), "activities", f"status IN ({listed})")


def _templates() -> None:
    op.create_table(
        "activity_templates",
        *_record(),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=5000), nullable=False),
        sa.Column("category", sa.String(length=30), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("rule_key", sa.String(length=40), nullable=False),
        sa.Column("location_name", sa.String(length=100), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("radius_m", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            f"category IN ({CATEGORIES})", name=op.f("ck_activity_templates_category")
        ),
        sa.CheckConstraint(
            "minutes BETWEEN 1 AND 1440", name=op.f("ck_activity_templates_minutes")
        ),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_activity_templates_capacity")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_activity_templates_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_activity_templates_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_templates")),
    )
    op.create_index("ix_activity_templates_org", "activity_templates", ["org_id", "id"])


def downgrade() -> None:
    op.drop_table("activity_templates")
    op.drop_table("co_organizers")
    op.drop_constraint(op.f("ck_activities_cancelled"), "activities", type_="check")
    # A closed activity is over; the old release lists it as published.
    op.execute("UPDATE activities SET status = 'published' WHERE status = 'closed'")
    _states(*STATES)
    op.drop_index("ix_activities_cover", table_name="activities")
    for name in ("cancel_reason", "cover_id", "version"):
        op.drop_column("activities", name)
