"""Redemption days: items, slots, counters, substitutions, absences, and their orders.

Revision ID: 20261130_redemption_days
Revises: 20261130_reasons_erased
"""

import sqlalchemy as sa

from alembic import op

revision = "20261130_redemption_days"
down_revision = "20261130_charges"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "redemption_days",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("walk_ins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("limit_per_person", sa.Integer(), nullable=True),
        sa.Column("offline_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=20), server_default="draft", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_redemption_days_closed")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'closed')", name=op.f("ck_redemption_days_state")
        ),
        sa.CheckConstraint("limit_per_person > 0", name=op.f("ck_redemption_days_limit")),
        sa.CheckConstraint("offline_until >= ends_at", name=op.f("ck_redemption_days_offline")),
        sa.CheckConstraint(
            "opens_at < closes_at AND closes_at <= walk_ins_at"
            " AND starts_at < walk_ins_at AND walk_ins_at <= ends_at",
            name=op.f("ck_redemption_days_times"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_redemption_days_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_redemption_days_merchant_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_redemption_days_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_days")),
    )
    op.create_index(
        "ix_redemption_days_org", "redemption_days", ["org_id", "starts_at"], unique=False
    )
    op.create_index("ix_redemption_days_state", "redemption_days", ["state", "id"], unique=False)
    op.create_index(
        "ix_redemption_days_unsettled",
        "redemption_days",
        ["ends_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NULL AND state <> 'draft'"),
    )
    op.create_table(
        "redemption_day_absences",
        sa.Column("day_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("skips_next", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["day_id"], ["redemption_days.id"], name=op.f("fk_redemption_day_absences_day_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_redemption_day_absences_person_id")
        ),
        sa.PrimaryKeyConstraint("day_id", "person_id", name=op.f("pk_redemption_day_absences")),
    )
    op.create_index(
        "ix_redemption_day_absences_person", "redemption_day_absences", ["person_id"], unique=False
    )
    op.create_table(
        "redemption_day_counters",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("day_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["day_id"],
            ["redemption_days.id"],
            name=op.f("fk_redemption_day_counters_day_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_day_counters")),
        sa.UniqueConstraint("day_id", "name", name=op.f("uq_redemption_day_counters_day_id_name")),
    )
    op.create_table(
        "redemption_day_items",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("day_id", sa.Uuid(), nullable=False),
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("shelf", sa.String(length=20), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("limit_per_person", sa.Integer(), nullable=True),
        sa.Column("counted", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "points > 0 AND stock >= 0 AND remaining >= 0 AND limit_per_person > 0",
            name=op.f("ck_redemption_day_items_numbers"),
        ),
        sa.ForeignKeyConstraint(
            ["day_id"],
            ["redemption_days.id"],
            name=op.f("fk_redemption_day_items_day_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["reward_id"], ["rewards.id"], name=op.f("fk_redemption_day_items_reward_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_day_items")),
        sa.UniqueConstraint(
            "day_id", "reward_id", name=op.f("uq_redemption_day_items_day_id_reward_id")
        ),
    )
    op.create_table(
        "redemption_day_slots",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("day_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_redemption_day_slots_times")),
        sa.CheckConstraint(
            "taken BETWEEN 0 AND capacity", name=op.f("ck_redemption_day_slots_taken")
        ),
        sa.ForeignKeyConstraint(
            ["day_id"],
            ["redemption_days.id"],
            name=op.f("fk_redemption_day_slots_day_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_day_slots")),
    )
    op.create_index(
        "ix_redemption_day_slots_day", "redemption_day_slots", ["day_id", "starts_at"], unique=False
    )
    op.create_table(
        "redemption_day_movements",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_redemption_day_movements_quantity")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_redemption_day_movements_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["redemption_day_items.id"],
            name=op.f("fk_redemption_day_movements_item_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["orgs.id"], name=op.f("fk_redemption_day_movements_org_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_day_movements")),
    )
    op.create_index(
        "ix_redemption_day_movements_item", "redemption_day_movements", ["item_id"], unique=False
    )
    op.create_table(
        "redemption_day_stewards",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("day_id", sa.Uuid(), nullable=False),
        sa.Column("counter_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["counter_id"],
            ["redemption_day_counters.id"],
            name=op.f("fk_redemption_day_stewards_counter_id"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_redemption_day_stewards_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["day_id"], ["redemption_days.id"], name=op.f("fk_redemption_day_stewards_day_id")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["orgs.id"], name=op.f("fk_redemption_day_stewards_org_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_redemption_day_stewards_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_day_stewards")),
        sa.UniqueConstraint(
            "day_id", "person_id", name=op.f("uq_redemption_day_stewards_day_id_person_id")
        ),
    )
    op.create_index(
        op.f("ix_redemption_day_stewards_person_id"),
        "redemption_day_stewards",
        ["person_id"],
        unique=False,
    )
    op.create_table(
        "redemption_substitutions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("day_id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="proposed", nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(state = 'accepted') = (replaced_by IS NOT NULL)",
            name=op.f("ck_redemption_substitutions_accepted"),
        ),
        sa.CheckConstraint(
            "(state = 'proposed') = (decided_at IS NULL)",
            name=op.f("ck_redemption_substitutions_decided"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'accepted', 'declined')",
            name=op.f("ck_redemption_substitutions_state"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_redemption_substitutions_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["day_id"], ["redemption_days.id"], name=op.f("fk_redemption_substitutions_day_id")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["redemption_day_items.id"],
            name=op.f("fk_redemption_substitutions_item_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["orgs.id"], name=op.f("fk_redemption_substitutions_org_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_redemption_substitutions_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["redemption_id"],
            ["redemptions.id"],
            name=op.f("fk_redemption_substitutions_redemption_id"),
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by"],
            ["redemptions.id"],
            name=op.f("fk_redemption_substitutions_replaced_by"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_substitutions")),
        sa.UniqueConstraint("replaced_by", name=op.f("uq_redemption_substitutions_replaced_by")),
    )
    op.create_index(
        "ix_redemption_substitutions_person",
        "redemption_substitutions",
        ["person_id", "day_id"],
        unique=False,
    )
    op.create_index(
        "uq_redemption_substitutions_open",
        "redemption_substitutions",
        ["redemption_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'declined'"),
    )
    op.add_column("redemptions", sa.Column("day_id", sa.Uuid(), nullable=True))
    op.add_column("redemptions", sa.Column("slot_id", sa.Uuid(), nullable=True))
    op.add_column(
        "redemptions",
        sa.Column("is_walk_in", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index(
        "ix_redemptions_day",
        "redemptions",
        ["day_id", "person_id"],
        unique=False,
        postgresql_where=sa.text("day_id IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_redemptions_day_id"), "redemptions", "redemption_days", ["day_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_redemptions_slot_id"), "redemptions", "redemption_day_slots", ["slot_id"], ["id"]
    )
    _offline_handovers()
    op.create_check_constraint(
        op.f("ck_redemptions_day"),
        "redemptions",
        "day_id IS NOT NULL OR (slot_id IS NULL AND NOT is_walk_in)",
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (merchant_id, title, place, opens_at, closes_at, starts_at,"
        " walk_ins_at, ends_at, limit_per_person, offline_until, state, version, reminded_at, settled_at,"
        " closed_at) ON redemption_days TO qx_app"
    )
    op.execute(
        "GRANT SELECT, INSERT, DELETE, UPDATE (points, remaining, counted)"
        " ON redemption_day_items TO qx_app"
    )
    op.execute("GRANT SELECT, INSERT, DELETE, UPDATE (taken) ON redemption_day_slots TO qx_app")
    op.execute(
        "GRANT SELECT, INSERT, DELETE ON redemption_day_counters, redemption_day_stewards TO qx_app"
    )
    op.execute(
        "GRANT SELECT, INSERT ON redemption_day_movements, redemption_day_absences TO qx_app"
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (state, decided_at, replaced_by)"
        " ON redemption_substitutions TO qx_app"
    )


def _offline_handovers() -> None:
    op.create_table(
        "offline_handovers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("day_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'counted') = (reason IS NULL)", name=op.f("ck_offline_handovers_counted")
        ),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_offline_handovers_digest")),
        sa.CheckConstraint(
            "outcome IN ('counted', 'duplicate', 'conflict', 'refused')",
            name=op.f("ck_offline_handovers_outcome"),
        ),
        sa.CheckConstraint(
            "reason IN ('malformed', 'unknown_device', 'bad_signature', 'revoked', 'clock_skewed',"
            " 'ahead', 'too_old', 'sequence_jumps', 'other_day', 'collected_before',"
            " 'sequence_reused', 'ended_before', 'order_unknown', 'own_order', 'outside_window',"
            " 'card_suspended')",
            name=op.f("ck_offline_handovers_reason"),
        ),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_offline_handovers_sequence")),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_offline_handovers_{column}")
            )
            for column, table in (
                ("day_id", "redemption_days"),
                ("device_id", "devices"),
                ("redemption_id", "redemptions"),
                ("uploaded_by", "people"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offline_handovers")),
        sa.UniqueConstraint(
            "device_id",
            "sequence",
            "digest",
            name=op.f("uq_offline_handovers_device_id_sequence_digest"),
        ),
    )
    op.create_index("ix_offline_handovers_day", "offline_handovers", ["day_id", "id"])
    op.create_index(
        "uq_offline_handovers_order",
        "offline_handovers",
        ["redemption_id"],
        unique=True,
        postgresql_where=sa.text("outcome = 'counted'"),
    )
    op.create_index(
        "uq_offline_handovers_sequence",
        "offline_handovers",
        ["device_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("reason IS DISTINCT FROM 'sequence_reused'"),
    )
    op.execute("GRANT SELECT, INSERT ON offline_handovers TO qx_app")


def downgrade() -> None:
    op.drop_table("offline_handovers")
    op.drop_constraint(op.f("ck_redemptions_day"), "redemptions", type_="check")
    op.drop_constraint(op.f("fk_redemptions_slot_id"), "redemptions", type_="foreignkey")
    op.drop_constraint(op.f("fk_redemptions_day_id"), "redemptions", type_="foreignkey")
    op.drop_index(
        "ix_redemptions_day",
        table_name="redemptions",
        postgresql_where=sa.text("day_id IS NOT NULL"),
    )
    op.drop_column("redemptions", "is_walk_in")
    op.drop_column("redemptions", "slot_id")
    op.drop_column("redemptions", "day_id")
    op.drop_index(
        "uq_redemption_substitutions_open",
        table_name="redemption_substitutions",
        postgresql_where=sa.text("state <> 'declined'"),
    )
    op.drop_index("ix_redemption_substitutions_person", table_name="redemption_substitutions")
    op.drop_table("redemption_substitutions")
    op.drop_index(
        op.f("ix_redemption_day_stewards_person_id"), table_name="redemption_day_stewards"
    )
    op.drop_table("redemption_day_stewards")
    op.drop_index("ix_redemption_day_movements_item", table_name="redemption_day_movements")
    op.drop_table("redemption_day_movements")
    op.drop_index("ix_redemption_day_slots_day", table_name="redemption_day_slots")
    op.drop_table("redemption_day_slots")
    op.drop_table("redemption_day_items")
    op.drop_table("redemption_day_counters")
    op.drop_index("ix_redemption_day_absences_person", table_name="redemption_day_absences")
    op.drop_table("redemption_day_absences")
    op.drop_index(
        "ix_redemption_days_unsettled",
        table_name="redemption_days",
        postgresql_where=sa.text("settled_at IS NULL AND state <> 'draft'"),
    )
    op.drop_index("ix_redemption_days_state", table_name="redemption_days")
    op.drop_index("ix_redemption_days_org", table_name="redemption_days")
    op.drop_table("redemption_days")
