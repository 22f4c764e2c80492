"""Devices.

Revision ID: 20261130_devices
Revises: 20261130_reasons
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_devices"
down_revision = "20261130_forms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("roster_key", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=20), server_default="active", nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("kind IN ('counter', 'steward_phone')", name=op.f("ck_devices_kind")),
        sa.CheckConstraint(
            "num_nonnulls(reason, revoked_at) = CASE state WHEN 'revoked' THEN 2 ELSE 0 END",
            name=op.f("ck_devices_revoked"),
        ),
        sa.CheckConstraint("state IN ('active', 'revoked')", name=op.f("ck_devices_state")),
        sa.CheckConstraint("last_sequence >= 0", name=op.f("ck_devices_last_sequence")),
        sa.CheckConstraint("octet_length(public_key) = 32", name=op.f("ck_devices_public_key")),
        sa.CheckConstraint("octet_length(roster_key) = 32", name=op.f("ck_devices_roster_key")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_devices_created_by")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_devices_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("public_key", name=op.f("uq_devices_public_key")),
    )
    op.create_index("ix_devices_org", "devices", ["org_id", "id"], unique=False)
    op.execute("GRANT SELECT, INSERT ON devices TO qx_app")
    # Not its keys.
    op.execute(
        "GRANT UPDATE (state, reason, revoked_at, last_seen_at, last_sequence) ON devices TO qx_app"
    )


def downgrade() -> None:
    op.drop_index("ix_devices_org", table_name="devices")
    op.drop_table("devices")
