"""Messages of organizers to participants, and an index of the cancelled sign-ups of an activity.

Revision ID: 20261129_messages
Revises: 20261129_certificates
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_messages"
down_revision = "20261129_certificates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activity_messages",
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
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.CheckConstraint("recipients > 0", name=op.f("ck_activity_messages_recipients")),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_activity_messages_activity_id")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_activity_messages_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_activity_messages_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_messages")),
    )
    op.create_index("ix_activity_messages_activity", "activity_messages", ["activity_id", "id"])
    op.create_index(
        "ix_signups_cancelled",
        "signups",
        ["activity_id", "id"],
        postgresql_where=sa.text("status = 'cancelled'"),
    )
    op.execute("GRANT SELECT, INSERT ON activity_messages TO qx_app")


def downgrade() -> None:
    op.drop_index("ix_signups_cancelled", table_name="signups")
    op.drop_table("activity_messages")
