"""Verifications of the ledger over the API.

Revision ID: 20261130_verifications
Revises: 20261129_search
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_verifications"
down_revision = "20261130_totals"
branch_labels = None
depends_on = None

STATES = "'waiting', 'running', 'ok', 'findings', 'interrupted', 'failed'"


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _named(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "verifications",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("state", sa.String(length=20), nullable=False),
        *(_moment(name) for name in ("started_at", "beat_at", "ended_at")),
        sa.Column("step", sa.String(length=200), nullable=True),
        *(_number(name) for name in ("steps_done", "steps_total", "checks")),
        *(_named(name) for name in ("rows_read", "findings")),
        sa.Column("sealed_to", sa.Date(), nullable=True),
        sa.Column("head", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_verifications_state")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state IN ('waiting', 'running'))"
            " AND (state <> 'waiting') >= (started_at IS NOT NULL)",
            name=op.f("ck_verifications_times"),
        ),
        sa.CheckConstraint(
            "(state = 'findings') = (findings <> '{}')", name=op.f("ck_verifications_findings")
        ),
        sa.CheckConstraint(
            "(state IN ('ok', 'findings')) <= (checks > 0)", name=op.f("ck_verifications_checks")
        ),
        sa.CheckConstraint(
            "num_nonnulls(sealed_to, head) IN (0, 2)", name=op.f("ck_verifications_head")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_verifications_created_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
    )
    op.create_index(
        "uq_verifications_active",
        "verifications",
        [sa.text("(true)")],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON verifications TO qx_app")
    op.execute(
        "GRANT UPDATE (state, started_at, beat_at, ended_at, step, steps_done, steps_total,"
        " checks, rows_read, findings, sealed_to, head) ON verifications TO qx_app"
    )


def downgrade() -> None:
    op.drop_index("uq_verifications_active", table_name="verifications")
    op.drop_table("verifications")
