"""What funds owe, and their months."""

from functools import partial

from app.core.clock import now
from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import funds

BATCH = 200


async def pay(runtime: Runtime) -> int:
    """Pay awards that wait for their fund; return how many."""
    async with runtime.database.read() as tx:
        owing = await funds.waiting(tx)
    paid = 0
    for fund in owing:
        paid += await in_batches(
            runtime, BATCH, partial(funds.pay_waiting, fund=fund, at=now(), limit=BATCH)
        )
    return paid


async def write_months(runtime: Runtime) -> int:
    """Close the months that are over, and bring the running one up to date; return how many.

    Each is a transaction: a kill leaves whole months, and the next run goes on with the
    oldest that is not closed.
    """
    at = now()
    async with runtime.database.read() as tx:
        months = await funds.months_to_write(tx, at)
    for month in months:
        async with runtime.database.transaction() as tx:
            await funds.write_month(tx, month, at)
    return len(months)


JOBS = (
    Job("pay-from-funds", pay, every=5),
    Job("fund-months", write_months, every=300),
)
