"""Closed days, which no transfer enters, and jobs that are held.

Revision ID: 20261129_clock
Revises: 20261129_secret_checks
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_clock"
down_revision = "20261129_secret_checks"
branch_labels = None
depends_on = None

# For each statement, not for each row. A statement inside a trigger sees what is committed when
# it begins: a day that was closed after the transfer's transaction began counts.
REFUSE = """
CREATE FUNCTION refuse_closed_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT min(created_at) FROM posted) < (
        SELECT CAST(max(day) + 1 AS timestamp) AT TIME ZONE 'Asia/Shanghai'
        FROM ledger_closed_days
    ) THEN
        RAISE EXCEPTION 'the day of this transfer is closed' USING ERRCODE = 'QX001';
    END IF;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE TRIGGER refuse_closed_days AFTER INSERT ON ledger_transfers
REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_days()
"""


def upgrade() -> None:
    op.create_table(
        "ledger_closed_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "closed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_ledger_closed_days")),
    )
    op.execute("INSERT INTO ledger_closed_days SELECT day, sealed_at FROM ledger_seals")
    op.create_foreign_key(
        op.f("fk_ledger_seals_day"), "ledger_seals", "ledger_closed_days", ["day"], ["day"]
    )
    op.execute(REFUSE)
    op.execute(TRIGGER)
    # A run that began need not have completed.
    op.alter_column("job_runs", "last_run_at", nullable=True)
    for name in ("begun_at", "held_since"):
        op.add_column("job_runs", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    # A day is closed once and stays closed.
    op.execute("GRANT SELECT, INSERT ON ledger_closed_days TO qx_app")


def downgrade() -> None:
    op.execute("DELETE FROM job_runs WHERE last_run_at IS NULL")
    for name in ("held_since", "begun_at"):
        op.drop_column("job_runs", name)
    op.alter_column("job_runs", "last_run_at", nullable=False)
    op.execute("DROP TRIGGER refuse_closed_days ON ledger_transfers")
    op.execute("DROP FUNCTION refuse_closed_days()")
    op.drop_constraint(op.f("fk_ledger_seals_day"), "ledger_seals", type_="foreignkey")
    op.drop_table("ledger_closed_days")
