# ruff: noqa: ARG001 - handlers share a signature
"""The outbox relay: side effects leave after the commit that caused them."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from app.core.db import Session
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.jobs.job import Job
from app.queries import outbox
from app.runtime import Runtime
from app.services import notices
from app.services.leaderboards import feeding

log = structlog.get_logger(__name__)
Handler = Callable[[Runtime, Session, int, str, dict[str, Any]], Awaitable[None]]


async def relay(runtime: Runtime) -> int:
    """Handle what is due, one message a transaction; return how many were handled.

    A handler that fails is tried again later, after twice the time each time.
    """
    handled = 0
    while await _relay_one(runtime):
        handled += 1
    return handled


async def _relay_one(runtime: Runtime) -> bool:
    async with runtime.database.transaction() as tx:
        message = await outbox.take(tx)
        if message is None:
            return False
        try:
            async with tx.begin_nested():
                await _handler(message.topic)(
                    runtime, tx, message.id, message.topic, message.payload
                )
        except (Busy, Retry):
            raise  # the database is in trouble, not the message
        except Exception as error:  # noqa: BLE001 - one bad message must not hold up the others
            log.warning(
                "outbox_postponed", id=message.id, topic=message.topic, error=type(error).__name__
            )
            await outbox.postpone(tx, message.id)
        else:
            await outbox.done(tx, message.id)
        return True


def _handler(topic: str) -> Handler:
    return {"notices": _notice, "leaderboards": _rebuild}[topic.split(".", maxsplit=1)[0]]


async def _notice(
    runtime: Runtime, tx: Session, message_id: int, topic: str, payload: dict[str, Any]
) -> None:
    await notices.deliver(tx, message_id, topic, payload)


async def _rebuild(
    runtime: Runtime, tx: Session, message_id: int, topic: str, payload: dict[str, Any]
) -> None:
    """Somebody may appear who might not, or the other way round: the boards are built anew."""
    await feeding.rebuild(runtime.database, runtime.boards)


JOBS = (Job("outbox", relay, every=0.5),)
