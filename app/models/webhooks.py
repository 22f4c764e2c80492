"""Webhooks: where a merchant's till hears what happened there, and what was sent."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, created_at_field, id_field, one_of


class WebhookState(StrEnum):
    """A disabled webhook is sent nothing; its events are kept and can be replayed."""

    active = "active"
    disabled = "disabled"
    deleted = "deleted"


class WebhookDisabledBy(StrEnum):
    keeper = "keeper"  # of the merchant
    gone = "gone"  # the receiver answered 410
    failing = "failing"  # nothing arrived for days


class WebhookEventType(StrEnum):
    charge_made = "charge.made"
    charge_confirmed = "charge.confirmed"
    charge_released = "charge.released"
    charge_refunded = "charge.refunded"
    charge_disputed = "charge.disputed"
    charge_dispute_decided = "charge.dispute_decided"
    order_collected = "order.collected"
    order_undone = "order.undone"
    settlement_closed = "settlement.closed"
    settlement_paid = "settlement.paid"


class DeliveryState(StrEnum):
    """``failed``: given up after the last attempt (a dead letter), until it is replayed."""

    waiting = "waiting"
    delivered = "delivered"
    failed = "failed"


class AttemptOutcome(StrEnum):
    delivered = "delivered"  # any 2xx
    refused = "refused"  # another status
    redirected = "redirected"  # 3xx, which is not followed
    gone = "gone"  # 410
    timeout = "timeout"
    unreachable = "unreachable"  # no connection, no TLS, no HTTP
    address_refused = "address_refused"  # the name leads to no public address


class Webhook(Record, table=True):
    """An address of a merchant. ``types``: the events it hears; empty: all.

    Secrets are encrypted. The one before signs too, until ``previous_until``. ``failing_since``:
    of the first failure after the last success. ``hangs``: attempts in a row that ended without a
    reply; it rests until ``rests_until``. ``leased_until``: by when the worker that sends is
    done; ``lease`` counts these workers.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        CheckConstraint(one_of("state", WebhookState), name="state"),
        CheckConstraint(
            f"disabled_by IS NULL OR {one_of('disabled_by', WebhookDisabledBy)}", name="disabled_by"
        ),
        CheckConstraint("(state = 'disabled') = (disabled_by IS NOT NULL)", name="disabled"),
        CheckConstraint(
            "(previous_sealed IS NULL) = (previous_until IS NULL)", name="previous_secret"
        ),
        Index(
            "uq_webhooks_url",
            "merchant_id",
            "url",
            unique=True,
            postgresql_where=text("state <> 'deleted'"),
        ),
        Index("ix_webhooks_org", "org_id", "id"),
    )

    merchant_id: UUID = Field(foreign_key="merchants.id")
    url: str = Field(max_length=500)
    description: str | None = Field(default=None, max_length=100)
    types: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    secret_sealed: bytes
    previous_sealed: bytes | None = None
    previous_until: datetime | None = Field(default=None, sa_type=Timestamp)
    state: str = Field(default=WebhookState.active, max_length=20)
    disabled_by: str | None = Field(default=None, max_length=20)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    failing_since: datetime | None = Field(default=None, sa_type=Timestamp)
    hangs: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    rests_until: datetime | None = Field(default=None, sa_type=Timestamp)
    is_slow: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    lease: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    leased_until: datetime | None = Field(default=None, sa_type=Timestamp)


class WebhookEvent(SQLModel, table=True):
    """What happened at a merchant that has a webhook. Append-only, deleted after its period.

    ``id`` is the ``webhook-id`` of every attempt; of what moved points, that of the transfer.
    """

    __tablename__ = "webhook_events"
    __table_args__ = (
        CheckConstraint(one_of("type", WebhookEventType), name="type"),
        Index("ix_webhook_events_merchant", "merchant_id", "occurred_at"),
        Index("ix_webhook_events_created", "created_at"),
    )

    id: UUID = id_field()
    merchant_id: UUID = Field(foreign_key="merchants.id")
    type: str = Field(max_length=40)
    occurred_at: datetime = Field(sa_type=Timestamp)
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = created_at_field()


class WebhookDelivery(SQLModel, table=True):
    """An event for one webhook. ``attempts``: since it was written or replayed."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint(one_of("state", DeliveryState), name="state"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="ended"),
        UniqueConstraint("webhook_id", "event_id"),
        Index(
            "ix_webhook_deliveries_waiting",
            "webhook_id",
            "due_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_webhook_deliveries_list", "webhook_id", "state", "id"),
        Index("ix_webhook_deliveries_event", "event_id"),
    )

    id: UUID = id_field()
    webhook_id: UUID = Field(foreign_key="webhooks.id")
    event_id: UUID = Field(foreign_key="webhook_events.id", ondelete="CASCADE")
    state: str = Field(
        default=DeliveryState.waiting, max_length=20, sa_column_kwargs={"server_default": "waiting"}
    )
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    due_at: datetime = created_at_field()
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = created_at_field()


class WebhookAttempt(SQLModel, table=True):
    """An attempt to deliver, without the body of the reply. Append-only."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        CheckConstraint(one_of("outcome", AttemptOutcome), name="outcome"),
        Index("ix_webhook_attempts_webhook", "webhook_id", "id"),
        Index("ix_webhook_attempts_delivery", "delivery_id", "id"),
    )

    id: UUID = id_field()
    webhook_id: UUID = Field(foreign_key="webhooks.id")
    delivery_id: UUID = Field(foreign_key="webhook_deliveries.id", ondelete="CASCADE")
    number: int
    made_at: datetime = Field(sa_type=Timestamp)
    took_ms: int
    outcome: str = Field(max_length=20)
    status: int | None = None


class WebhookPosition(SQLModel, table=True):
    """Up to which number the transfers of a merchant's account were turned into events."""

    __tablename__ = "webhook_positions"

    account_id: int = Field(
        sa_column=Column(BigInteger, primary_key=True, autoincrement=False), default=None
    )
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
