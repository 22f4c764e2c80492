"""Children.

Revision ID: 20261130_children
Revises: 20261130_corrections
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_children"
down_revision = "20261130_posters"
branch_labels = None
depends_on = None

CAUSES = ("asked", "consent_withdrawn", "wechat_revoked", "wechat_cancelled")


def _set_causes(*more: str) -> None:
    listed = ", ".join(f"'{one}'" for one in (*CAUSES, *more))
    op.drop_constraint(op.f("ck_closures_cause"), "closures", type_="check")
    op.create_check_constraint(op.f("ck_closures_cause"), "closures", f"cause IN ({listed})")


def upgrade() -> None:
    op.create_table(
        "children",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("guardian_id", sa.Uuid(), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("may_leave_alone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("guardian_id <> person_id", name=op.f("ck_children_guardian")),
        sa.ForeignKeyConstraint(
            ["guardian_id"], ["people.id"], name=op.f("fk_children_guardian_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_children_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_children")),
    )
    op.create_index(op.f("ix_children_guardian_id"), "children", ["guardian_id"], unique=False)
    op.create_table(
        "pickups",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("named_sealed", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["children.person_id"],
            name=op.f("fk_pickups_child_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_pickups_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pickups")),
    )
    op.create_index("ix_pickups_child", "pickups", ["child_id"], unique=False)
    op.create_index(
        "ix_pickups_person",
        "pickups",
        ["person_id"],
        unique=False,
        postgresql_where=sa.text("person_id IS NOT NULL"),
    )
    op.create_table(
        "handover_codes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("pickup_id", sa.Uuid(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("session", sa.Integer(), nullable=False),
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_handover_codes_activity_id")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["children.person_id"],
            name=op.f("fk_handover_codes_child_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pickup_id"],
            ["pickups.id"],
            name=op.f("fk_handover_codes_pickup_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover_codes")),
        sa.UniqueConstraint(
            "pickup_id",
            "activity_id",
            "session",
            name=op.f("uq_handover_codes_pickup_id_activity_id_session"),
        ),
    )
    op.create_index(
        op.f("ix_handover_codes_child_id"), "handover_codes", ["child_id"], unique=False
    )
    op.create_table(
        "handovers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("session", sa.Integer(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("proof", sa.String(length=20), nullable=False),
        sa.Column("fetched_by", sa.Uuid(), nullable=True),
        sa.Column("fetcher_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("handed_over_by", sa.Uuid(), nullable=False),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(fetched_by IS NOT NULL) = (proof IN ('guardian_card', 'pickup_card'))",
            name=op.f("ck_handovers_fetched_by"),
        ),
        sa.CheckConstraint(
            "proof IN ('guardian_card', 'pickup_card', 'handover_code', 'alone')",
            name=op.f("ck_handovers_proof"),
        ),
        sa.CheckConstraint(
            "handed_over_by NOT IN (child_id, fetched_by)", name=op.f("ck_handovers_by_others")
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_handovers_activity_id")
        ),
        sa.ForeignKeyConstraint(
            ["checkin_id"], ["checkins.id"], name=op.f("fk_handovers_checkin_id")
        ),
        sa.ForeignKeyConstraint(["child_id"], ["people.id"], name=op.f("fk_handovers_child_id")),
        sa.ForeignKeyConstraint(
            ["fetched_by"], ["people.id"], name=op.f("fk_handovers_fetched_by")
        ),
        sa.ForeignKeyConstraint(
            ["handed_over_by"], ["people.id"], name=op.f("fk_handovers_handed_over_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handovers")),
        sa.UniqueConstraint("checkin_id", name=op.f("uq_handovers_checkin_id")),
    )
    op.create_index("ix_handovers_activity", "handovers", ["activity_id", "session"], unique=False)
    op.create_index("ix_handovers_child", "handovers", ["child_id", "id"], unique=False)
    op.add_column(
        "activities",
        sa.Column("for_minors", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    _set_causes("guardian")
    op.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON children, pickups, handover_codes TO qx_app"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE (fetcher_sealed) ON handovers TO qx_app")


def downgrade() -> None:
    op.execute("UPDATE closures SET cause = 'asked' WHERE cause = 'guardian'")
    _set_causes()
    op.drop_column("activities", "for_minors")
    op.drop_index("ix_handovers_child", table_name="handovers")
    op.drop_index("ix_handovers_activity", table_name="handovers")
    op.drop_table("handovers")
    op.drop_index(op.f("ix_handover_codes_child_id"), table_name="handover_codes")
    op.drop_table("handover_codes")
    op.drop_index(
        "ix_pickups_person", table_name="pickups", postgresql_where=sa.text("person_id IS NOT NULL")
    )
    op.drop_index("ix_pickups_child", table_name="pickups")
    op.drop_table("pickups")
    op.drop_index(op.f("ix_children_guardian_id"), table_name="children")
    op.drop_table("children")
