"""What a breach of the rules cost, and appeals against it.

Revision ID: 20261122_deductions
Revises: 20261122_seals
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261122_deductions"
down_revision = "20261122_seals"
branch_labels = None
depends_on = None

PEOPLE = ("person_id", "deducted_by", "decided_by")


def upgrade() -> None:
    op.create_table(
        "deductions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("rule_key", sa.String(length=40), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("points_asked", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("deducted_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("appeal_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appeal", sa.String(length=500), nullable=True),
        sa.Column("appealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.String(length=500), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('standing', 'appealed', 'upheld', 'revoked')",
            name=op.f("ck_deductions_state"),
        ),
        sa.CheckConstraint("points BETWEEN 0 AND points_asked", name=op.f("ck_deductions_points")),
        sa.CheckConstraint(
            "decided_by IS DISTINCT FROM deducted_by", name=op.f("ck_deductions_decided_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_deductions_org_id")),
        *(
            sa.ForeignKeyConstraint([name], ["people.id"], name=op.f(f"fk_deductions_{name}"))
            for name in PEOPLE
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deductions")),
        sa.UniqueConstraint(
            "person_id",
            "unit_id",
            "rule_key",
            "evidence",
            name=op.f("uq_deductions_person_id_unit_id_rule_key_evidence"),
        ),
    )
    op.create_index("ix_deductions_person", "deductions", ["person_id", "id"])
    op.create_index("ix_deductions_org_state", "deductions", ["org_id", "state", "id"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON deductions TO qx_app")


def downgrade() -> None:
    op.drop_table("deductions")
