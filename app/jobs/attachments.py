"""Attachments: picture checks, removal of bytes, and removal of objects without a row."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.models.outbox import OutboxMessage
from app.runtime import Runtime
from app.schemas.attachments import PATH
from app.services.attachments import checking, reading, storing

# The row of an upload is written within seconds after its bytes.
WITHOUT_ROW = timedelta(days=1)
# WeChat sends the result within half an hour.
OVERDUE = timedelta(hours=1)
LINK_LASTS = timedelta(hours=1)
BATCH = 200


async def handle(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    """Remove the bytes of an attachment, or request WeChat's check of a picture."""
    attachment_id = UUID(message.payload["id"])
    if message.topic == storing.REMOVED:
        await runtime.store.remove(*reading.keys_of(attachment_id))
    else:
        await _check(runtime, tx, attachment_id)


async def _check(runtime: Runtime, tx: Session, attachment_id: UUID) -> None:
    """Send WeChat a link to a picture. Raises its refusals; the outbox then tries again later."""
    waiting = await checking.waiting(tx, attachment_id)
    if waiting is None:
        return
    at = now()
    expires = int((at + LINK_LASTS).timestamp())
    signature = runtime.links.sign(str(attachment_id), expires)
    url = f"{runtime.settings.public_url}{PATH}/{attachment_id}/file"
    trace_id = await runtime.wechat.check_picture(
        f"{url}?expires={expires}&signature={signature}",
        runtime.cipher.open(waiting.openid_sealed),
    )
    await checking.asked(tx, waiting.attachment, trace_id, at)


async def ask_again(runtime: Runtime) -> int:
    """Request checks again whose results are overdue; return how many."""
    return await in_batches(
        runtime, BATCH, lambda tx, at: checking.ask_again(tx, at - OVERDUE, at, BATCH)
    )


async def sweep(runtime: Runtime) -> int:
    """Remove objects older than a day that belong to no attachment; return how many."""
    removed = 0
    async for keys in runtime.store.older_than(now() - WITHOUT_ROW):
        removed += await _sweep_some(runtime, keys)
    return removed


async def _sweep_some(runtime: Runtime, keys: Sequence[str]) -> int:
    async with runtime.database.read() as tx:
        unknown = await storing.without_row(tx, keys)
    await runtime.store.remove(*unknown)
    return len(unknown)


JOBS = (
    Job("sweep-attachments", sweep, every=6 * 3600, by_clock=True),
    Job("check-pictures-again", ask_again, every=300),
)
