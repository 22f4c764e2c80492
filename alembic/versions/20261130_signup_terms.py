"""Terms of sign-up.

Revision ID: 20261130_signup_terms
Revises: 20261130_sessions
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_signup_terms"
down_revision = "20261130_swaps"
branch_labels = None
depends_on = None

STATUSES = ("confirmed", "waitlisted", "pending", "offered", "declined", "cancelled")
BEFORE = ("confirmed", "waitlisted", "pending", "cancelled")
UNSETTLED = "counts_no_shows AND no_shows_settled_at IS NULL"


def upgrade() -> None:
    _activities()
    _signups()
    _reminders()
    op.create_table(
        "shift_holds",
        sa.Column("signup_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        _created_at(),
        sa.CheckConstraint("NOT isempty(during)", name=op.f("ck_shift_holds_during")),
        postgresql.ExcludeConstraint(
            ("person_id", "="), ("during", "&&"), name="ex_shift_holds_overlap", using="gist"
        ),
        sa.ForeignKeyConstraint(
            ["signup_id"],
            ["signups.id"],
            name=op.f("fk_shift_holds_signup_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_shift_holds_person_id")
        ),
        sa.PrimaryKeyConstraint("signup_id", name=op.f("pk_shift_holds")),
    )
    op.create_table(
        "no_shows",
        sa.Column("signup_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("deduction_id", sa.Uuid(), nullable=True),
        _created_at(),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_no_shows_activity_id")
        ),
        sa.ForeignKeyConstraint(
            ["deduction_id"], ["deductions.id"], name=op.f("fk_no_shows_deduction_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_no_shows_person_id")),
        sa.ForeignKeyConstraint(["signup_id"], ["signups.id"], name=op.f("fk_no_shows_signup_id")),
        sa.PrimaryKeyConstraint("signup_id", name=op.f("pk_no_shows")),
        sa.UniqueConstraint("deduction_id", name=op.f("uq_no_shows_deduction_id")),
    )
    op.create_index(op.f("ix_no_shows_activity_id"), "no_shows", ["activity_id"], unique=False)
    op.create_index("ix_no_shows_person", "no_shows", ["person_id", "signup_id"], unique=False)
    op.create_table(
        "signup_pauses",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        _created_at(),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_signup_pauses_person_id")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_signup_pauses")),
    )
    op.create_index("ix_activity_sessions_when", "activity_sessions", ["starts_at"], unique=False)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON shift_holds TO qx_app")
    op.execute("GRANT SELECT, INSERT ON no_shows TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON signup_pauses TO qx_app")


def _created_at() -> sa.Column[Any]:
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _activities() -> None:
    op.add_column("activities", sa.Column("signup_terms", sa.Text(), nullable=True))
    op.add_column("activities", sa.Column("eligibility", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_activities_terms"), "activities", "signup_terms IS JSON OBJECT"
    )
    op.create_check_constraint(
        op.f("ck_activities_eligibility"), "activities", "eligibility IS JSON OBJECT"
    )
    # Nobody was told of strikes who signed up before there were any.
    op.add_column(
        "activities",
        sa.Column("counts_no_shows", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.alter_column("activities", "counts_no_shows", server_default=sa.text("true"))
    op.add_column(
        "activities", sa.Column("no_shows_settled_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_activities_unsettled",
        "activities",
        ["ends_at"],
        unique=False,
        postgresql_where=sa.text(UNSETTLED),
    )


def _signups() -> None:
    op.add_column(
        "signups", sa.Column("friends", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("signups", sa.Column("offer_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_signups_offers",
        "signups",
        ["offer_until"],
        unique=False,
        postgresql_where=sa.text("status = 'offered'"),
    )
    _status(STATUSES)
    op.create_check_constraint(op.f("ck_signups_friends"), "signups", "friends BETWEEN 0 AND 5")
    op.create_check_constraint(
        op.f("ck_signups_offer"), "signups", "(status = 'offered') = (offer_until IS NOT NULL)"
    )


def _reminders() -> None:
    op.add_column(
        "signup_reminders",
        sa.Column("session", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "signup_reminders",
        sa.Column("kind", sa.String(length=10), server_default=sa.text("'day'"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_signup_reminders_kind"), "signup_reminders", "kind IN ('day', 'hour')"
    )
    op.drop_constraint(op.f("pk_signup_reminders"), "signup_reminders", type_="primary")
    op.create_primary_key(
        op.f("pk_signup_reminders"), "signup_reminders", ["signup_id", "day", "session", "kind"]
    )


def downgrade() -> None:
    op.drop_index("ix_activity_sessions_when", table_name="activity_sessions")
    op.drop_table("signup_pauses")
    op.drop_table("no_shows")
    op.drop_table("shift_holds")
    op.execute("DELETE FROM signup_reminders WHERE session <> 0 OR kind <> 'day'")
    op.drop_constraint(op.f("pk_signup_reminders"), "signup_reminders", type_="primary")
    op.create_primary_key(op.f("pk_signup_reminders"), "signup_reminders", ["signup_id", "day"])
    op.drop_constraint(op.f("ck_signup_reminders_kind"), "signup_reminders", type_="check")
    op.drop_column("signup_reminders", "kind")
    op.drop_column("signup_reminders", "session")
    op.drop_constraint(op.f("ck_signups_offer"), "signups", type_="check")
    op.drop_constraint(op.f("ck_signups_friends"), "signups", type_="check")
    op.execute(
        "UPDATE signups SET status = CASE status WHEN 'offered' THEN 'confirmed'"
        " ELSE 'cancelled' END WHERE status IN ('offered', 'declined')"
    )
    _status(BEFORE)
    op.drop_index(
        "ix_signups_offers",
        table_name="signups",
        postgresql_where=sa.text("status = 'offered'"),
    )
    op.drop_column("signups", "offer_until")
    op.drop_column("signups", "friends")
    op.drop_index(
        "ix_activities_unsettled",
        table_name="activities",
        postgresql_where=sa.text(UNSETTLED),
    )
    op.drop_column("activities", "no_shows_settled_at")
    op.drop_column("activities", "counts_no_shows")
    op.drop_column("activities", "eligibility")
    op.drop_column("activities", "signup_terms")


def _status(statuses: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{one}'" for one in statuses)
    op.drop_constraint(op.f("ck_signups_status"), "signups", type_="check")
    op.create_check_constraint(op.f("ck_signups_status"), "signups", f"status IN ({listed})")
