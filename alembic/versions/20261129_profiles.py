"""Profiles of people, the log of their consents, and confirmed names.

Revision ID: 20261129_profiles
Revises: 20261129_closures
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261129_profiles"
down_revision = "20261129_closures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("people", sa.Column("birth_year", sa.Integer(), nullable=True))
    op.add_column("people", sa.Column("community_id", sa.Uuid(), nullable=True))
    op.add_column(
        "people",
        sa.Column(
            "interests",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
    )
    op.add_column("people", sa.Column("language", sa.String(length=10), nullable=True))
    op.create_foreign_key(
        op.f("fk_people_community_id"), "people", "orgs", ["community_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_people_birth"), "people", "birth_date IS NULL OR birth_year IS NULL"
    )
    op.create_check_constraint(op.f("ck_people_language"), "people", "language IN ('zh-CN', 'en')")
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.String(length=20), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("guardian_sealed", sa.LargeBinary(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "document IN ('privacy', 'terms', 'guardian')", name=op.f("ck_consents_document")
        ),
        sa.CheckConstraint(
            "guardian_sealed IS NULL OR document = 'guardian' AND given",
            name=op.f("ck_consents_guardian"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_consents_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_person", "consents", ["person_id", "id"], unique=False)
    op.create_table(
        "name_confirmations",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("confirmed_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "person_id <> confirmed_by", name=op.f("ck_name_confirmations_confirmed_by")
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["people.id"], name=op.f("fk_name_confirmations_confirmed_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_name_confirmations_org_id")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_name_confirmations_person_id")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_name_confirmations")),
    )
    # The log is append-only; who the guardian was goes with the person.
    op.execute("GRANT SELECT, INSERT ON consents TO qx_app")
    op.execute("GRANT UPDATE (guardian_sealed) ON consents TO qx_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON name_confirmations TO qx_app")


def downgrade() -> None:
    op.drop_table("name_confirmations")
    op.drop_index("ix_consents_person", table_name="consents")
    op.drop_table("consents")
    op.drop_constraint(op.f("ck_people_language"), "people", type_="check")
    op.drop_constraint(op.f("ck_people_birth"), "people", type_="check")
    op.drop_constraint(op.f("fk_people_community_id"), "people", type_="foreignkey")
    for column in ("language", "interests", "community_id", "birth_year"):
        op.drop_column("people", column)
