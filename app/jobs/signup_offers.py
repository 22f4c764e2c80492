"""Places that were offered and not accepted in time go to the next who waits."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import signup_offers

BATCH = 100


async def pass_on(runtime: Runtime) -> int:
    """End the offers that are over, and pass the places on; return how many ended."""
    return await in_batches(runtime, BATCH, partial(signup_offers.pass_on, limit=BATCH))


async def fill_shifts(runtime: Runtime) -> int:
    """Give free places of shifts to who waits; return how many."""
    return await in_batches(runtime, BATCH, partial(signup_offers.fill_shifts, limit=BATCH))


JOBS = (
    Job("pass-on-offers", pass_on, every=30, by_clock=True),
    Job("fill-shifts", fill_shifts, every=60, by_clock=True),
)
