"""SQL of the outbox."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.outbox import OutboxMessage

_PUT = """
INSERT INTO outbox (topic, payload, due_at)
SELECT CAST(:topic AS text), p, coalesce(CAST(:due_at AS timestamptz), now())
FROM unnest(CAST(:payloads AS jsonb[])) AS p
"""

MAX_WAIT = timedelta(hours=1)


async def put(
    session: Session, topic: str, *payloads: dict[str, Any], due_at: datetime | None = None
) -> None:
    """Write messages of one topic in this transaction, due at once or at ``due_at``."""
    written = [json.dumps(one, ensure_ascii=False) for one in payloads]
    await session.fetch(_PUT, {"topic": topic, "payloads": written, "due_at": due_at})


async def take(
    session: Session, limit: int = 1, *, topics: str = "", but: str | None = None
) -> list[OutboxMessage]:
    """Lock the next messages that are due, of topics with a prefix, and without another one."""
    query = (
        select(OutboxMessage)
        .where(col(OutboxMessage.handled_at).is_(None), col(OutboxMessage.due_at) <= func.now())
        .where(col(OutboxMessage.topic).startswith(topics, autoescape=True))
        .order_by(col(OutboxMessage.due_at), col(OutboxMessage.id))
        .limit(limit)
        # Concurrent workers skip the rows that another has locked.
        .with_for_update(skip_locked=True)
    )
    if but is not None:
        query = query.where(~col(OutboxMessage.topic).startswith(but, autoescape=True))
    return list(await session.exec(query))


async def is_followed(session: Session, message: OutboxMessage) -> bool:
    """Tell whether a later message of the same topic waits, and lock it.

    One that another worker handles already does not count: that work may have begun before the
    change that caused this message.
    """
    later = select(OutboxMessage.id).where(
        col(OutboxMessage.handled_at).is_(None),
        OutboxMessage.topic == message.topic,
        col(OutboxMessage.id) > message.id,
    )
    later = later.limit(1).with_for_update(skip_locked=True)
    return (await session.exec(later)).first() is not None


async def done(session: Session, messages: Sequence[OutboxMessage]) -> None:
    ids = [message.id for message in messages]
    made = [message.created_at for message in messages]
    handled = update(OutboxMessage).where(
        col(OutboxMessage.id).in_(ids),
        # so that only their partitions are searched
        col(OutboxMessage.created_at).between(min(made), max(made)),
    )
    await session.execute(handled.values(handled_at=func.now()))


async def postpone(session: Session, message_id: int) -> None:
    """Try again after a delay that doubles with each failure, at most an hour."""
    failed = col(OutboxMessage.attempts)
    seconds = func.least(MAX_WAIT.total_seconds(), func.power(2, func.least(failed, 20)))
    due_at = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    postponed = update(OutboxMessage).where(col(OutboxMessage.id) == message_id)
    await session.execute(postponed.values(attempts=failed + 1, due_at=due_at))
