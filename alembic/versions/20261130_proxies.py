"""Proxies who collect.

Revision ID: 20261130_proxies
Revises: 20261130_voucher_codes
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_proxies"
down_revision = "20261130_voucher_codes"
branch_labels = None
depends_on = None


def _key(column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_collection_proxies_{column}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name)


def upgrade() -> None:
    op.create_table(
        "collection_proxies",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(used_at, used_by) IN (0, 2)", name=op.f("ck_collection_proxies_used")
        ),
        sa.CheckConstraint(
            "used_at IS NULL OR revoked_at IS NULL", name=op.f("ck_collection_proxies_revoked")
        ),
        _key("person_id", "people"),
        _key("redemption_id", "redemptions"),
        _key("used_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection_proxies")),
        sa.UniqueConstraint("code", name=op.f("uq_collection_proxies_code")),
    )
    op.create_index(
        "uq_collection_proxies_redemption",
        "collection_proxies",
        ["redemption_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index("ix_collection_proxies_person", "collection_proxies", ["person_id", "id"])
    op.execute(
        "GRANT SELECT, INSERT, DELETE, UPDATE (revoked_at, used_at, used_by)"
        " ON collection_proxies TO qx_app"
    )


def downgrade() -> None:
    op.drop_table("collection_proxies")
