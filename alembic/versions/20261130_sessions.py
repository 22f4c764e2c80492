"""Sessions.

Revision ID: 20261130_sessions
Revises: 20261130_reasons
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_sessions"
down_revision = "20261130_reasons"
branch_labels = None
depends_on = None

METHODS = ("rotating_code", "poster", "steward", "leader", "device", "offline")
ADDED = (
    ("activities", "signup_for", "signup_for IN ('activity', 'session', 'nothing')"),
    ("activities", "inside", "checkouts BETWEEN 0 AND checkins"),
    ("checkins", "by_others", "recorded_by <> person_id"),
    ("checkins", "came", "came_at <= checked_in_at"),
)


def upgrade() -> None:
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column(
            "skills",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["activities.id"],
            name=op.f("fk_posts_activity_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("activity_id", "name", name=op.f("uq_posts_activity_id_name")),
    )
    op.create_table(
        "activity_sessions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(length=80), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("signups_confirmed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("signups_waitlisted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_queue_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("checkins", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("checkouts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "ends_at - starts_at <= '24 hours'", name=op.f("ck_activity_sessions_length")
        ),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_activity_sessions_capacity")),
        sa.CheckConstraint("number > 0", name=op.f("ck_activity_sessions_number")),
        sa.CheckConstraint(
            "signups_confirmed BETWEEN 0 AND capacity", name=op.f("ck_activity_sessions_seats")
        ),
        sa.CheckConstraint(
            "signups_waitlisted >= 0 AND checkouts BETWEEN 0 AND checkins",
            name=op.f("ck_activity_sessions_counters"),
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_activity_sessions_times")),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["activities.id"],
            name=op.f("fk_activity_sessions_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_activity_sessions_post_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_sessions")),
        sa.UniqueConstraint(
            "activity_id", "number", name=op.f("uq_activity_sessions_activity_id_number")
        ),
    )
    op.create_index(
        "ix_activity_sessions_post",
        "activity_sessions",
        ["post_id"],
        unique=False,
        postgresql_where=sa.text("post_id IS NOT NULL"),
    )
    op.create_index(
        "ix_activity_sessions_start",
        "activity_sessions",
        ["activity_id", "starts_at"],
        unique=False,
    )
    op.create_table(
        "checkouts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("session", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("departure", sa.String(length=20), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("award_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "departure IN ('rotating_code', 'steward', 'device', 'offline', 'forgotten',"
            " 'corrected')",
            name=op.f("ck_checkouts_departure"),
        ),
        sa.CheckConstraint("recorded_by <> person_id", name=op.f("ck_checkouts_by_others")),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_checkouts_activity_id")
        ),
        sa.ForeignKeyConstraint(
            ["award_id"],
            ["awards.id"],
            name=op.f("fk_checkouts_award_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["checkin_id"], ["checkins.id"], name=op.f("fk_checkouts_checkin_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_checkouts_person_id")),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["people.id"], name=op.f("fk_checkouts_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("award_id", name=op.f("uq_checkouts_award_id")),
        sa.UniqueConstraint("checkin_id", name=op.f("uq_checkouts_checkin_id")),
    )
    op.create_index("ix_checkouts_activity", "checkouts", ["activity_id", "session"], unique=False)
    op.create_index("ix_checkouts_person", "checkouts", ["person_id", "id"], unique=False)
    op.add_column(
        "activities",
        sa.Column("checkouts", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "activities",
        sa.Column("sessions", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "activities",
        sa.Column(
            "signup_for", sa.String(length=20), server_default=sa.text("'activity'"), nullable=False
        ),
    )
    op.add_column(
        "activities",
        sa.Column("checks_out", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index(
        "ix_activities_checks_out",
        "activities",
        ["ends_at"],
        unique=False,
        postgresql_where=sa.text("checks_out"),
    )
    op.add_column("checkins", sa.Column("came_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("checkins", sa.Column("recorded_by", sa.Uuid(), nullable=True))
    op.add_column(
        "checkins",
        sa.Column("is_walk_in", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.alter_column("checkins", "award_id", existing_type=sa.UUID(), nullable=True)
    op.create_foreign_key(
        op.f("fk_checkins_recorded_by"), "checkins", "people", ["recorded_by"], ["id"]
    )
    op.add_column(
        "signups", sa.Column("session", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.drop_index(
        op.f("ix_signups_queue"),
        table_name="signups",
        postgresql_where="((status)::text = 'waitlisted'::text)",
    )
    op.create_index(
        "ix_signups_queue",
        "signups",
        ["activity_id", "session", "queue_number"],
        unique=False,
        postgresql_where=sa.text("status = 'waitlisted'"),
    )
    op.drop_index(
        op.f("uq_signups_living"),
        table_name="signups",
        postgresql_where="((status)::text <> 'cancelled'::text)",
    )
    op.create_index(
        "uq_signups_living",
        "signups",
        ["activity_id", "person_id", "session"],
        unique=True,
        postgresql_where=sa.text("status <> 'cancelled'"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON posts TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON activity_sessions TO qx_app")
    op.execute("GRANT SELECT, INSERT ON checkouts TO qx_app")
    _checks(
        METHODS, length="OR sessions > 0 ", counters="signups_waitlisted >= 0 AND sessions >= 0"
    )
    for table, name, condition in ADDED:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def downgrade() -> None:
    for table, name, _ in ADDED:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    _checks(METHODS[:1], length="", counters="signups_waitlisted >= 0 AND checkins >= 0")
    op.drop_index(
        "uq_signups_living", table_name="signups", postgresql_where=sa.text("status <> 'cancelled'")
    )
    op.create_index(
        op.f("uq_signups_living"),
        "signups",
        ["activity_id", "person_id"],
        unique=True,
        postgresql_where="((status)::text <> 'cancelled'::text)",
    )
    op.drop_index(
        "ix_signups_queue", table_name="signups", postgresql_where=sa.text("status = 'waitlisted'")
    )
    op.create_index(
        op.f("ix_signups_queue"),
        "signups",
        ["activity_id", "queue_number"],
        unique=False,
        postgresql_where="((status)::text = 'waitlisted'::text)",
    )
    op.drop_column("signups", "session")
    op.drop_constraint(op.f("fk_checkins_recorded_by"), "checkins", type_="foreignkey")
    op.alter_column("checkins", "award_id", existing_type=sa.UUID(), nullable=False)
    op.drop_column("checkins", "is_walk_in")
    op.drop_column("checkins", "recorded_by")
    op.drop_column("checkins", "came_at")
    op.drop_index(
        "ix_activities_checks_out",
        table_name="activities",
        postgresql_where=sa.text("checks_out"),
    )
    op.drop_column("activities", "checks_out")
    op.drop_column("activities", "signup_for")
    op.drop_column("activities", "sessions")
    op.drop_column("activities", "checkouts")
    op.drop_index("ix_checkouts_person", table_name="checkouts")
    op.drop_index("ix_checkouts_activity", table_name="checkouts")
    op.drop_table("checkouts")
    op.drop_index("ix_activity_sessions_start", table_name="activity_sessions")
    op.drop_index(
        "ix_activity_sessions_post",
        table_name="activity_sessions",
        postgresql_where=sa.text("post_id IS NOT NULL"),
    )
    op.drop_table("activity_sessions")
    op.drop_table("posts")


def _checks(methods: tuple[str, ...], length: str, counters: str) -> None:
    listed = ", ".join(f"'{one}'" for one in methods)
    changed = (
        ("checkins", "method", f"method IN ({listed})"),
        ("activities", "length", f"before_limits {length}OR ends_at - starts_at <= '24 hours'"),
        ("activities", "counters", counters),
    )
    for table, name, condition in changed:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
