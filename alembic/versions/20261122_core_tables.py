"""Core tables, the two units, and what the service may do with them.

Generated from the models; the end of ``upgrade`` is by hand.

Revision ID: 20261122_core_tables
Revises:
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op
from app.models.ledger import Xid8

revision = "20261122_core_tables"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "orgs",
    "outbox",
    "people",
    "policies",
    "activities",
    "awards",
    "card_codes",
    "cards",
    "idempotency_keys",
    "merchants",
    "notices",
    "policy_rules",
    "policy_tiers",
    "token_families",
    "charges",
    "checkins",
    "refresh_tokens",
    "rewards",
    "role_grants",
    "signups",
    "redemptions",
    "reward_stocks",
)
LEDGER_TABLES = ("ledger_accounts", "ledger_lot_uses", "ledger_lots", "ledger_transfers")


def upgrade() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("balance", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=True),
        sa.Column("last_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('available', 'pending', 'held', 'fund', 'takings')",
            name=op.f("ck_ledger_accounts_purpose"),
        ),
        sa.CheckConstraint("balance >= floor", name=op.f("ck_ledger_accounts_floor")),
        sa.CheckConstraint("last_number >= 0", name=op.f("ck_ledger_accounts_last_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_accounts")),
        sa.UniqueConstraint(
            "owner_id",
            "purpose",
            "unit_id",
            name=op.f("uq_ledger_accounts_owner_id_purpose_unit_id"),
        ),
    )
    op.create_table(
        "ledger_lot_uses",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_lot_uses_amount")),
        sa.PrimaryKeyConstraint("transfer_id", "lot_id", name=op.f("pk_ledger_lot_uses")),
    )
    op.create_index(op.f("ix_ledger_lot_uses_lot_id"), "ledger_lot_uses", ["lot_id"], unique=False)
    op.create_table(
        "ledger_lots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount > 0 AND remaining BETWEEN 0 AND amount", name=op.f("ck_ledger_lots_remaining")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_lots")),
    )
    op.create_index(
        "ix_ledger_lots_spendable",
        "ledger_lots",
        ["account_id", "expires_at", "id"],
        unique=False,
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_index("ix_ledger_lots_transfer", "ledger_lots", ["transfer_id"], unique=False)
    op.create_table(
        "ledger_transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("from_account_id", sa.BigInteger(), nullable=False),
        sa.Column("to_account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("from_number", sa.BigInteger(), nullable=False),
        sa.Column("to_number", sa.BigInteger(), nullable=False),
        sa.Column("from_balance", sa.BigInteger(), nullable=False),
        sa.Column("to_balance", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=160), nullable=False),
        sa.Column("source_type", sa.String(length=20), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("closes_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("xact", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('award', 'release', 'hold', 'unhold', 'collect', 'charge', 'refund', 'reversal')",
            name=op.f("ck_ledger_transfers_kind"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_ledger_transfers_amount")),
        sa.CheckConstraint(
            "from_account_id <> to_account_id", name=op.f("ck_ledger_transfers_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transfers")),
    )
    op.create_index(
        "ix_ledger_transfers_commit_order", "ledger_transfers", ["xact", "id"], unique=False
    )
    op.create_index(
        "uq_ledger_transfers_closes",
        "ledger_transfers",
        ["closes_id"],
        unique=True,
        postgresql_where=sa.text("closes_id IS NOT NULL"),
    )
    op.create_index(
        "uq_ledger_transfers_from",
        "ledger_transfers",
        ["from_account_id", "from_number"],
        unique=True,
    )
    op.create_index("uq_ledger_transfers_reference", "ledger_transfers", ["reference"], unique=True)
    op.create_index(
        "uq_ledger_transfers_to", "ledger_transfers", ["to_account_id", "to_number"], unique=True
    )
    op.create_table(
        "ledger_units",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_units")),
        sa.UniqueConstraint("code", name=op.f("uq_ledger_units_code")),
    )
    op.create_table(
        "orgs",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.CheckConstraint(
            "level IN ('city', 'district', 'street', 'community')", name=op.f("ck_orgs_level")
        ),
        sa.CheckConstraint(
            "path ^@ '/' AND path LIKE '%/' || code || '/'", name=op.f("ck_orgs_path")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["orgs.id"], name=op.f("fk_orgs_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orgs")),
        sa.UniqueConstraint("code", name=op.f("uq_orgs_code")),
        sa.UniqueConstraint("path", name=op.f("uq_orgs_path")),
    )
    op.create_index(op.f("ix_orgs_level"), "orgs", ["level"], unique=False)
    op.create_index(op.f("ix_orgs_parent_id"), "orgs", ["parent_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("openid_index", sa.LargeBinary(), nullable=False),
        sa.Column("openid_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("display_name", sa.String(length=40), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("shows_name", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("openid_index", name=op.f("uq_people_openid_index")),
    )
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cap_day", sa.Integer(), nullable=False),
        sa.Column("emergency_cap_day", sa.Integer(), nullable=False),
        sa.Column("cap_month", sa.Integer(), nullable=False),
        sa.Column("cap_year", sa.Integer(), nullable=False),
        sa.Column("lot_months", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "0 < cap_day AND cap_day <= emergency_cap_day", name=op.f("ck_policies_cap_day")
        ),
        sa.CheckConstraint(
            "cap_day <= cap_month AND cap_month <= cap_year", name=op.f("ck_policies_cap_order")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policies")),
    )
    op.create_table(
        "activities",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("serial", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=5000), nullable=False),
        sa.Column("category", sa.String(length=30), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signup_opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signup_closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("rule_key", sa.String(length=40), nullable=False),
        sa.Column("location_name", sa.String(length=100), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("radius_m", sa.Integer(), nullable=True),
        sa.Column("signups_confirmed", sa.Integer(), nullable=False),
        sa.Column("signups_waitlisted", sa.Integer(), nullable=False),
        sa.Column("last_queue_number", sa.Integer(), nullable=False),
        sa.Column("checkins", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "category IN ('thought_guidance', 'culture', 'health', 'employment', 'social_life', 'rights_protection', 'safety', 'social_practice', 'volunteer_service', 'property_affairs')",
            name=op.f("ck_activities_category"),
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'published', 'cancelled')", name=op.f("ck_activities_status")
        ),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_activities_capacity")),
        sa.CheckConstraint(
            "signup_opens_at < signup_closes_at", name=op.f("ck_activities_signup_times")
        ),
        sa.CheckConstraint(
            "signups_confirmed BETWEEN 0 AND capacity", name=op.f("ck_activities_seats")
        ),
        sa.CheckConstraint(
            "signups_waitlisted >= 0 AND checkins >= 0", name=op.f("ck_activities_counters")
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_activities_times")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_activities_created_by")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_activities_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
        sa.UniqueConstraint("serial", name=op.f("uq_activities_serial")),
    )
    op.create_index(
        "ix_activities_listing", "activities", ["status", "starts_at", "id"], unique=False
    )
    op.create_index(op.f("ix_activities_org_id"), "activities", ["org_id"], unique=False)
    op.create_index(
        "ix_activities_org_path", "activities", ["org_path", "starts_at", "id"], unique=False
    )
    op.create_table(
        "awards",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("reference", sa.String(length=160), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("rule_key", sa.String(length=40), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("points_before_caps", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("awarded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('full', 'cap_day', 'cap_month', 'cap_year', 'overall_day', 'overall_month', 'overall_year')",
            name=op.f("ck_awards_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'available', 'reversed')", name=op.f("ck_awards_state")
        ),
        sa.CheckConstraint("minutes >= 0", name=op.f("ck_awards_minutes")),
        sa.CheckConstraint(
            "points >= 0 AND points <= points_before_caps", name=op.f("ck_awards_points")
        ),
        sa.ForeignKeyConstraint(["approved_by"], ["people.id"], name=op.f("fk_awards_approved_by")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_awards_org_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_awards_person_id")),
        sa.ForeignKeyConstraint(["proposed_by"], ["people.id"], name=op.f("fk_awards_proposed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_awards")),
        sa.UniqueConstraint("reference", name=op.f("uq_awards_reference")),
    )
    op.create_index("ix_awards_person_time", "awards", ["person_id", "awarded_at"], unique=False)
    op.create_table(
        "card_codes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.String(length=18), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("code ~ '^[0-9]{18}$'", name=op.f("ck_card_codes_digits")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_card_codes_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_codes")),
        sa.UniqueConstraint("code", name=op.f("uq_card_codes_code")),
    )
    op.create_index("ix_card_codes_person", "card_codes", ["person_id", "expires_at"], unique=False)
    op.create_table(
        "cards",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="active", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_cards_status")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_cards_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_cards")),
        sa.UniqueConstraint("serial", name=op.f("uq_cards_serial")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_idempotency_keys_person_id")
        ),
        sa.PrimaryKeyConstraint("person_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "merchants",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('shop', 'fund_counter')", name=op.f("ck_merchants_kind")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_merchants_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merchants")),
    )
    op.create_index(op.f("ix_merchants_org_id"), "merchants", ["org_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("text", sa.String(length=300), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_notices_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("outbox_id", name=op.f("uq_notices_outbox_id")),
    )
    op.create_index("ix_notices_person", "notices", ["person_id", "id"], unique=False)
    op.create_table(
        "policy_rules",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("per", sa.String(length=20), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("cap_day", sa.Integer(), nullable=True),
        sa.Column("cap_month", sa.Integer(), nullable=True),
        sa.Column("cap_year", sa.Integer(), nullable=True),
        sa.Column("evidence", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("notes", sa.String(length=300), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_policy_rules_points")),
        sa.ForeignKeyConstraint(
            ["version"], ["policies.version"], name=op.f("fk_policy_rules_version")
        ),
        sa.PrimaryKeyConstraint("version", "key", name=op.f("pk_policy_rules")),
    )
    op.create_table(
        "policy_tiers",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=20), nullable=False),
        sa.Column("name_zh", sa.String(length=20), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("min_points_12m", sa.Integer(), nullable=False),
        sa.Column("min_hours_12m", sa.Integer(), nullable=False),
        sa.Column("benefits_zh", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["version"], ["policies.version"], name=op.f("fk_policy_tiers_version")
        ),
        sa.PrimaryKeyConstraint("version", "key", name=op.f("pk_policy_tiers")),
    )
    op.create_table(
        "token_families",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_token_families_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_families")),
    )
    op.create_index(
        op.f("ix_token_families_person_id"), "token_families", ["person_id"], unique=False
    )
    op.create_table(
        "charges",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refund_reason", sa.String(length=100), nullable=True),
        sa.CheckConstraint("status IN ('charged', 'refunded')", name=op.f("ck_charges_status")),
        sa.CheckConstraint("points > 0", name=op.f("ck_charges_points")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_charges_merchant_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_charges_person_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["people.id"], name=op.f("fk_charges_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charges")),
    )
    op.create_index(
        "ix_charges_merchant_time", "charges", ["merchant_id", "created_at"], unique=False
    )
    op.create_index("ix_charges_person", "charges", ["person_id"], unique=False)
    op.create_table(
        "checkins",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("session", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("distance_m", sa.Integer(), nullable=True),
        sa.Column("checked_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("award_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("method IN ('rotating_code')", name=op.f("ck_checkins_method")),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_checkins_activity_id")
        ),
        sa.ForeignKeyConstraint(
            ["award_id"],
            ["awards.id"],
            name=op.f("fk_checkins_award_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_checkins_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkins")),
        sa.UniqueConstraint(
            "activity_id",
            "session",
            "person_id",
            name=op.f("uq_checkins_activity_id_session_person_id"),
        ),
        sa.UniqueConstraint("award_id", name=op.f("uq_checkins_award_id")),
    )
    op.create_index("ix_checkins_person", "checkins", ["person_id", "id"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["family_id"], ["token_families.id"], name=op.f("fk_refresh_tokens_family_id")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index(
        op.f("ix_refresh_tokens_family_id"), "refresh_tokens", ["family_id"], unique=False
    )
    op.create_table(
        "rewards",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=True),
        sa.Column("stock_period", sa.String(length=20), nullable=True),
        sa.Column("limit_per_member", sa.Integer(), nullable=True),
        sa.Column("limit_period", sa.String(length=20), nullable=True),
        sa.Column("min_tier", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "kind IN ('goods', 'voucher', 'place', 'donation')", name=op.f("ck_rewards_kind")
        ),
        sa.CheckConstraint(
            "limit_period IN ('session', 'month', 'quarter', 'year')",
            name=op.f("ck_rewards_limit_period"),
        ),
        sa.CheckConstraint(
            "stock_period IN ('session', 'month', 'quarter', 'year')",
            name=op.f("ck_rewards_stock_period"),
        ),
        sa.CheckConstraint(
            "points > 0 AND stock >= 0 AND limit_per_member > 0", name=op.f("ck_rewards_numbers")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_rewards_merchant_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_rewards_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rewards")),
        sa.UniqueConstraint("merchant_id", "key", name=op.f("uq_rewards_merchant_id_key")),
    )
    op.create_index(op.f("ix_rewards_org_id"), "rewards", ["org_id"], unique=False)
    op.create_table(
        "role_grants",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "CASE role WHEN 'merchant_staff' THEN merchant_id IS NOT NULL AND org_id IS NULL ELSE org_id IS NOT NULL AND merchant_id IS NULL END",
            name=op.f("ck_role_grants_place"),
        ),
        sa.CheckConstraint(
            "role IN ('organizer', 'auditor', 'administrator', 'merchant_staff')",
            name=op.f("ck_role_grants_role"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_role_grants_merchant_id")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_role_grants_org_id")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_role_grants_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grants")),
    )
    op.create_index(
        "uq_role_grants_place",
        "role_grants",
        ["person_id", "role", "org_id", "merchant_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "signups",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("queue_number", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'waitlisted') <= (queue_number IS NOT NULL)", name=op.f("ck_signups_queue")
        ),
        sa.CheckConstraint(
            "status IN ('confirmed', 'waitlisted', 'pending', 'cancelled')",
            name=op.f("ck_signups_status"),
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_signups_activity_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_signups_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signups")),
    )
    op.create_index("ix_signups_person", "signups", ["person_id", "id"], unique=False)
    op.create_index(
        "ix_signups_queue",
        "signups",
        ["activity_id", "queue_number"],
        unique=False,
        postgresql_where=sa.text("status = 'waitlisted'"),
    )
    op.create_index(
        "uq_signups_living",
        "signups",
        ["activity_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'cancelled'"),
    )
    op.create_table(
        "redemptions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("pickup_code", sa.String(length=12), nullable=False),
        sa.Column("stock_period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "status IN ('reserved', 'collected', 'cancelled', 'expired')",
            name=op.f("ck_redemptions_status"),
        ),
        sa.CheckConstraint("quantity > 0 AND points > 0", name=op.f("ck_redemptions_numbers")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_redemptions_merchant_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_redemptions_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["reward_id"], ["rewards.id"], name=op.f("fk_redemptions_reward_id")
        ),
        sa.ForeignKeyConstraint(
            ["settled_by"], ["people.id"], name=op.f("fk_redemptions_settled_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemptions")),
        sa.UniqueConstraint("pickup_code", name=op.f("uq_redemptions_pickup_code")),
    )
    op.create_index(
        "ix_redemptions_merchant_time", "redemptions", ["merchant_id", "settled_at"], unique=False
    )
    op.create_index(
        "ix_redemptions_person_reward",
        "redemptions",
        ["person_id", "reward_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_redemptions_status_expiry", "redemptions", ["status", "expires_at"], unique=False
    )
    op.create_table(
        "reward_stocks",
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_reward_stocks_remaining")),
        sa.ForeignKeyConstraint(
            ["reward_id"], ["rewards.id"], name=op.f("fk_reward_stocks_reward_id")
        ),
        sa.PrimaryKeyConstraint("reward_id", "period_start", name=op.f("pk_reward_stocks")),
    )
    op.execute(
        "INSERT INTO ledger_units (id, code, name_zh) VALUES"
        " (1, 'points', '青年积分'), (2, 'minutes', '志愿服务分钟')"
    )
    _grant()


def _grant() -> None:
    """Let the service's role work, but never alter the schema nor rewrite the ledger.

    On ledger rows it may insert, and move on the kept balances: nothing else.
    """
    op.execute("GRANT USAGE ON SCHEMA public TO qx_app")
    op.execute("GRANT SELECT ON alembic_version TO qx_app")
    for table in TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO qx_app")
    for table in LEDGER_TABLES:
        op.execute(f"GRANT SELECT, INSERT ON {table} TO qx_app")
    op.execute("GRANT SELECT ON ledger_units TO qx_app")
    op.execute("GRANT UPDATE (balance, last_number) ON ledger_accounts TO qx_app")
    op.execute("GRANT UPDATE (remaining) ON ledger_lots TO qx_app")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO qx_app")


def downgrade() -> None:
    op.drop_table("reward_stocks")
    op.drop_index("ix_redemptions_status_expiry", table_name="redemptions")
    op.drop_index("ix_redemptions_person_reward", table_name="redemptions")
    op.drop_index("ix_redemptions_merchant_time", table_name="redemptions")
    op.drop_table("redemptions")
    op.drop_index(
        "uq_signups_living", table_name="signups", postgresql_where=sa.text("status <> 'cancelled'")
    )
    op.drop_index(
        "ix_signups_queue", table_name="signups", postgresql_where=sa.text("status = 'waitlisted'")
    )
    op.drop_index("ix_signups_person", table_name="signups")
    op.drop_table("signups")
    op.drop_index(
        "uq_role_grants_place", table_name="role_grants", postgresql_nulls_not_distinct=True
    )
    op.drop_table("role_grants")
    op.drop_index(op.f("ix_rewards_org_id"), table_name="rewards")
    op.drop_table("rewards")
    op.drop_index(op.f("ix_refresh_tokens_family_id"), table_name="refresh_tokens")
    op.drop_table("refresh_tokens")
    op.drop_index("ix_checkins_person", table_name="checkins")
    op.drop_table("checkins")
    op.drop_index("ix_charges_person", table_name="charges")
    op.drop_index("ix_charges_merchant_time", table_name="charges")
    op.drop_table("charges")
    op.drop_index(op.f("ix_token_families_person_id"), table_name="token_families")
    op.drop_table("token_families")
    op.drop_table("policy_tiers")
    op.drop_table("policy_rules")
    op.drop_index("ix_notices_person", table_name="notices")
    op.drop_table("notices")
    op.drop_index(op.f("ix_merchants_org_id"), table_name="merchants")
    op.drop_table("merchants")
    op.drop_table("idempotency_keys")
    op.drop_table("cards")
    op.drop_index("ix_card_codes_person", table_name="card_codes")
    op.drop_table("card_codes")
    op.drop_index("ix_awards_person_time", table_name="awards")
    op.drop_table("awards")
    op.drop_index("ix_activities_org_path", table_name="activities")
    op.drop_index(op.f("ix_activities_org_id"), table_name="activities")
    op.drop_index("ix_activities_listing", table_name="activities")
    op.drop_table("activities")
    op.drop_table("policies")
    op.drop_table("people")
    op.drop_index(
        "ix_outbox_waiting", table_name="outbox", postgresql_where=sa.text("handled_at IS NULL")
    )
    op.drop_table("outbox")
    op.drop_index(op.f("ix_orgs_parent_id"), table_name="orgs")
    op.drop_index(op.f("ix_orgs_level"), table_name="orgs")
    op.drop_table("orgs")
    op.drop_table("ledger_units")
    op.drop_index("uq_ledger_transfers_to", table_name="ledger_transfers")
    op.drop_index("uq_ledger_transfers_reference", table_name="ledger_transfers")
    op.drop_index("uq_ledger_transfers_from", table_name="ledger_transfers")
    op.drop_index(
        "uq_ledger_transfers_closes",
        table_name="ledger_transfers",
        postgresql_where=sa.text("closes_id IS NOT NULL"),
    )
    op.drop_index("ix_ledger_transfers_commit_order", table_name="ledger_transfers")
    op.drop_table("ledger_transfers")
    op.drop_index("ix_ledger_lots_transfer", table_name="ledger_lots")
    op.drop_index(
        "ix_ledger_lots_spendable",
        table_name="ledger_lots",
        postgresql_where=sa.text("remaining > 0"),
    )
    op.drop_table("ledger_lots")
    op.drop_index(op.f("ix_ledger_lot_uses_lot_id"), table_name="ledger_lot_uses")
    op.drop_table("ledger_lot_uses")
    op.drop_table("ledger_accounts")
