"""Who waits for a reward is told when there are some again."""

from app.jobs.job import Job
from app.runtime import Runtime
from app.services import reward_waits
from app.services.ledger import moments

BATCH = 100


async def tell_waiting(runtime: Runtime) -> int:
    """End the places of who was told and did not come; tell the next. Return how many were told.

    One reward is one transaction.
    """
    async with runtime.database.transaction() as tx:
        await reward_waits.lapse(tx, await moments.moment(tx))
    total, after = 0, None
    while True:
        async with runtime.database.read() as tx:
            awaited = await reward_waits.awaited(tx, after, BATCH)
        for reward_id in awaited:
            async with runtime.database.transaction() as tx:
                total += await reward_waits.tell(tx, reward_id, await moments.moment(tx))
        if len(awaited) < BATCH:
            return total
        after = awaited[-1]


JOBS = (Job("tell-waiting", tell_waiting, every=60, by_clock=True),)
