"""Staff of merchants is added by appointment codes: the codes of their own go.

Revision ID: 20261130_staff_codes
Revises: 20261130_subscriptions
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_staff_codes"
down_revision = "20261130_subscriptions"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.drop_table("staff_codes")


def downgrade() -> None:
    op.create_table(
        "staff_codes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(12), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        _key("merchant_id", "merchants"),
        sa.UniqueConstraint("code", name=op.f("uq_staff_codes_code")),
        _key("org_id", "orgs"),
        _key("created_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_codes")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON staff_codes TO qx_app")


def _key(column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_staff_codes_{column}"))
