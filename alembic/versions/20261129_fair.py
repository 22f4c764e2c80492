"""Cuts and parts of awards, organizers of activities, reversals of receipts, quotas.

Revision ID: 20261129_fair
Revises: 20261129_secret_checks
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_fair"
down_revision = "20261129_clock"
branch_labels = None
depends_on = None

REVERSAL = ("reversal_proposed_by", "reversal_reason", "reversal_confirmed_by")


def upgrade() -> None:
    _awards()
    _receipts()
    op.create_table(
        "activity_organizers",
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["activities.id"],
            name=op.f("fk_activity_organizers_activity_id"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_activity_organizers_person_id")
        ),
        sa.PrimaryKeyConstraint("activity_id", "person_id", name=op.f("pk_activity_organizers")),
    )
    op.create_table(
        "quotas",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('proposals', 'objections', 'deductions_made', 'deductions_of')",
            name=op.f("ck_quotas_kind"),
        ),
        sa.CheckConstraint("used > 0", name=op.f("ck_quotas_used")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_quotas_person_id")),
        sa.PrimaryKeyConstraint("person_id", "kind", name=op.f("pk_quotas")),
    )
    op.execute("GRANT SELECT, INSERT ON activity_organizers TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON quotas TO qx_app")


def _awards() -> None:
    for name in ("points_cut", "points_reversed"):
        column = sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
        op.add_column("awards", column)
    op.add_column(
        "awards",
        sa.Column("hours_at_once", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    # Of awards that wait, only these have posted their minutes: by attendance, without a budget.
    op.execute("""
        UPDATE awards SET hours_at_once = true
        WHERE state = 'pending_budget' AND reviews_needed = 0 AND release_at IS NULL AND minutes > 0
    """)
    op.drop_constraint("ck_awards_points", "awards")
    op.create_check_constraint(
        op.f("ck_awards_points"),
        "awards",
        "least(points, points_cut, points_reversed) >= 0"
        " AND points + points_cut + points_reversed <= points_before_caps",
    )


def _receipts() -> None:
    state = sa.Column("state", sa.String(length=20), server_default="standing", nullable=False)
    op.add_column("fund_receipts", state)
    proposed_by, reason, confirmed_by = REVERSAL
    for name, of in ((proposed_by, sa.Uuid()), (reason, sa.String(100)), (confirmed_by, sa.Uuid())):
        op.add_column("fund_receipts", sa.Column(name, of, nullable=True))
    for name in (proposed_by, confirmed_by):
        op.create_foreign_key(
            op.f(f"fk_fund_receipts_{name}"), "fund_receipts", "people", [name], ["id"]
        )
    checks = {
        "state": "state IN ('standing', 'reversal_proposed', 'reversed')",
        "reversal": "num_nonnulls(reversal_proposed_by, reversal_reason)"
        " = CASE state WHEN 'standing' THEN 0 ELSE 2 END",
        "reversal_confirmed_by": "(state = 'reversed') = (reversal_confirmed_by IS NOT NULL)"
        " AND reversal_confirmed_by <> reversal_proposed_by",
    }
    for name, check in checks.items():
        op.create_check_constraint(op.f(f"ck_fund_receipts_{name}"), "fund_receipts", check)
    op.execute(f"GRANT UPDATE (state, {', '.join(REVERSAL)}) ON fund_receipts TO qx_app")


def downgrade() -> None:
    op.drop_table("quotas")
    op.drop_table("activity_organizers")
    op.execute(f"REVOKE UPDATE (state, {', '.join(REVERSAL)}) ON fund_receipts FROM qx_app")
    for name in ("state", *REVERSAL):
        op.drop_column("fund_receipts", name)
    op.drop_constraint("ck_awards_points", "awards")
    for name in ("points_cut", "points_reversed", "hours_at_once"):
        op.drop_column("awards", name)
    op.create_check_constraint(
        op.f("ck_awards_points"), "awards", "points >= 0 AND points <= points_before_caps"
    )
