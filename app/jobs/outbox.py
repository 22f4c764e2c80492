# ruff: noqa: ARG001 - handlers share a signature
"""The outbox relay: side effects leave after the commit that caused them."""

from collections.abc import Awaitable, Callable

import structlog

from app.core.db import Session
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.jobs.job import Job
from app.models.outbox import OutboxMessage
from app.queries import outbox
from app.runtime import Runtime
from app.services import notices
from app.services.leaderboards import feeding

log = structlog.get_logger(__name__)
Handler = Callable[[Runtime, Session, OutboxMessage], Awaitable[None]]
BATCH = 100


async def relay(runtime: Runtime) -> int:
    """Handle what is due; return how many messages were handled.

    Notices, of which a crowd causes many, are delivered ``BATCH`` a transaction. Between two
    such lists the oldest message of any topic has its turn, in its own transaction. One that
    fails is tried again later, after twice the time each time.
    """
    handled = 0
    while done := await _relay_notices(runtime) + await _relay_one(runtime):
        handled += done
    return handled


async def _relay_notices(runtime: Runtime) -> int:
    """Deliver a list of notices; if that fails, one by one, so that the bad one is found."""
    async with runtime.database.transaction() as tx:
        messages = await outbox.take(tx, BATCH, topics="notices.")
        if not messages:
            return 0
        try:
            async with tx.begin_nested():
                await notices.deliver(tx, messages)
        except (Busy, Retry):
            raise  # the database is in trouble, not a message
        except Exception as error:  # noqa: BLE001 - whatever it is, one of them causes it
            log.warning("outbox_one_by_one", error=type(error).__name__)
            for message in messages:
                await _handle(runtime, tx, message)
        else:
            await outbox.done(tx, messages)
        return len(messages)


async def _relay_one(runtime: Runtime) -> int:
    async with runtime.database.transaction() as tx:
        messages = await outbox.take(tx)
        for message in messages:
            await _handle(runtime, tx, message)
        return len(messages)


async def _handle(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    try:
        async with tx.begin_nested():
            await _handler(message.topic)(runtime, tx, message)
    except (Busy, Retry):
        raise  # the database is in trouble, not the message
    except Exception as error:  # noqa: BLE001 - one bad message must not hold up the others
        log.warning(
            "outbox_postponed", id=message.id, topic=message.topic, error=type(error).__name__
        )
        await outbox.postpone(tx, message.id)
    else:
        await outbox.done(tx, [message])


def _handler(topic: str) -> Handler:
    return {"notices": _notice, "leaderboards": _rebuild}[topic.split(".", maxsplit=1)[0]]


async def _notice(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    await notices.deliver(tx, [message])


async def _rebuild(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    """Somebody may appear who might not, or the other way round: the boards are built anew."""
    await feeding.rebuild(runtime.database, runtime.boards)


JOBS = (Job("outbox", relay, every=0.5),)
