"""Awards on their way: reviews, public notices, objections, waiting for a budget.

Revision ID: 20261122_award_states
Revises: 20261122_ledger_of_record
"""

import sqlalchemy as sa

from alembic import op

revision = "20261122_award_states"
down_revision = "20261122_ledger_of_record"
branch_labels = None
depends_on = None

STATES = "state IN ('pending', 'available', 'reversed')"
NEW_STATES = "state IN ('pending_budget', 'pending', 'notice', 'available', 'rejected', 'reversed')"
REASONS = (
    "reason IN ('full', 'cap_day', 'cap_month', 'cap_year', 'overall_day', 'overall_month',"
    " 'overall_year')"
)
NEW_REASONS = f"{REASONS[:-1]}, 'once')"
CREATED_AT = {"server_default": sa.text("now()"), "nullable": False}
TABLES = ("award_reviews", "award_objections", "award_evidence_numbers")


def upgrade() -> None:
    _may_be("state", NEW_STATES)
    _may_be("reason", NEW_REASONS)
    zero = sa.text("0")
    for column in (
        sa.Column("title", sa.String(length=200), nullable=False, server_default=""),
        sa.Column("reviews_needed", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("notice_days", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("open_objections", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("proposal_id", sa.Uuid(), nullable=True),
        sa.Column("release_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("awards", column)
    op.execute(
        "UPDATE awards a SET title = t.reason FROM ledger_transfers t"
        " WHERE t.id = a.id AND a.title = ''"
    )
    # What waited before waited for one reviewer.
    op.execute("UPDATE awards SET reviews_needed = 1 WHERE state = 'pending'")
    for column in ("title", "reviews_needed", "notice_days"):
        op.alter_column("awards", column, server_default=None)
    op.create_check_constraint(op.f("ck_awards_open_objections"), "awards", "open_objections >= 0")
    op.create_index("ix_awards_person", "awards", ["person_id", "id"])
    op.create_index("ix_awards_org_state", "awards", ["org_id", "state", "id"])
    op.create_index(
        "ix_awards_release",
        "awards",
        ["release_at", "id"],
        postgresql_where=sa.text("state IN ('pending', 'notice') AND release_at IS NOT NULL"),
    )
    op.create_index(
        "ix_awards_unpaid",
        "awards",
        ["org_id", "unit_id", "awarded_at", "id"],
        postgresql_where=sa.text("state = 'pending_budget'"),
    )
    _create_tables()
    op.execute(
        "INSERT INTO award_reviews (award_id, reviewer_id, approved)"
        " SELECT id, approved_by, true FROM awards WHERE approved_by IS NOT NULL"
    )
    op.drop_column("awards", "approved_by")
    for table in TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO qx_app")


def _create_tables() -> None:
    op.create_table(
        "award_reviews",
        sa.Column("award_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), **CREATED_AT),
        sa.ForeignKeyConstraint(
            ["award_id"], ["awards.id"], name=op.f("fk_award_reviews_award_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["people.id"], name=op.f("fk_award_reviews_reviewer_id")
        ),
        sa.PrimaryKeyConstraint("award_id", "reviewer_id", name=op.f("pk_award_reviews")),
    )
    op.create_table(
        "award_objections",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("award_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), **CREATED_AT),
        sa.Column("upheld", sa.Boolean(), nullable=True),
        sa.Column("decision", sa.String(length=500), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(upheld, decision, decided_by, decided_at) IN (0, 4)",
            name=op.f("ck_award_objections_decision"),
        ),
        sa.ForeignKeyConstraint(
            ["award_id"], ["awards.id"], name=op.f("fk_award_objections_award_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_award_objections_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["people.id"], name=op.f("fk_award_objections_decided_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award_objections")),
        sa.UniqueConstraint(
            "award_id", "person_id", name=op.f("uq_award_objections_award_id_person_id")
        ),
    )
    op.create_table(
        "award_evidence_numbers",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("rule_key", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=500), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), **CREATED_AT),
        sa.PrimaryKeyConstraint(
            "unit_id", "rule_key", "field", "number", name=op.f("pk_award_evidence_numbers")
        ),
    )


def _may_be(column: str, condition: str) -> None:
    name = op.f(f"ck_awards_{column}")
    op.drop_constraint(name, "awards", type_="check")
    op.create_check_constraint(name, "awards", condition)


def downgrade() -> None:
    """Refused by the constraint while an award is in one of the new states."""
    _may_be("state", STATES)
    _may_be("reason", REASONS)
    op.add_column("awards", sa.Column("approved_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_awards_approved_by"), "awards", "people", ["approved_by"], ["id"]
    )
    op.execute(
        "UPDATE awards a SET approved_by = r.reviewer_id FROM award_reviews r"
        " WHERE r.award_id = a.id AND r.approved"
    )
    for table in TABLES:
        op.drop_table(table)
    for name in ("unpaid", "release", "org_state", "person"):
        op.drop_index(f"ix_awards_{name}", table_name="awards")
    op.drop_constraint(op.f("ck_awards_open_objections"), "awards", type_="check")
    for column in (
        *("title", "reviews_needed", "notice_days", "open_objections"),
        *("proposal_id", "release_at"),
    ):
        op.drop_column("awards", column)
