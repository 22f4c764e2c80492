"""The audit trail, and one name for who made a record.

Revision ID: 20261129_audit
Revises: 20261123_waits_of_awards
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261129_audit"
down_revision = "20261123_waits_of_awards"
branch_labels = None
depends_on = None

# Every record names its author alike.
AUTHORS = (("deductions", "deducted_by"), ("fund_receipts", "entered_by"))


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("verb", sa.String(length=40), nullable=False),
        sa.Column("subject_type", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("from_state", sa.String(length=40), nullable=True),
        sa.Column("to_state", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["people.id"], name=op.f("fk_audit_entries_actor_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_audit_entries_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index("ix_audit_entries_actor", "audit_entries", ["actor_id", "id"], unique=False)
    op.create_index("ix_audit_entries_org", "audit_entries", ["org_id", "id"], unique=False)
    op.create_index(
        "ix_audit_entries_subject",
        "audit_entries",
        ["subject_type", "subject_id", "id"],
        unique=False,
    )
    for table, column in AUTHORS:
        op.alter_column(table, column, new_column_name="created_by")
        op.execute(
            f"ALTER TABLE {table} RENAME CONSTRAINT fk_{table}_{column} TO fk_{table}_created_by"
        )
    # Append-only: nobody changes an entry, not even the service.
    op.execute("GRANT SELECT, INSERT ON audit_entries TO qx_app")


def downgrade() -> None:
    for table, column in AUTHORS:
        op.execute(
            f"ALTER TABLE {table} RENAME CONSTRAINT fk_{table}_created_by TO fk_{table}_{column}"
        )
        op.alter_column(table, "created_by", new_column_name=column)
    op.drop_table("audit_entries")
