"""Webhooks of merchants: events read from the ledger, their delivery, and what is forgotten."""

import asyncio
from functools import partial
from time import monotonic

from app.integrations import webhooks as integration
from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.models.webhooks import AttemptOutcome
from app.runtime import Runtime
from app.services.webhooks import delivering, events
from app.services.webhooks.delivering import Message

ACCOUNTS, TRANSFERS = 50, 200
AT_ONCE = 20
LOOK_EVERY_S = 0.25
# For so long a run takes up new work; then it waits for what it has begun.
RUN_S = 20.0
BATCH = 500


async def derive(runtime: Runtime) -> int:
    """Turn new transfers of merchants with webhooks into events; return how many were read.

    An account is one transaction. Safe with two workers: they skip each other's accounts.
    """
    read = 0
    while True:
        async with runtime.database.read() as tx:
            found = await events.news(tx, ACCOUNTS)
        done = 0
        for one in found:
            async with runtime.database.transaction() as tx:
                done += await events.derive(tx, one, TRANSFERS)
        if not done:
            return read
        read += done


async def deliver(runtime: Runtime, *, is_slow: bool = False) -> int:
    """Deliver what is due, ``AT_ONCE`` webhooks at a time; return how many attempts were made.

    Webhooks that take long have a job of their own. Two workers, or a webhook that hangs, hold up
    nobody: each webhook is leased, and others are taken up meanwhile.
    """
    post = partial(integration.post, allows_local=runtime.settings.webhook_local == "on")
    running: set[asyncio.Task[AttemptOutcome]] = set()
    attempts, until = 0, monotonic() + RUN_S
    try:
        while True:
            messages = await _lease(runtime, AT_ONCE - len(running), until, is_slow=is_slow)
            for one in messages:
                task = asyncio.create_task(delivering.deliver(runtime.database, one, post))
                running.add(task)
            if not running:
                return attempts
            done, _ = await asyncio.wait(
                running, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                running.discard(task)
                task.result()
            attempts += len(done)
    finally:
        for task in running:
            task.cancel()


async def deliver_to_slow(runtime: Runtime) -> int:
    """Deliver to those whose last attempt took long; return how many attempts were made."""
    return await deliver(runtime, is_slow=True)


async def _lease(runtime: Runtime, limit: int, until: float, *, is_slow: bool) -> list[Message]:
    if not limit or monotonic() > until:
        return []
    async with runtime.database.transaction() as tx:
        return await delivering.lease(tx, runtime.cipher, limit, is_slow=is_slow)


async def forget(runtime: Runtime) -> int:
    """Delete events that are past their period, with their deliveries; return how many."""
    return await in_batches(runtime, BATCH, partial(events.forget, limit=BATCH))


JOBS = (
    Job("derive-webhook-events", derive, every=1),
    Job("deliver-webhooks", deliver, every=0.5),
    Job("deliver-to-slow-webhooks", deliver_to_slow, every=1),
    Job("forget-webhook-events", forget, every=6 * 3600, by_clock=True),
)
