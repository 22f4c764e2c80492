"""Monthly partitions of the audit trail and the outbox: made ahead, dropped whole.

Workers at the same time: the second finds the partition made or dropped, or does not get its lock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from app.core.db import Session
from app.core.errors import LockTimeout
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import partitions
from app.services.ledger import moments

# A step gives up after 0.1 s of waiting for a lock, since requests queue behind it meanwhile.
ATTEMPTS, PAUSE_S = 20, 0.5


async def make_ahead(runtime: Runtime) -> int:
    """Make the partitions of the next months; return how many were missing.

    Rows of a month that has none are in the default partition until it succeeds.
    """
    made = 0
    for parent in (partitions.AUDIT, partitions.OUTBOX):
        made += await _patiently(runtime, partial(partitions.make, parent=parent))
    return made


async def drop_old(runtime: Runtime) -> int:
    """Drop the partitions that are older than what is kept; return how many."""
    kept = {
        partitions.AUDIT: runtime.settings.audit_kept_months,
        partitions.OUTBOX: partitions.OUTBOX_KEPT_MONTHS,
    }
    dropped = 0
    for parent, months in kept.items():
        while await drop_one(runtime, parent, months):
            dropped += 1
    return dropped


async def drop_one(runtime: Runtime, parent: str, months: int) -> int:
    """Drop the oldest partition that ended so many months ago, if any; return how many."""

    async def step(tx: Session) -> int:
        return await partitions.drop(tx, parent, await moments.moment(tx), months)

    return await _patiently(runtime, step)


async def _patiently(runtime: Runtime, step: Callable[[Session], Awaitable[int]]) -> int:
    """Run a step in a transaction, again while it does not get its locks. Raises LockTimeout."""
    for _ in range(ATTEMPTS - 1):
        try:
            async with runtime.database.transaction() as tx:
                return await step(tx)
        except LockTimeout:
            await asyncio.sleep(PAUSE_S)
    async with runtime.database.transaction() as tx:
        return await step(tx)


JOBS = (
    Job("make-partitions", make_ahead, every=3600, by_clock=True),
    Job("drop-partitions", drop_old, every=3600, by_clock=True),
)
