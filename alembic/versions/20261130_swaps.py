"""Swaps of shifts, hand-over notes; tags of activities, and what completes a series.

Revision ID: 20261130_swaps
Revises: 20261130_sessions
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_swaps"
down_revision = "20261130_quests"
branch_labels = None
depends_on = None

STATES = "'proposed', 'accepted', 'refused', 'withdrawn', 'expired'"
# '/31/310101/' gives '/', '/31/' and '/31/310101/', each alone, with the category, and with a hash
# and each tag.
LISTS_OF = """
CREATE FUNCTION lists_of_activity(org_path text, category text, tags text DEFAULT '')
RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(org_path, i) || suffix
    FROM generate_series(1, length(org_path)) i, (
        SELECT '' UNION ALL SELECT category
        UNION SELECT '#' || tag FROM string_to_table(nullif(tags, ''), E'\\n') tag
    ) s(suffix)
    WHERE substr(org_path, i, 1) = '/'
$$
"""
LISTS_OF_BEFORE = """
CREATE FUNCTION lists_of_activity(org_path text, category text)
RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(org_path, i) || suffix
    FROM generate_series(1, length(org_path)) i, unnest(ARRAY['', category]) suffix
    WHERE substr(org_path, i, 1) = '/'
$$
"""
ENLIST = """
CREATE OR REPLACE FUNCTION enlist_activity() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM activity_lists WHERE activity_id = NEW.id;
    END IF;
    INSERT INTO activity_lists (list, status, starts_at, activity_id)
    SELECT list, NEW.status, NEW.starts_at, NEW.id
    FROM lists_of_activity({arguments}) list;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER enlist_activity
AFTER INSERT OR UPDATE OF {columns} ON activities
FOR EACH ROW EXECUTE FUNCTION enlist_activity()
"""


def upgrade() -> None:
    op.add_column(
        "activities", sa.Column("last_session", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("activities", sa.Column("minimum_attendance", sa.Integer(), nullable=True))
    op.add_column("activities", sa.Column("tags", sa.Text(), server_default="", nullable=False))
    op.create_check_constraint(
        op.f("ck_activities_minimum_attendance"),
        "activities",
        "minimum_attendance BETWEEN 1 AND 400",
    )
    op.create_index(
        "ix_activities_series",
        "activities",
        ["status", "ends_at"],
        postgresql_where=sa.text("sessions > 0"),
    )
    op.execute("DROP FUNCTION lists_of_activity(text, text)")
    op.execute(LISTS_OF)
    op.execute(ENLIST.format(arguments="NEW.org_path, NEW.category, NEW.tags"))
    op.execute(TRIGGER.format(columns="org_path, category, tags, status, starts_at"))
    _templates()
    _certificates()
    _swaps()
    op.create_table(
        "shift_notes",
        sa.Column("shift_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        _key("shift_notes", "shift_id", "activity_sessions", ondelete="CASCADE"),
        _key("shift_notes", "written_by", "people"),
        sa.PrimaryKeyConstraint("shift_id", name=op.f("pk_shift_notes")),
    )
    op.create_index(op.f("ix_shift_notes_written_by"), "shift_notes", ["written_by"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON swaps, shift_notes TO qx_app")


def _key(table: str, column: str, other: str, **options: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, **options)


TEMPLATE_CHECKS = {
    "signup_for": "signup_for IN ('activity', 'session', 'nothing')",
    "minimum_attendance": "minimum_attendance BETWEEN 1 AND 400",
}


def _templates() -> None:
    for column in (
        sa.Column("signup_for", sa.String(length=20), server_default="activity", nullable=False),
        sa.Column("checks_out", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tags", sa.Text(), server_default="", nullable=False),
        sa.Column("minimum_attendance", sa.Integer(), nullable=True),
        sa.Column("sessions", postgresql.JSONB(), server_default="[]", nullable=False),
    ):
        op.add_column("activity_templates", column)
    for name, condition in TEMPLATE_CHECKS.items():
        op.create_check_constraint(
            op.f(f"ck_activity_templates_{name}"), "activity_templates", condition
        )


def _certificates() -> None:
    op.add_column("certificates", sa.Column("activity_id", sa.Uuid(), nullable=True))
    op.add_column("certificates", sa.Column("title", sa.String(length=80), nullable=True))
    op.add_column("certificates", sa.Column("sessions", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_certificates_activity_id"), "certificates", "activities", ["activity_id"], ["id"]
    )
    op.drop_constraint(op.f("ck_certificates_minutes"), "certificates", type_="check")
    for name, condition in (
        ("minutes", "minutes > 0 OR activity_id IS NOT NULL"),
        ("series", "num_nonnulls(activity_id, title, sessions) IN (0, 3)"),
        ("sessions", "sessions > 0"),
    ):
        op.create_check_constraint(op.f(f"ck_certificates_{name}"), "certificates", condition)


def _swaps() -> None:
    op.create_table(
        "swaps",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("shift_id", sa.Uuid(), nullable=False),
        sa.Column("signup_id", sa.Uuid(), nullable=False),
        sa.Column("with_signup_id", sa.Uuid(), nullable=True),
        sa.Column("asked_id", sa.Uuid(), nullable=True),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_swaps_state")),
        sa.CheckConstraint(
            "(with_signup_id IS NULL) = (asked_id IS NULL)", name=op.f("ck_swaps_asked")
        ),
        sa.CheckConstraint(
            "asked_id <> created_by AND accepted_by <> created_by", name=op.f("ck_swaps_two")
        ),
        sa.CheckConstraint(
            "(accepted_by IS NOT NULL) = (state = 'accepted')", name=op.f("ck_swaps_accepted")
        ),
        _key("swaps", "org_id", "orgs"),
        _key("swaps", "created_by", "people"),
        _key("swaps", "activity_id", "activities"),
        _key("swaps", "shift_id", "activity_sessions", ondelete="CASCADE"),
        _key("swaps", "signup_id", "signups"),
        _key("swaps", "with_signup_id", "signups"),
        _key("swaps", "asked_id", "people"),
        _key("swaps", "accepted_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swaps")),
    )
    proposed = sa.text("state = 'proposed'")
    op.create_index(
        "uq_swaps_proposed", "swaps", ["signup_id"], unique=True, postgresql_where=proposed
    )
    op.create_index("ix_swaps_due", "swaps", ["expires_at"], postgresql_where=proposed)
    op.create_index("ix_swaps_activity", "swaps", ["activity_id", "id"])
    op.create_index("ix_swaps_person", "swaps", ["created_by", "id"])
    op.create_index(
        "ix_swaps_asked",
        "swaps",
        ["asked_id", "id"],
        postgresql_where=sa.text("asked_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("shift_notes")
    op.drop_table("swaps")
    op.execute("DELETE FROM certificates WHERE activity_id IS NOT NULL")
    op.drop_constraint(op.f("ck_certificates_minutes"), "certificates", type_="check")
    for column in ("sessions", "title", "activity_id"):
        op.drop_column("certificates", column)
    op.create_check_constraint(op.f("ck_certificates_minutes"), "certificates", "minutes > 0")
    for name in TEMPLATE_CHECKS:
        op.drop_constraint(
            op.f(f"ck_activity_templates_{name}"), "activity_templates", type_="check"
        )
    for column in ("sessions", "minimum_attendance", "tags", "checks_out", "signup_for"):
        op.drop_column("activity_templates", column)
    op.execute(TRIGGER.format(columns="org_path, category, status, starts_at"))
    op.execute(ENLIST.format(arguments="NEW.org_path, NEW.category"))
    op.execute("DROP FUNCTION lists_of_activity(text, text, text)")
    op.execute(LISTS_OF_BEFORE)
    op.execute("DELETE FROM activity_lists WHERE strpos(list, '#') > 0")
    op.drop_index("ix_activities_series", table_name="activities")
    op.drop_constraint(op.f("ck_activities_minimum_attendance"), "activities", type_="check")
    for column in ("tags", "minimum_attendance", "last_session"):
        op.drop_column("activities", column)
