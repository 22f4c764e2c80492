"""Certificates of volunteer hours.

Revision ID: 20261129_certificates
Revises: 20261129_data_copies
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_certificates"
down_revision = "20261129_data_copies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificates",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_certificates_minutes")),
        sa.CheckConstraint("since <= until", name=op.f("ck_certificates_days")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_certificates_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("code", name=op.f("uq_certificates_code")),
    )
    op.create_index("ix_certificates_person", "certificates", ["person_id", "id"], unique=False)
    # Written once; deleted with the person.
    op.execute("GRANT SELECT, INSERT, DELETE ON certificates TO qx_app")


def downgrade() -> None:
    op.drop_index("ix_certificates_person", table_name="certificates")
    op.drop_table("certificates")
