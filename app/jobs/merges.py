"""What merges of accounts leave to do: proposals lapse, and what arrives later is moved on."""

from app.jobs.job import Job
from app.runtime import Runtime
from app.services.ledger import moments
from app.services.merges import deciding as merges

BATCH = 100


async def lapse(runtime: Runtime) -> int:
    """Let proposals lapse that nobody settled; return how many."""
    total, done = 0, BATCH
    while done == BATCH:
        async with runtime.database.transaction() as tx:
            done = await merges.lapse(tx, await moments.moment(tx), BATCH)
        total += done
    return total


async def sweep(runtime: Runtime) -> int:
    """Move on what absorbed people got since, one merge per transaction; return how many had.

    A refund or a late award arrives where it belongs, at the absorbed account.
    """
    async with runtime.database.read() as tx:
        found = await merges.with_arrivals(tx)
    moved = 0
    for one in found:
        async with runtime.database.transaction() as tx:
            moved += await merges.sweep(tx, one)
    return moved


JOBS = (
    Job("lapse-merges", lapse, every=60, by_clock=True),
    Job("sweep-merges", sweep, every=60),
)
