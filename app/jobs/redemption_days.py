"""Redemption days: reminders the day before, and absences once a day is over.

Orders that nobody collected are ended by ``jobs/expiry``.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from app.core.clock import now
from app.core.db import Session
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.ledger import moments
from app.services.redemption_days import absences

BATCH = 100


async def settle(runtime: Runtime) -> int:
    """Record the absences of days that are over; return the number of transactions."""
    return await _while_due(runtime, partial(absences.settle, limit=BATCH))


async def remind(runtime: Runtime) -> int:
    """Remind people of their orders of tomorrow (Asia/Shanghai); return the number of days."""
    return await _while_due(runtime, absences.remind)


async def _while_due(runtime: Runtime, work: Callable[..., Awaitable[bool]]) -> int:
    """Run ``work`` in transactions until nothing is due; nothing while the clock is behind."""
    total = 0
    while await _once(runtime, work):
        total += 1
    return total


async def _once(runtime: Runtime, work: Callable[[Session, datetime], Awaitable[bool]]) -> bool:
    async with runtime.database.transaction() as tx:
        at = await moments.moment(tx)
        return now() >= at and await work(tx, at)


JOBS = (
    Job("settle-redemption-days", settle, every=30, by_clock=True),
    Job("remind-of-redemption-days", remind, every=300, by_clock=True),
)
