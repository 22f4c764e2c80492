"""Who was told what expires.

Revision ID: 20261122_expiry_notices
Revises: 20261122_award_states
"""

import sqlalchemy as sa

from alembic import op

revision = "20261122_expiry_notices"
down_revision = "20261122_award_states"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expiry_notices",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_expiry_notices_person_id")
        ),
        sa.PrimaryKeyConstraint(
            "person_id", "unit_id", "expires_at", "days", name=op.f("pk_expiry_notices")
        ),
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON expiry_notices TO qx_app")


def downgrade() -> None:
    op.drop_table("expiry_notices")
