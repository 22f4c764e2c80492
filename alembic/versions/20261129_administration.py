"""Roles from and until a time, appointments by code, suspended people, closed organisations.

Revision ID: 20261129_administration
Revises: 20261129_organizing
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_administration"
down_revision = "20261129_organizing"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("people", sa.Column("suspended_at", TIMESTAMP))
    op.add_column("people", sa.Column("suspended_org_id", sa.Uuid()))
    op.create_foreign_key(
        op.f("fk_people_suspended_org_id"), "people", "orgs", ["suspended_org_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_people_suspended"),
        "people",
        "num_nonnulls(suspended_at, suspended_org_id) IN (0, 2)",
    )
    op.add_column("orgs", sa.Column("closed_at", TIMESTAMP))
    op.add_column("role_grants", sa.Column("starts_at", TIMESTAMP, server_default=sa.text("now()")))
    op.add_column("role_grants", sa.Column("ends_at", TIMESTAMP))
    op.execute("UPDATE role_grants SET starts_at = created_at")
    op.alter_column("role_grants", "starts_at", nullable=False)
    op.create_check_constraint(op.f("ck_role_grants_times"), "role_grants", "ends_at > starts_at")
    _appointments()


def _appointments() -> None:
    op.create_table(
        "appointments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP, server_default=sa.text("now()"), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("starts_at", TIMESTAMP, nullable=True),
        sa.Column("ends_at", TIMESTAMP, nullable=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("accepted_at", TIMESTAMP, nullable=True),
        sa.CheckConstraint(
            "role IN ('organizer', 'auditor', 'administrator', 'merchant_staff')",
            name=op.f("ck_appointments_role"),
        ),
        sa.CheckConstraint(
            "(role = 'merchant_staff') = (merchant_id IS NOT NULL)",
            name=op.f("ck_appointments_place"),
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_appointments_times")),
        sa.CheckConstraint(
            "num_nonnulls(accepted_by, accepted_at) IN (0, 2)",
            name=op.f("ck_appointments_accepted"),
        ),
        sa.CheckConstraint("accepted_by <> created_by", name=op.f("ck_appointments_own")),
        sa.ForeignKeyConstraint(
            ["accepted_by"], ["people.id"], name=op.f("fk_appointments_accepted_by")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_appointments_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_appointments_merchant_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_appointments_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointments")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_appointments_code_hash")),
    )
    op.execute("GRANT SELECT, INSERT ON appointments TO qx_app")
    op.execute("GRANT UPDATE (accepted_by, accepted_at) ON appointments TO qx_app")


def downgrade() -> None:
    op.drop_table("appointments")
    # The old release knows no times: only what is in force stays.
    op.execute("DELETE FROM role_grants WHERE starts_at > now() OR ends_at <= now()")
    op.drop_constraint(op.f("ck_role_grants_times"), "role_grants")
    op.drop_column("role_grants", "ends_at")
    op.drop_column("role_grants", "starts_at")
    op.drop_column("orgs", "closed_at")
    op.drop_constraint(op.f("ck_people_suspended"), "people")
    op.drop_column("people", "suspended_org_id")
    op.drop_column("people", "suspended_at")
