"""The outbox: messages written in the transaction that causes them, and handled after its commit.

The first word of the topic selects the handler: ``notices`` handles ``notices.promoted``. It runs
at least once for each message, in the transaction that marks the message as handled; with effects
elsewhere it must be idempotent by ``message.id``.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from app.core.db import Session
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.models.outbox import OutboxMessage
from app.queries import outbox as queries

log = structlog.get_logger(__name__)
R = TypeVar("R")  # the type of the runtime, which imports services
Handler = Callable[[R, Session, OutboxMessage], Awaitable[None]]
Handlers = Mapping[str, Handler[R]]
BatchHandler = Callable[[Session, Sequence[OutboxMessage]], Awaitable[None]]


async def handle_next(
    tx: Session, runtime: R, handlers: Handlers[R], *, topics: str = "", but: str | None = None
) -> int:
    """Handle the oldest message that is due; return the number handled, 0 or 1.

    Of topics with a prefix, or of all that have not the prefix ``but``.

    A message that fails is postponed; the delay doubles each time.
    """
    messages = await queries.take(tx, topics=topics, but=but)
    for message in messages:
        await _handle(tx, runtime, handlers, message)
    return len(messages)


async def is_followed(tx: Session, message: OutboxMessage) -> bool:
    """Tell whether a later message of the same topic waits, which a rebuild may be left to."""
    return await queries.is_followed(tx, message)


async def handle_batch(
    tx: Session, runtime: R, handlers: Handlers[R], topic: str, batch: BatchHandler, limit: int
) -> int:
    """Handle up to ``limit`` messages below a topic by one call; return the number handled.

    If the call fails, they are handled one by one, so that only the one that fails is postponed.
    """
    messages = await queries.take(tx, limit, topics=f"{topic}.")
    if not messages:
        return 0
    try:
        async with tx.begin_nested():
            await batch(tx, messages)
    except (Busy, Retry):
        raise  # the database is unavailable; no message is at fault
    except Exception as error:  # noqa: BLE001 - whatever it is, one of them causes it
        log.warning("outbox_one_by_one", error=type(error).__name__)
        for message in messages:
            await _handle(tx, runtime, handlers, message)
    else:
        await queries.done(tx, messages)
    return len(messages)


async def _handle(tx: Session, runtime: R, handlers: Handlers[R], message: OutboxMessage) -> None:
    try:
        async with tx.begin_nested():
            await handlers[message.topic.partition(".")[0]](runtime, tx, message)
    except (Busy, Retry):
        raise  # the database is unavailable; the message is not at fault
    except Exception as error:  # noqa: BLE001 - one bad message must not hold up the others
        log.warning(
            "outbox_postponed", id=message.id, topic=message.topic, error=type(error).__name__
        )
        await queries.postpone(tx, message.id)
    else:
        await queries.done(tx, [message])
