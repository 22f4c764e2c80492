"""SQL of events: written with their deliveries, read from merchants' accounts in the ledger."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.ledger import Account, Purpose, Transfer
from app.models.redemptions import Redemption
from app.models.webhooks import Webhook, WebhookEvent, WebhookPosition, WebhookState

# Only for merchants that have a webhook, and each event once. The share lock waits for who disables
# a webhook and then sees that: else a delivery would wait there after all others were given up.
_WRITE = """
WITH made AS (
    INSERT INTO webhook_events (id, merchant_id, type, occurred_at, data)
    SELECT e.id, e.merchant_id, e.type, e.occurred_at, e.data
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:types AS text[]),
                CAST(:times AS timestamptz[]), CAST(:data AS jsonb[]))
        AS e (id, merchant_id, type, occurred_at, data)
    WHERE EXISTS (SELECT FROM webhooks w
                  WHERE w.merchant_id = e.merchant_id AND w.state <> 'deleted')
    ON CONFLICT (id) DO NOTHING
    RETURNING id, merchant_id, type
)
INSERT INTO webhook_deliveries (webhook_id, event_id)
SELECT w.id, m.id FROM made m JOIN webhooks w ON w.merchant_id = m.merchant_id
WHERE w.state = 'active' AND (w.types = '[]' OR w.types ? m.type)
ORDER BY m.id
FOR SHARE OF w
"""


@dataclass(frozen=True, slots=True)
class NewEvent:
    id: UUID
    merchant_id: UUID
    type: str
    occurred_at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """A merchant's account with transfers after the number that was read last."""

    account_id: int
    merchant_id: UUID


async def write(session: Session, events: Sequence[NewEvent]) -> None:
    """Write events and what is to be delivered of them, in one statement."""
    await session.fetch(
        _WRITE,
        {
            "ids": [one.id for one in events],
            "merchants": [one.merchant_id for one in events],
            "types": [one.type for one in events],
            "times": [one.occurred_at for one in events],
            "data": [json.dumps(one.data, ensure_ascii=False) for one in events],
        },
    )


async def begin(session: Session, merchant: UUID) -> None:
    """Let the events of a merchant's accounts begin with what comes now."""
    now_at = select(Account.id, Account.last_number).where(
        Account.owner_id == merchant, Account.purpose == Purpose.takings
    )
    new = insert(WebhookPosition).from_select(["account_id", "number"], now_at)
    number = {"number": new.excluded.number}
    await session.execute(new.on_conflict_do_update(index_elements=["account_id"], set_=number))


async def news(session: Session, limit: int) -> list[News]:
    """Read accounts of merchants with a webhook that have moved since."""
    have = select(Webhook.merchant_id).where(Webhook.state != WebhookState.deleted)
    query = (
        select(Account.id, Account.owner_id)
        .outerjoin(WebhookPosition, col(WebhookPosition.account_id) == col(Account.id))
        .where(col(Account.owner_id).in_(have), Account.purpose == Purpose.takings)
        .where(Account.last_number > func.coalesce(col(WebhookPosition.number), 0))
        .limit(limit)
    )
    return [News(*row) for row in await session.exec(query)]


async def lock_position(session: Session, account: int) -> WebhookPosition | None:
    """Lock the position of an account; None if another worker has it."""
    new = insert(WebhookPosition).values(account_id=account, number=0)
    await session.execute(new.on_conflict_do_nothing())
    query = select(WebhookPosition).where(WebhookPosition.account_id == account)
    return (await session.exec(query.with_for_update(skip_locked=True))).first()


async def transfers(
    session: Session, account: int, after: int, limit: int
) -> list[tuple[int, Transfer]]:
    """Read the next transfers of an account with their numbers there, in their order."""
    until = after + limit
    came = and_(
        col(Transfer.to_account_id) == account, col(Transfer.to_number).between(after + 1, until)
    )
    left = and_(
        col(Transfer.from_account_id) == account,
        col(Transfer.from_number).between(after + 1, until),
    )
    rows = (await session.exec(select(Transfer).where(or_(came, left)))).all()
    numbered = [(o.to_number if o.to_account_id == account else o.from_number, o) for o in rows]
    return sorted(numbered, key=lambda one: one[0])


async def orders(session: Session, ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """Read reward and quantity of redemptions."""
    query = select(Redemption.id, Redemption.reward_id, Redemption.quantity)
    rows = await session.exec(query.where(col(Redemption.id).in_(ids)))
    return {redemption: (reward, quantity) for redemption, reward, quantity in rows}


async def forget(session: Session, before: datetime, limit: int) -> int:
    """Delete events that were written before a moment, with their deliveries; return how many."""
    old = select(WebhookEvent.id).where(WebhookEvent.created_at < before)
    old = old.order_by(col(WebhookEvent.created_at)).limit(limit)
    query = delete(WebhookEvent).where(col(WebhookEvent.id).in_(old))
    return len((await session.execute(query.returning(col(WebhookEvent.id)))).all())
