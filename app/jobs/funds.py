"""Payment of awards that wait for a fund, and the monthly figures of funds."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import funds
from app.services.awards import payment
from app.services.ledger import moments

BATCH = 200


async def pay(runtime: Runtime) -> int:
    """Pay awards that wait for their fund; return how many."""
    async with runtime.database.read() as tx:
        owing = await payment.waiting(tx)
    paid = 0
    for fund in owing:
        paid += await in_batches(
            runtime, BATCH, partial(payment.pay_waiting, fund=fund, limit=BATCH)
        )
    return paid


async def write_months(runtime: Runtime) -> int:
    """Close the months that are over and update the current one; return how many were written.

    One transaction per month: after a kill, the next run continues with the oldest open month.
    """
    async with runtime.database.read() as tx:
        at = await moments.moment(tx)
        months = await funds.months_to_write(tx, at)
    for month in months:
        async with runtime.database.transaction() as tx:
            await funds.write_month(tx, month, await moments.moment(tx))
    return len(months)


JOBS = (
    Job("pay-from-funds", pay, every=5, by_clock=True),
    Job("fund-months", write_months, every=300, by_clock=True),
)
