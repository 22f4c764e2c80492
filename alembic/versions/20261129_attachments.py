"""Attachments.

Revision ID: 20261129_attachments
Revises: 20261129_cases
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_attachments"
down_revision = "20261129_cases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("subject_type", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("content_type", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("trace_id", sa.String(length=100), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('picture', 'document')", name=op.f("ck_attachments_kind")),
        sa.CheckConstraint(
            "num_nonnulls(width, height) = CASE kind WHEN 'picture' THEN 2 ELSE 0 END",
            name=op.f("ck_attachments_extent"),
        ),
        sa.CheckConstraint(
            "state IN ('checking', 'ready', 'blocked')", name=op.f("ck_attachments_state")
        ),
        sa.CheckConstraint("size > 0 AND slot > 0", name=op.f("ck_attachments_numbers")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_attachments_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_attachments_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint(
            "subject_type",
            "subject_id",
            "slot",
            name=op.f("uq_attachments_subject_type_subject_id_slot"),
        ),
        sa.UniqueConstraint("trace_id", name=op.f("uq_attachments_trace_id")),
    )
    op.create_index(
        "ix_attachments_checking",
        "attachments",
        ["asked_at"],
        unique=False,
        postgresql_where=sa.text("state = 'checking'"),
    )
    op.create_index(
        "ix_attachments_subject", "attachments", ["subject_type", "subject_id", "id"], unique=False
    )
    # Only WeChat's check changes a row.
    op.execute("GRANT SELECT, INSERT, DELETE ON attachments TO qx_app")
    op.execute("GRANT UPDATE (state, trace_id, asked_at) ON attachments TO qx_app")


def downgrade() -> None:
    op.drop_index("ix_attachments_subject", table_name="attachments")
    op.drop_index(
        "ix_attachments_checking",
        table_name="attachments",
        postgresql_where=sa.text("state = 'checking'"),
    )
    op.drop_table("attachments")
