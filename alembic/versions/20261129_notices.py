"""Notices hold facts and a subject, and are read; who was reminded of an activity.

Revision ID: 20261129_notices
Revises: 20261129_audit
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261129_notices"
down_revision = "20261129_audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signup_reminders",
        sa.Column("signup_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["signup_id"], ["signups.id"], name=op.f("fk_signup_reminders_signup_id")
        ),
        sa.PrimaryKeyConstraint("signup_id", "day", name=op.f("pk_signup_reminders")),
    )
    op.add_column("notices", sa.Column("subject_type", sa.String(length=40), nullable=True))
    op.add_column("notices", sa.Column("subject_id", sa.Uuid(), nullable=True))
    op.add_column(
        "notices",
        sa.Column(
            "facts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
    )
    op.add_column(
        "notices",
        sa.Column("merges", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("notices", sa.Column("read_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("notices", "text", existing_type=sa.VARCHAR(length=300), nullable=True)
    op.create_index(
        "ix_notices_unread",
        "notices",
        ["person_id", "id"],
        unique=False,
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(
        "uq_notices_merging",
        "notices",
        ["person_id", "kind", "subject_id"],
        unique=True,
        postgresql_where=sa.text("merges AND read_at IS NULL"),
    )
    op.create_check_constraint(
        op.f("ck_notices_content"),
        "notices",
        "num_nonnulls(facts, subject_type, subject_id) IN (0, 3) AND num_nonnulls(facts, text) = 1",
    )
    # What was told does not change: it is read, or merges with what comes later.
    op.execute("REVOKE UPDATE ON notices FROM qx_app")
    op.execute("GRANT UPDATE (id, facts, outbox_id, created_at, read_at) ON notices TO qx_app")
    op.execute("GRANT SELECT, INSERT ON signup_reminders TO qx_app")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (id, facts, outbox_id, created_at, read_at) ON notices FROM qx_app")
    op.execute("GRANT UPDATE ON notices TO qx_app")
    op.drop_constraint(op.f("ck_notices_content"), "notices", type_="check")
    op.execute("UPDATE notices SET text = kind WHERE text IS NULL")
    op.drop_index(
        "uq_notices_merging",
        table_name="notices",
        postgresql_where=sa.text("merges AND read_at IS NULL"),
    )
    op.drop_index(
        "ix_notices_unread", table_name="notices", postgresql_where=sa.text("read_at IS NULL")
    )
    op.alter_column("notices", "text", existing_type=sa.VARCHAR(length=300), nullable=False)
    op.drop_column("notices", "read_at")
    op.drop_column("notices", "merges")
    op.drop_column("notices", "facts")
    op.drop_column("notices", "subject_id")
    op.drop_column("notices", "subject_type")
    op.drop_table("signup_reminders")
