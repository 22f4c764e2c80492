"""Cases: appeals against deductions and objections to awards in one workflow.

What was appealed and objected before is carried over, with its dates, authors and decisions.

Revision ID: 20261129_cases
Revises: 20261129_holds
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_cases"
down_revision = "20261129_holds"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
WORDS = {
    "kind": "'appeal', 'objection'",
    "state": "'received', 'returned', 'accepted', 'answered', 'refused', 'closed', 'withdrawn'",
    "outcome": "'adopted', 'dismissed'",
    "satisfaction": "'satisfied', 'fairly', 'unsatisfied'",
    "step": "'opened', 'accepted', 'returned', 'refused', 'completed', 'assigned', 'answered',"
    " 'rated', 'withdrawn', 'lapsed'",
}
OPEN = sa.text("state IN ('received', 'returned', 'accepted', 'answered')")

# An objection to an award that has ended is one that nobody could decide any more.
OBJECTIONS = """
INSERT INTO cases (id, kind, subject_type, subject_id, org_id, created_by, created_at, reason,
    state, handler_id, outcome, answer, answered_at, round, last_number)
SELECT b.id, 'objection', 'award', b.award_id, a.org_id, b.person_id, b.created_at, b.reason,
       CASE WHEN b.decided_at IS NOT NULL THEN 'closed'
            WHEN a.state = 'notice' THEN 'received' ELSE 'withdrawn' END,
       b.decided_by, CASE WHEN b.upheld THEN 'adopted' WHEN NOT b.upheld THEN 'dismissed' END,
       b.decision, b.decided_at, 0,
       CASE WHEN b.decided_at IS NOT NULL THEN 3 WHEN a.state = 'notice' THEN 1 ELSE 2 END
FROM award_objections b JOIN awards a ON a.id = b.award_id
"""
# Its id sorts by the moment of the appeal, as if it had been made then.
APPEALS = """
INSERT INTO cases (id, kind, subject_type, subject_id, org_id, created_by, created_at, reason,
    state, handler_id, outcome, answer, answered_at, round, last_number)
SELECT uuidv7(appealed_at - clock_timestamp()), 'appeal', 'deduction', id, org_id, person_id,
       appealed_at, appeal, CASE WHEN decided_at IS NULL THEN 'received' ELSE 'closed' END,
       decided_by, CASE state WHEN 'revoked' THEN 'adopted' WHEN 'upheld' THEN 'dismissed' END,
       decision, decided_at, 0, CASE WHEN decided_at IS NULL THEN 1 ELSE 3 END
FROM deductions WHERE appeal IS NOT NULL
"""
ENTRIES = """
INSERT INTO case_entries (case_id, number, step, from_state, to_state, author_id, handler_id, text,
    created_at)
SELECT id, 1, 'opened', NULL, 'received', created_by, NULL, NULL, created_at FROM cases
UNION ALL
SELECT id, 2, 'accepted', 'received', 'accepted', handler_id, handler_id, NULL, answered_at
FROM cases WHERE state = 'closed'
UNION ALL
SELECT id, 3, 'answered', 'accepted', 'closed', handler_id, handler_id, answer, answered_at
FROM cases WHERE state = 'closed'
UNION ALL
SELECT id, 2, 'lapsed', 'received', 'withdrawn', NULL, NULL, NULL, now()
FROM cases WHERE state = 'withdrawn'
"""
# The next step of an open case is due three days after the end of the day of the migration.
DUE = """
UPDATE cases SET due_at =
    (date_trunc('day', now() AT TIME ZONE 'Asia/Shanghai') + INTERVAL '4 days')
    AT TIME ZONE 'Asia/Shanghai'
WHERE state = 'received'
"""
LAPSED = """
UPDATE awards SET open_objections = 0 WHERE state <> 'notice' AND open_objections > 0
"""

FUNCTION = """
CREATE FUNCTION demand_case_entry() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.last_number <> coalesce(OLD.last_number, 0) + 1 OR NOT EXISTS (
        SELECT FROM case_entries
        WHERE case_id = NEW.id AND number = NEW.last_number
          AND from_state IS NOT DISTINCT FROM OLD.state AND to_state = NEW.state
    ) THEN
        RAISE check_violation USING TABLE = 'cases', CONSTRAINT = 'cases_entry',
            MESSAGE = format('case %s: no entry %s from %s to %s',
                             NEW.id, NEW.last_number, OLD.state, NEW.state);
    END IF;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE CONSTRAINT TRIGGER cases_entry
AFTER INSERT OR UPDATE OF state, last_number, handler_id, org_id ON cases
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION demand_case_entry()
"""

OLD_OBJECTIONS = """
INSERT INTO award_objections (id, award_id, person_id, reason, created_at, upheld, decision,
    decided_by, decided_at)
SELECT id, subject_id, created_by, reason, created_at, outcome = 'adopted', answer,
       CASE WHEN answered_at IS NOT NULL THEN handler_id END, answered_at
FROM cases WHERE kind = 'objection'
"""
OLD_APPEALS = """
UPDATE deductions d
SET appeal = c.reason, appealed_at = c.created_at, decision = c.answer, decided_at = c.answered_at,
    decided_by = CASE WHEN c.answered_at IS NOT NULL THEN c.handler_id END
FROM cases c WHERE c.kind = 'appeal' AND c.subject_id = d.id
"""
# What was not decided counts as open again, of an award that has ended too.
REOPENED = """
UPDATE awards a SET open_objections = b.number
FROM (SELECT award_id, count(*) AS number FROM award_objections
      WHERE decided_at IS NULL GROUP BY 1) b
WHERE b.award_id = a.id AND a.open_objections <> b.number
"""


def upgrade() -> None:
    _create_cases()
    _create_entries()
    for statement in (OBJECTIONS, APPEALS, DUE, ENTRIES, LAPSED, FUNCTION, TRIGGER):
        op.execute(statement)
    op.drop_table("award_objections")
    for column in ("appeal", "appealed_at", "decision", "decided_by", "decided_at"):
        op.drop_column("deductions", column)
    # What a case is about does not change; an entry never does.
    op.execute("GRANT SELECT, INSERT ON cases, case_entries TO qx_app")
    op.execute(
        "GRANT UPDATE (org_id, state, handler_id, due_at, round, outcome, answer, answered_at,"
        " satisfaction, last_number) ON cases TO qx_app"
    )


def _one_of(table: str, column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({WORDS[column]})", name=op.f(f"ck_{table}_{column}"))


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject_type", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=5000), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("handler_id", sa.Uuid(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("answer", sa.String(length=5000), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("satisfaction", sa.String(length=20), nullable=True),
        sa.Column("last_number", sa.Integer(), nullable=False),
        *(_one_of("cases", name) for name in ("kind", "state", "outcome", "satisfaction")),
        sa.CheckConstraint("handler_id <> created_by", name=op.f("ck_cases_handler_id")),
        sa.CheckConstraint(
            "num_nonnulls(outcome, answer, answered_at) IN (0, 3)", name=op.f("ck_cases_answer")
        ),
        sa.CheckConstraint(
            "state NOT IN ('answered', 'closed') OR num_nonnulls(handler_id, answered_at) = 2",
            name=op.f("ck_cases_answered_at"),
        ),
        sa.CheckConstraint("round IN (0, 1)", name=op.f("ck_cases_round")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_cases_org_id")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_cases_created_by")),
        sa.ForeignKeyConstraint(["handler_id"], ["people.id"], name=op.f("fk_cases_handler_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint(
            *("kind", "subject_id", "created_by"), name=op.f("uq_cases_kind_subject_id_created_by")
        ),
    )
    op.create_index("ix_cases_open", "cases", ["created_by", "kind"], postgresql_where=OPEN)


def _create_entries() -> None:
    op.create_table(
        "case_entries",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=True),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("handler_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.String(length=5000), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        _one_of("case_entries", "step"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_case_entries_number")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_entries_case_id")),
        *(
            sa.ForeignKeyConstraint([name], ["people.id"], name=op.f(f"fk_case_entries_{name}"))
            for name in ("author_id", "handler_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "number", name=op.f("pk_case_entries")),
    )


def downgrade() -> None:
    """Entries, ratings and who handles what is not decided are lost."""
    for column in (
        sa.Column("appeal", sa.String(length=500), nullable=True),
        sa.Column("appealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.String(length=500), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("deductions", column)
    op.create_foreign_key(
        op.f("fk_deductions_decided_by"), "deductions", "people", ["decided_by"], ["id"]
    )
    _create_objections()
    for statement in (OLD_OBJECTIONS, OLD_APPEALS, REOPENED):
        op.execute(statement)
    op.create_check_constraint(
        op.f("ck_deductions_decided_by"), "deductions", "decided_by IS DISTINCT FROM created_by"
    )
    op.drop_table("case_entries")
    op.drop_table("cases")
    op.execute("DROP FUNCTION demand_case_entry()")


def _create_objections() -> None:
    op.create_table(
        "award_objections",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("award_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
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
        *(
            sa.ForeignKeyConstraint([name], ["people.id"], name=op.f(f"fk_award_objections_{name}"))
            for name in ("person_id", "decided_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award_objections")),
        sa.UniqueConstraint(
            "award_id", "person_id", name=op.f("uq_award_objections_award_id_person_id")
        ),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON award_objections TO qx_app")
