"""The daily seal of the ledger, written after the day is over."""

import asyncio
import time

import structlog

from app.core.db import Database
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.ledger import moments, seals

log = structlog.get_logger(__name__)
# A transaction of a request lasts two seconds at most; one of an operator may take longer.
PATIENCE_S, LOOK_EVERY_S = 20.0, 0.05


async def seal(runtime: Runtime) -> int:
    """Seal the days that are over, one per transaction; return how many.

    First the days are closed: from then on PostgreSQL refuses transfers into them. A transaction
    that began before may still commit, so sealing waits for it. On a connection without
    time-outs, as a day may have many leaves. Safe with two workers, and when one is killed: each
    day is sealed whole, once, and in order.
    """
    async with runtime.database.transaction() as tx:
        days = await seals.days_to_seal(tx, await moments.moment(tx))
        await seals.close_days(tx, days)
    if not days:
        return 0
    if not await _earlier_transactions_are_over(runtime.database):
        log.warning("seal_waits_for_a_transaction", day=days[0])
        return 0
    assert runtime.settings.database_url is not None
    patient = Database(runtime.settings.database_url, pool_size=2, patient=True)
    sealed = 0
    try:
        for day in days:
            async with patient.transaction() as tx:
                sealed += await seals.seal_day(tx, day)
    finally:
        await patient.close()
    return sealed


async def _earlier_transactions_are_over(database: Database) -> bool:
    """Wait for the transactions that may not have seen that the days are closed."""
    deadline = time.monotonic() + PATIENCE_S
    async with database.read() as tx:
        since = await seals.last_transaction(tx)
        while not await seals.may_seal(tx, since):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
    return True


JOBS = (Job("seal-days", seal, every=60, by_clock=True),)
