"""Logins of web pages.

Revision ID: 20261130_web_logins
Revises: 20261130_given_places
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_web_logins"
down_revision = "20261130_given_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "web_logins",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["family_id"],
            ["token_families.id"],
            name=op.f("fk_web_logins_family_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_web_logins")),
    )
    op.create_index(op.f("ix_web_logins_family_id"), "web_logins", ["family_id"])
    op.execute("GRANT SELECT, INSERT, DELETE ON web_logins TO qx_app")


def downgrade() -> None:
    op.drop_table("web_logins")
