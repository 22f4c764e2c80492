"""Sending messages of WeChat, apart from the relay of everything else: WeChat may be slow."""

from app.core.db import Session
from app.jobs.job import Job
from app.models.outbox import OutboxMessage
from app.runtime import Runtime
from app.services import outbox, subscriptions


async def send(runtime: Runtime) -> int:
    """Send the messages that are due, each in a transaction; return how many were handled."""
    handled = 0
    while True:
        async with runtime.database.transaction() as tx:
            done = await outbox.handle_next(tx, runtime, HANDLERS, topics=f"{TOPIC}.")
        if not done:
            return handled
        handled += done


async def _send(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    await subscriptions.send(tx, runtime.cipher, runtime.wechat, runtime.templates, message)


TOPIC = subscriptions.SEND.partition(".")[0]
HANDLERS: dict[str, outbox.Handler[Runtime]] = {TOPIC: _send}
JOBS = (Job("send-subscriptions", send, every=1),)
