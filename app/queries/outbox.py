"""SQL of the outbox."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, text, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.outbox import OutboxMessage

_PUT = """
INSERT INTO outbox (topic, payload)
SELECT CAST(:topic AS text), p FROM unnest(CAST(:payloads AS jsonb[])) AS p
"""

# Twice as long after each failure, at most an hour.
_POSTPONE = text("""
UPDATE outbox SET attempts = attempts + 1,
    due_at = now() + least(interval '1 hour', interval '1 second' * power(2, least(attempts, 20)))
WHERE id = :id
""")

KEPT = timedelta(days=30)


async def put(session: Session, topic: str, *payloads: dict[str, Any]) -> None:
    """Write messages of one topic in the running transaction."""
    await session.fetch(
        _PUT, {"topic": topic, "payloads": [json.dumps(p, ensure_ascii=False) for p in payloads]}
    )


async def take(session: Session, limit: int = 1, *, topics: str = "") -> list[OutboxMessage]:
    """Lock the next messages that are due, whose topics begin like this."""
    query = (
        select(OutboxMessage)
        .where(col(OutboxMessage.handled_at).is_(None), col(OutboxMessage.due_at) <= func.now())
        .where(col(OutboxMessage.topic).startswith(topics, autoescape=True))
        .order_by(col(OutboxMessage.due_at), col(OutboxMessage.id))
        .limit(limit)
        # Several workers share the queue without waiting for each other.
        .with_for_update(skip_locked=True)
    )
    return list(await session.exec(query))


async def done(session: Session, messages: Sequence[OutboxMessage]) -> None:
    ids = [message.id for message in messages]
    handled = update(OutboxMessage).where(col(OutboxMessage.id).in_(ids))
    await session.execute(handled.values(handled_at=func.now()))


async def postpone(session: Session, message_id: int) -> None:
    await session.execute(_POSTPONE, {"id": message_id})


async def forget_handled(session: Session) -> None:
    old = col(OutboxMessage.handled_at) < func.now() - KEPT
    await session.execute(delete(OutboxMessage).where(old))
