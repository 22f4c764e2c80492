"""Webhooks of merchants.

Revision ID: 20261130_webhooks
Revises: 20261130_courtesies
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "20261130_webhooks"
down_revision = "20261130_courtesies"
branch_labels = None
depends_on = None

GRANTS = (
    "GRANT SELECT, INSERT, UPDATE ON webhooks TO qx_app",
    "GRANT SELECT, INSERT, DELETE ON webhook_events TO qx_app",
    "GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO qx_app",
    "GRANT SELECT, INSERT ON webhook_attempts TO qx_app",
    "GRANT SELECT, INSERT, UPDATE (number) ON webhook_positions TO qx_app",
)


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def _time(name: str, default: str | None = None) -> sa.Column[object]:
    server_default = sa.text(default) if default else None
    kind = sa.DateTime(timezone=True)
    return sa.Column(name, kind, server_default=server_default, nullable=default is None)


def _key(table: str, column: str, other: str, ondelete: str | None = None) -> sa.Constraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete=ondelete)


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        _id(),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        _time("created_at", "now()"),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("description", sa.String(length=100), nullable=True),
        sa.Column(
            "types",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("previous_sealed", sa.LargeBinary(), nullable=True),
        _time("previous_until"),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("disabled_by", sa.String(length=20), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _time("failing_since"),
        sa.Column("hangs", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("rests_until"),
        sa.Column("is_slow", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("lease", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("leased_until"),
        sa.CheckConstraint(
            "state IN ('active', 'disabled', 'deleted')", name=op.f("ck_webhooks_state")
        ),
        sa.CheckConstraint(
            "disabled_by IS NULL OR disabled_by IN ('keeper', 'gone', 'failing')",
            name=op.f("ck_webhooks_disabled_by"),
        ),
        sa.CheckConstraint(
            "(state = 'disabled') = (disabled_by IS NOT NULL)", name=op.f("ck_webhooks_disabled")
        ),
        sa.CheckConstraint(
            "(previous_sealed IS NULL) = (previous_until IS NULL)",
            name=op.f("ck_webhooks_previous_secret"),
        ),
        _key("webhooks", "created_by", "people"),
        _key("webhooks", "merchant_id", "merchants"),
        _key("webhooks", "org_id", "orgs"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(
        "uq_webhooks_url",
        "webhooks",
        ["merchant_id", "url"],
        unique=True,
        postgresql_where=sa.text("state <> 'deleted'"),
    )
    op.create_index("ix_webhooks_org", "webhooks", ["org_id", "id"])


def _events() -> None:
    op.create_table(
        "webhook_events",
        _id(),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _time("created_at", "now()"),
        sa.CheckConstraint(
            "type IN ('charge.made', 'charge.confirmed', 'charge.released', 'charge.refunded',"
            " 'charge.disputed', 'charge.dispute_decided', 'order.collected', 'order.undone',"
            " 'settlement.closed', 'settlement.paid')",
            name=op.f("ck_webhook_events_type"),
        ),
        _key("webhook_events", "merchant_id", "merchants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
    )
    op.create_index("ix_webhook_events_merchant", "webhook_events", ["merchant_id", "occurred_at"])
    op.create_index("ix_webhook_events_created", "webhook_events", ["created_at"])


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        _id(),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("due_at", "now()"),
        _time("ended_at"),
        _time("created_at", "now()"),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_state")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (ended_at IS NULL)", name=op.f("ck_webhook_deliveries_ended")
        ),
        _key("webhook_deliveries", "event_id", "webhook_events", "CASCADE"),
        _key("webhook_deliveries", "webhook_id", "webhooks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "webhook_id", "event_id", name=op.f("uq_webhook_deliveries_webhook_id_event_id")
        ),
    )
    op.create_index(
        "ix_webhook_deliveries_waiting",
        "webhook_deliveries",
        ["webhook_id", "due_at", "id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_webhook_deliveries_list", "webhook_deliveries", ["webhook_id", "state", "id"]
    )
    op.create_index("ix_webhook_deliveries_event", "webhook_deliveries", ["event_id"])


def _attempts() -> None:
    op.create_table(
        "webhook_attempts",
        _id(),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('delivered', 'refused', 'redirected', 'gone', 'timeout', 'unreachable',"
            " 'address_refused')",
            name=op.f("ck_webhook_attempts_outcome"),
        ),
        _key("webhook_attempts", "delivery_id", "webhook_deliveries", "CASCADE"),
        _key("webhook_attempts", "webhook_id", "webhooks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
    )
    op.create_index("ix_webhook_attempts_webhook", "webhook_attempts", ["webhook_id", "id"])
    op.create_index("ix_webhook_attempts_delivery", "webhook_attempts", ["delivery_id", "id"])


def upgrade() -> None:
    _webhooks()
    _events()
    _deliveries()
    _attempts()
    op.create_table(
        "webhook_positions",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_webhook_positions")),
    )
    for grant in GRANTS:
        op.execute(grant)


def downgrade() -> None:
    for table in ("positions", "attempts", "deliveries", "events"):
        op.drop_table(f"webhook_{table}")
    op.drop_table("webhooks")
