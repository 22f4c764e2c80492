"""Wire shapes of webhooks, and the words of their notices."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.validation_messages import wrong
from app.models.webhooks import (
    AttemptOutcome,
    DeliveryState,
    WebhookDisabledBy,
    WebhookEventType,
    WebhookState,
)
from app.schemas.base import CreatedAt, In, MerchantId, Moment, OneLine, Out, RecordOut, example
from app.schemas.base import Version as VersionField
from app.schemas.notify import words

VALUES = {
    WebhookState: {
        WebhookState.active: ("启用", "active"),
        WebhookState.disabled: ("停用", "disabled"),
        WebhookState.deleted: ("已删除", "deleted"),
    },
    DeliveryState: {
        DeliveryState.waiting: ("待推送", "waiting"),
        DeliveryState.delivered: ("已送达", "delivered"),
        DeliveryState.failed: ("未送达", "failed"),
    },
}
NOTICES = {
    "webhook_disabled": words(
        ("推送已停用", "Webhook disabled"),
        "「{merchant}」的一个推送地址{gone:已由接收端注销|连续三天未能送达}，已停用；修复后可重新启用并补发。",
        "A webhook of “{merchant}” was disabled: {gone:its receiver is gone|nothing arrived for"
        " three days}. Enable it again once it works, and replay what was missed.",
    ),
}
WebhookId = Annotated[UUID, Field(description="Id of the webhook.")]
# Visible ASCII; the rest is checked by the service.
Url = Annotated[str, Field(min_length=10, max_length=500, pattern=r"^https?://[\x21-\x7e]+$")]
Types = Annotated[list[WebhookEventType], Field(max_length=len(WebhookEventType))]
_URL = "https://till.example.com/qingxiang"


class WebhookIn(
    In,
    json_schema_extra=example(
        {"url": _URL, "description": "收银台", "types": ["charge.made", "charge.refunded"]}
    ),
):
    url: Url = Field(
        description="Where events are posted: `https`, a public address, no user and no fragment."
    )
    description: Annotated[str, OneLine(100)] | None = Field(
        default=None, description="What it is for."
    )
    types: Types = Field(default=[], description="The events that are sent there; empty: all.")


class WebhookMoveIn(In, json_schema_extra=example({"state": "disabled", "reason": "收银台维护"})):
    state: WebhookState = Field(description="The state that it should have.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class WebhookReplayIn(
    In,
    json_schema_extra=example(
        {"since": "2026-11-29T00:00:00+08:00", "until": "2026-11-30T00:00:00+08:00"}
    ),
):
    """Either one delivery, or the events of a period of at most 31 days."""

    delivery_id: UUID | None = Field(default=None, description="Id of one delivery that ended.")
    since: Moment | None = Field(default=None, description="Start of a period of events.")
    until: Moment | None = Field(default=None, description="End of the period, not included.")
    failed_only: bool = Field(
        default=False, description="Of the period only what was given up, not all events."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        has_period = self.since is not None and self.until is not None
        has_part = self.since is not None or self.until is not None or self.failed_only
        if (self.delivery_id is None) != has_period or (self.delivery_id and has_part):
            raise wrong(
                "填 delivery_id，或同时填 since 与 until",
                "either delivery_id, or since and until",
            )
        if self.since is None or self.until is None:
            return self
        if not 0 < (self.until - self.since).total_seconds() <= 31 * 86_400:
            raise wrong("时段应在 31 天之内", "the period has at most 31 days")
        return self


class WebhookOut(RecordOut):
    merchant_id: MerchantId
    url: str = Field(description="Where events are posted.")
    description: str | None = Field(description="What it is for.")
    types: list[WebhookEventType] = Field(description="The events that are sent; empty: all.")
    state: WebhookState = Field(description="State of the webhook.")
    disabled_by: WebhookDisabledBy | None = Field(
        description="What disabled it: its keeper, its receiver (410), or days of failures."
    )
    failing_since: datetime | None = Field(
        description="Since when nothing arrives, in UTC; null while it works."
    )
    previous_until: datetime | None = Field(
        description="Until when the secret before the last rotation signs too, in UTC."
    )
    version: VersionField


class WebhookSecretOut(WebhookOut):
    secret: str = Field(description="The signing secret, `whsec_` and base64. Shown once.")


class WebhookDeliveryOut(Out):
    """An event for a webhook."""

    id: UUID = Field(description="Id of the delivery.")
    event_id: UUID = Field(description="Id of the event, sent as `webhook-id`.")
    type: WebhookEventType = Field(description="What happened.")
    occurred_at: datetime = Field(description="When it happened, in UTC.")
    data: dict[str, Any] = Field(description="What is sent as `data`.")
    state: DeliveryState = Field(description="State of the delivery.")
    attempts: int = Field(description="Attempts since it was written or replayed.")
    due_at: datetime = Field(description="Of what waits: when the next attempt is made, in UTC.")
    ended_at: datetime | None = Field(
        description="When it arrived or was given up, in UTC; null while it waits."
    )
    created_at: CreatedAt


class WebhookAttemptOut(Out):
    """An attempt to deliver."""

    id: UUID = Field(description="Id of the attempt.")
    delivery_id: UUID = Field(description="Id of the delivery.")
    number: int = Field(description="Number of the attempt, from 1; a replay begins anew.")
    made_at: datetime = Field(description="When it was made, in UTC.")
    took_ms: int = Field(description="How long it took, in milliseconds.")
    outcome: AttemptOutcome = Field(description="What came of it.")
    status: int | None = Field(description="HTTP status of the reply; null without one.")


class WebhookReplayOut(Out):
    replayed: int = Field(description="How many deliveries are due again.")
