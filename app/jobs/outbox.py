"""The outbox relay: runs side effects after the commit of the transaction that caused them."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from app.core.db import Session
from app.jobs import attachments, data_copies, subscriptions
from app.jobs.job import Job
from app.models.outbox import OutboxMessage
from app.runtime import Runtime
from app.services import notices, outbox
from app.services import subscriptions as subscription_service
from app.services.leaderboards import feeding

BATCH = 100


async def relay(runtime: Runtime) -> int:
    """Handle the messages that are due; return how many were handled.

    Notices, which may be many, are delivered in transactions of ``BATCH``. After each of these the
    oldest message of any other topic is handled in a transaction of its own, but for what WeChat
    sends (``jobs/subscriptions``). A message that fails is tried again later, with a delay that
    doubles each time.
    """
    handled = 0
    while done := await _relay_notices(runtime) + await _relay_one(runtime):
        handled += done
    return handled


async def _relay_notices(runtime: Runtime) -> int:
    async with runtime.database.transaction() as tx:
        deliver = partial(_deliver, runtime)
        return await outbox.handle_batch(tx, runtime, HANDLERS, "notices", deliver, BATCH)


async def _relay_one(runtime: Runtime) -> int:
    async with runtime.database.transaction() as tx:
        return await outbox.handle_next(tx, runtime, HANDLERS, but=f"{subscriptions.TOPIC}.")


async def _notice(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    await _deliver(runtime, tx, [message])


async def _deliver(runtime: Runtime, tx: Session, messages: Sequence[OutboxMessage]) -> None:
    """Put notices into the inboxes, and what is to be sent by WeChat into the outbox."""
    await notices.deliver(tx, messages)
    await subscription_service.enqueue(tx, runtime.templates, messages)


async def _rebuild(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    """Rebuild the boards after a change of who may appear on them.

    ``gone``: people who leave all boards at once, as a rebuild takes as long as the ledger is.
    Of messages that wait together the last one rebuilds, which sees what all of them changed.
    """
    if gone := message.payload.get("gone"):
        await feeding.forget(runtime.boards, [UUID(one) for one in gone])
    if not await outbox.is_followed(tx, message):
        await feeding.rebuild(runtime.database, runtime.boards)


HANDLERS: dict[str, outbox.Handler[Runtime]] = {
    "attachments": attachments.handle,
    "data_copies": data_copies.handle,
    "leaderboards": _rebuild,
    "notices": _notice,
}
JOBS = (Job("outbox", relay, every=0.5),)
