"""Rewards and merchants over the API, shops, movements of stock, undone collections, part refunds.

Revision ID: 20261129_counter
Revises: 20261129_administration
"""

import sqlalchemy as sa

from alembic import op

revision = "20261129_counter"
down_revision = "20261129_administration"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
REWARD = {
    "offered_from": TIME,
    "offered_until": TIME,
    "terms": sa.String(1000),
    "pickup_place": sa.String(100),
    "pickup_hours": sa.String(100),
}
MERCHANT = {
    "applied_by": sa.Uuid(),
    "description": sa.String(1000),
    "phone": sa.String(20),
    "hours": sa.String(100),
}
UNDONE = {
    "undone_at": TIME,
    "undone_by": sa.Uuid(),
    "undo_reason": sa.String(100),
    "replaces_id": sa.Uuid(),
}
ADDED = ("charge_refunds", "staff_codes", "shops", "merchant_visits", "stock_movements")


def upgrade() -> None:
    _rewards()
    _merchants()
    _redemptions()
    _record(
        "stock_movements",
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("period_start", TIME, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_stock_movements_quantity")),
        _key("stock_movements", "reward_id", "rewards"),
    )
    op.create_index("ix_stock_movements_reward", "stock_movements", ["reward_id", "id"])
    _record(
        "merchant_visits",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.Column("note", sa.String(1000), nullable=False),
        _key("merchant_visits", "merchant_id", "merchants"),
    )
    op.create_index("ix_merchant_visits_merchant", "merchant_visits", ["merchant_id", "id"])
    _record(
        "staff_codes",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(12), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        _key("staff_codes", "merchant_id", "merchants"),
        sa.UniqueConstraint("code", name=op.f("uq_staff_codes_code")),
    )
    _shops()
    _refunds()
    for table in ("stock_movements", "merchant_visits", "charge_refunds"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO qx_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON staff_codes, shops TO qx_app")


def _rewards() -> None:
    state = sa.Column("state", sa.String(20), server_default="published", nullable=False)
    op.add_column("rewards", state)
    op.alter_column("rewards", "state", server_default="draft")
    version = sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)
    op.add_column("rewards", version)
    for name, kind in REWARD.items():
        op.add_column("rewards", sa.Column(name, kind, nullable=True))
    checks = {
        "state": "state IN ('draft', 'published', 'withdrawn')",
        "offered": "offered_from < offered_until",
    }
    for name, check in checks.items():
        op.create_check_constraint(op.f(f"ck_rewards_{name}"), "rewards", check)
    op.add_column("reward_stocks", sa.Column("opened_with", sa.Integer(), nullable=True))
    # No operation changed a stock before.
    op.execute("""
        UPDATE reward_stocks s SET opened_with = coalesce(r.stock, s.remaining)
        FROM rewards r WHERE r.id = s.reward_id
    """)
    op.alter_column("reward_stocks", "opened_with", nullable=False)


def _merchants() -> None:
    state = sa.Column("state", sa.String(20), server_default="active", nullable=False)
    op.add_column("merchants", state)
    op.alter_column("merchants", "state", server_default="applied")
    version = sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)
    op.add_column("merchants", version)
    for name, kind in MERCHANT.items():
        op.add_column("merchants", sa.Column(name, kind, nullable=True))
    op.create_foreign_key(
        op.f("fk_merchants_applied_by"), "merchants", "people", ["applied_by"], ["id"]
    )
    check = "state IN ('applied', 'active', 'suspended', 'declined')"
    op.create_check_constraint(op.f("ck_merchants_state"), "merchants", check)


def _redemptions() -> None:
    for name, kind in UNDONE.items():
        op.add_column("redemptions", sa.Column(name, kind, nullable=True))
    for name, table in (("undone_by", "people"), ("replaces_id", "redemptions")):
        op.create_foreign_key(op.f(f"fk_redemptions_{name}"), "redemptions", table, [name], ["id"])
    op.create_unique_constraint(op.f("uq_redemptions_replaces_id"), "redemptions", ["replaces_id"])
    op.create_check_constraint(
        op.f("ck_redemptions_undone"),
        "redemptions",
        "num_nonnulls(undone_at, undone_by, undo_reason) IN (0, 3)"
        " AND (undone_at IS NULL OR status = 'collected')",
    )
    op.create_index(
        "ix_redemptions_undone",
        "redemptions",
        ["merchant_id", "undone_at"],
        postgresql_where=sa.text("undone_at IS NOT NULL"),
    )


def _shops() -> None:
    _record(
        "shops",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("hours", sa.String(100), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_shops_state")),
        sa.CheckConstraint(
            "num_nonnulls(latitude, longitude) <> 1", name=op.f("ck_shops_position")
        ),
        _key("shops", "merchant_id", "merchants"),
    )
    op.create_index("ix_shops_merchant", "shops", ["merchant_id", "id"])
    op.create_index("ix_shops_org", "shops", ["org_id", "id"])


def _refunds() -> None:
    op.create_table(
        "charge_refunds",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_charge_refunds_points")),
        _key("charge_refunds", "charge_id", "charges"),
        _key("charge_refunds", "merchant_id", "merchants"),
        _key("charge_refunds", "person_id", "people"),
        _key("charge_refunds", "created_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_refunds")),
    )
    op.create_index(op.f("ix_charge_refunds_charge_id"), "charge_refunds", ["charge_id"])
    op.create_index(
        "ix_charge_refunds_merchant_time", "charge_refunds", ["merchant_id", "created_at"]
    )


def _record(table: str, *parts: sa.schema.SchemaItem) -> None:
    """Create a table with the columns of every record."""
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        *parts,
        _key(table, "org_id", "orgs"),
        _key(table, "created_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )


def _key(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def downgrade() -> None:
    for table in ADDED:
        op.drop_table(table)
    op.drop_index("ix_redemptions_undone", "redemptions")
    op.drop_constraint("ck_redemptions_undone", "redemptions")
    for name in UNDONE:
        op.drop_column("redemptions", name)
    for name in ("state", "version", *MERCHANT):
        op.drop_column("merchants", name)
    op.drop_column("reward_stocks", "opened_with")
    for name in ("state", "version", *REWARD):
        op.drop_column("rewards", name)
