"""Forms in versions, forms of activities, answers of people.

Revision ID: 20261130_forms
Revises: 20261130_reasons
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_forms"
down_revision = "20261130_corrections"
branch_labels = None
depends_on = None

# A picture moves from a person's drafts to the answers that name it.
MOVING = "GRANT UPDATE (subject_type, subject_id, slot, org_id) ON attachments TO qx_app"


def upgrade() -> None:
    op.create_table(
        "forms",
        _id(),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        _created_at(),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'retired')", name=op.f("ck_forms_state")
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_forms_version")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_forms_created_by")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_forms_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forms")),
    )
    op.create_index("ix_forms_org", "forms", ["org_id", "id"])
    _versions()
    _activity_forms()
    _answers()
    op.execute("GRANT SELECT, INSERT, UPDATE (title, state, version) ON forms TO qx_app")
    op.execute("GRANT SELECT, INSERT ON form_versions TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON activity_forms TO qx_app")
    op.execute(
        "GRANT SELECT, INSERT, DELETE, UPDATE (answers, form_version_id, updated_at)"
        " ON form_answers TO qx_app"
    )
    op.execute(MOVING)


def _id() -> sa.Column:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def _created_at() -> sa.Column:
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _json(name: str) -> sa.Column:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=False)


def _versions() -> None:
    op.create_table(
        "form_versions",
        _id(),
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        _json("questions"),
        sa.Column("has_required", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        _created_at(),
        sa.CheckConstraint("number > 0", name=op.f("ck_form_versions_number")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_form_versions_created_by")
        ),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name=op.f("fk_form_versions_form_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_versions")),
        sa.UniqueConstraint("form_id", "id", name=op.f("uq_form_versions_form_id_id")),
        sa.UniqueConstraint("form_id", "number", name=op.f("uq_form_versions_form_id_number")),
    )


def _activity_forms() -> None:
    op.create_table(
        "activity_forms",
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("form_version_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        _created_at(),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["activities.id"],
            name=op.f("fk_activity_forms_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_activity_forms_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["form_id", "form_version_id"],
            ["form_versions.form_id", "form_versions.id"],
            name=op.f("fk_activity_forms_form_id_form_version_id"),
        ),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_activity_forms")),
    )


def _answers() -> None:
    op.create_table(
        "form_answers",
        _id(),
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("form_version_id", sa.Uuid(), nullable=False),
        sa.Column("subject_type", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        _json("answers"),
        _created_at(),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "subject_type IN ('activity')", name=op.f("ck_form_answers_subject_type")
        ),
        sa.ForeignKeyConstraint(
            ["form_id", "form_version_id"],
            ["form_versions.form_id", "form_versions.id"],
            name=op.f("fk_form_answers_form_id_form_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_form_answers_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_answers")),
        sa.UniqueConstraint(
            "subject_type",
            "subject_id",
            "person_id",
            "form_id",
            name=op.f("uq_form_answers_subject_type_subject_id_person_id_form_id"),
        ),
    )
    op.create_index("ix_form_answers_subject", "form_answers", ["subject_type", "subject_id", "id"])
    op.create_index("ix_form_answers_person", "form_answers", ["person_id", "id"])


def downgrade() -> None:
    """The old release does not know whose the pictures are; it treats them as nobody's."""
    op.execute(MOVING.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
    for table in ("form_answers", "activity_forms", "form_versions", "forms"):
        op.drop_table(table)
