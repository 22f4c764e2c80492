"""SQL of the outbox."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from app.core.db import Session

_PUT = """
INSERT INTO outbox (topic, payload)
SELECT CAST(:topic AS text), p FROM unnest(CAST(:payloads AS jsonb[])) AS p
"""

# SKIP LOCKED: several workers share the queue without waiting for each other.
_TAKE = text("""
SELECT id, topic, payload, attempts FROM outbox
WHERE handled_at IS NULL AND due_at <= now()
ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
""")

_DONE = text("UPDATE outbox SET handled_at = now() WHERE id = :id")

# Twice as long after each failure, at most an hour.
_POSTPONE = text("""
UPDATE outbox SET attempts = attempts + 1,
    due_at = now() + least(interval '1 hour', interval '1 second' * power(2, least(attempts, 20)))
WHERE id = :id
""")

_FORGET = text("DELETE FROM outbox WHERE handled_at < now() - interval '30 days'")


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    topic: str
    payload: dict[str, Any]
    attempts: int


async def put(session: Session, topic: str, *payloads: dict[str, Any]) -> None:
    """Write messages of one topic in the running transaction."""
    await session.fetch(
        _PUT, {"topic": topic, "payloads": [json.dumps(p, ensure_ascii=False) for p in payloads]}
    )


async def take(session: Session) -> Message | None:
    """Lock the next message that is due; None when there is none."""
    row = (await session.execute(_TAKE)).mappings().one_or_none()
    return Message(**row) if row else None


async def done(session: Session, message_id: int) -> None:
    await session.execute(_DONE, {"id": message_id})


async def postpone(session: Session, message_id: int) -> None:
    await session.execute(_POSTPONE, {"id": message_id})


async def forget_handled(session: Session) -> None:
    await session.execute(_FORGET)
