"""Corrections.

Revision ID: 20261130_corrections
Revises: 20261130_sessions
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_corrections"
down_revision = "20261130_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("came_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("ended_award_id", sa.Uuid(), nullable=True),
        sa.Column("award_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("came_at <= left_at", name=op.f("ck_corrections_times")),
        sa.CheckConstraint(
            "came_at IS NOT NULL OR award_id IS NULL", name=op.f("ck_corrections_annulled")
        ),
        sa.CheckConstraint(
            "num_nonnulls(came_at, left_at) IN (0, 2)", name=op.f("ck_corrections_presence")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_corrections_number")),
        sa.ForeignKeyConstraint(
            ["award_id"],
            ["awards.id"],
            name=op.f("fk_corrections_award_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["checkin_id"], ["checkins.id"], name=op.f("fk_corrections_checkin_id")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_corrections_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["ended_award_id"], ["awards.id"], name=op.f("fk_corrections_ended_award_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("award_id", name=op.f("uq_corrections_award_id")),
        sa.UniqueConstraint("checkin_id", "number", name=op.f("uq_corrections_checkin_id_number")),
        sa.UniqueConstraint("ended_award_id", name=op.f("uq_corrections_ended_award_id")),
    )
    op.execute("GRANT SELECT, INSERT ON corrections TO qx_app")


def downgrade() -> None:
    op.drop_table("corrections")
