"""Accounts are closed, and their people erased.

Revision ID: 20261129_closures
Revises: 20261129_counter
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_closures"
down_revision = "20261129_counter"
branch_labels = None
depends_on = None

# The service may not change what cases and the audit trail say. This it may: empty what they say of
# people who are erased.
ERASE_TEXTS = """
CREATE FUNCTION erase_texts(people uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE audit_entries e SET reason = ''
    FROM (
        SELECT 'award' AS noun, a.id, a.person_id FROM awards a WHERE a.person_id = ANY(people)
        UNION ALL
        SELECT 'deduction', d.id, d.person_id FROM deductions d WHERE d.person_id = ANY(people)
        UNION ALL
        SELECT 'case', c.id, c.created_by FROM cases c WHERE c.created_by = ANY(people)
        UNION ALL
        SELECT 'person', p.id, p.id FROM people p WHERE p.id = ANY(people)
    ) s JOIN people p ON p.id = s.person_id AND p.erased_at IS NOT NULL
    WHERE e.subject_type = s.noun AND e.subject_id = s.id AND e.reason <> '';
    UPDATE case_entries e SET text = ''
    FROM cases c JOIN people p ON p.id = c.created_by
    WHERE c.id = e.case_id AND p.id = ANY(people) AND p.erased_at IS NOT NULL AND e.text <> '';
    UPDATE cases c SET reason = '', answer = CASE WHEN c.answer IS NOT NULL THEN '' END
    FROM people p
    WHERE p.id = c.created_by AND p.id = ANY(people) AND p.erased_at IS NOT NULL;
$$
"""


def upgrade() -> None:
    op.add_column("people", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "closures",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column(
            "asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cause IN ('asked', 'consent_withdrawn', 'wechat_revoked', 'wechat_cancelled')",
            name=op.f("ck_closures_cause"),
        ),
        sa.CheckConstraint(
            "(swept_at IS NOT NULL) <= (erased_at IS NOT NULL)", name=op.f("ck_closures_swept_at")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_closures_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_closures")),
    )
    op.create_index(
        "ix_closures_due",
        "closures",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("swept_at IS NULL"),
    )
    op.create_table(
        "ledger_redactions",
        sa.Column("fact", sa.String(length=40), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.Column("after", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "length(before) = 32 AND length(after) = 32", name=op.f("ck_ledger_redactions_hashes")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_ledger_redactions_person_id")
        ),
        sa.PrimaryKeyConstraint("fact", "key", name=op.f("pk_ledger_redactions")),
    )
    op.create_index("ix_attachments_creator", "attachments", ["created_by", "id"], unique=False)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON closures TO qx_app")
    op.execute("GRANT SELECT, INSERT ON ledger_redactions TO qx_app")
    op.execute(ERASE_TEXTS)
    op.execute("REVOKE ALL ON FUNCTION erase_texts(uuid[]) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION erase_texts(uuid[]) TO qx_app")


def downgrade() -> None:
    op.drop_index("ix_attachments_creator", table_name="attachments")
    op.execute("DROP FUNCTION erase_texts(uuid[])")
    op.drop_table("ledger_redactions")
    op.drop_index(
        "ix_closures_due", table_name="closures", postgresql_where=sa.text("swept_at IS NULL")
    )
    op.drop_table("closures")
    op.drop_column("people", "erased_at")
