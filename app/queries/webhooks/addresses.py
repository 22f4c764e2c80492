"""SQL of the addresses of webhooks."""

from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from app.core.db import Session
from app.models.webhooks import Webhook, WebhookState
from app.queries.records import Query, where


async def find(session: Session, webhook: UUID) -> Webhook | None:
    """Read a webhook that is not deleted."""
    query = select(Webhook).where(Webhook.id == webhook, Webhook.state != WebhookState.deleted)
    return (await session.exec(query)).first()


async def lock(session: Session, webhook: UUID) -> Webhook | None:
    """Lock a webhook that is not deleted."""
    query = select(Webhook).where(Webhook.id == webhook, Webhook.state != WebhookState.deleted)
    query = query.with_for_update()
    return (await session.exec(query)).first()


async def count(session: Session, merchant: UUID) -> int:
    """Count the webhooks of a merchant."""
    query = select(func.count()).select_from(Webhook).where(Webhook.merchant_id == merchant)
    return (await session.exec(query.where(Webhook.state != WebhookState.deleted))).one()


async def has_url(session: Session, merchant: UUID, url: str, but: UUID | None) -> bool:
    """Tell whether another webhook of a merchant has an address."""
    query = select(Webhook.id).where(Webhook.merchant_id == merchant, Webhook.url == url)
    query = query.where(Webhook.state != WebhookState.deleted)
    if but is not None:
        query = query.where(col(Webhook.id) != but)
    return (await session.exec(query.limit(1))).first() is not None


def of_merchant(merchant: UUID) -> Query[Webhook]:
    """Select the webhooks of a merchant."""
    return where(Webhook, merchant_id=merchant).where(Webhook.state != WebhookState.deleted)
