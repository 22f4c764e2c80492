"""Scans.

Revision ID: 20261130_scans
Revises: 20261130_quests
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_scans"
down_revision = "20261130_children"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scans",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("session", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("by_code", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("first_id", sa.Uuid(), nullable=True),
        sa.Column("checkin_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'counted') = (reason IS NULL)", name=op.f("ck_scans_counted")
        ),
        sa.CheckConstraint("action IN ('in', 'out')", name=op.f("ck_scans_action")),
        sa.CheckConstraint(
            "outcome <> 'counted' OR checkin_id IS NOT NULL", name=op.f("ck_scans_checkin")
        ),
        sa.CheckConstraint(
            "outcome IN ('counted', 'duplicate', 'conflict', 'refused')",
            name=op.f("ck_scans_outcome"),
        ),
        sa.CheckConstraint(
            "reason IN ('malformed', 'unknown_device', 'bad_signature', 'revoked', 'clock_skewed', 'ahead', 'too_old', 'sequence_jumps', 'other_activity', 'already_in', 'came_earlier', 'already_out', 'sequence_reused', 'closed_before', 'corrected_before', 'no_session', 'code_invalid', 'code_elsewhere', 'code_expired', 'digits_wrong', 'card_unknown', 'own_card', 'not_open', 'outside_window', 'not_signed_up', 'checkout_not_asked', 'not_checked_in')",
            name=op.f("ck_scans_reason"),
        ),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_scans_digest")),
        sa.CheckConstraint("sequence > 0 AND session >= 0", name=op.f("ck_scans_numbers")),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_scans_activity_id")
        ),
        sa.ForeignKeyConstraint(["checkin_id"], ["checkins.id"], name=op.f("fk_scans_checkin_id")),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_scans_device_id")),
        sa.ForeignKeyConstraint(["first_id"], ["scans.id"], name=op.f("fk_scans_first_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_scans_person_id")),
        sa.ForeignKeyConstraint(["uploaded_by"], ["people.id"], name=op.f("fk_scans_uploaded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
        sa.UniqueConstraint(
            "device_id", "sequence", "digest", name=op.f("uq_scans_device_id_sequence_digest")
        ),
    )
    op.create_index("ix_scans_activity", "scans", ["activity_id", "id"], unique=False)
    op.create_index("ix_scans_checkin", "scans", ["checkin_id"], unique=False)
    op.create_index("ix_scans_person", "scans", ["person_id", "id"], unique=False)
    op.create_index(
        "uq_scans_sequence",
        "scans",
        ["device_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("reason IS DISTINCT FROM 'sequence_reused'"),
    )
    op.execute("GRANT SELECT, INSERT ON scans TO qx_app")
    # Of a check-out that arrived before its check-in.
    op.execute("GRANT UPDATE (outcome, reason, first_id, checkin_id) ON scans TO qx_app")


def downgrade() -> None:
    op.drop_index(
        "uq_scans_sequence",
        table_name="scans",
        postgresql_where=sa.text("reason IS DISTINCT FROM 'sequence_reused'"),
    )
    op.drop_index("ix_scans_person", table_name="scans")
    op.drop_index("ix_scans_checkin", table_name="scans")
    op.drop_index("ix_scans_activity", table_name="scans")
    op.drop_table("scans")
