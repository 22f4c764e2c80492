"""Offers of shifts end when the shift starts."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.swaps import offering

BATCH = 200


async def expire(runtime: Runtime) -> int:
    """End the offers of shifts that have begun; return how many."""
    return await in_batches(runtime, BATCH, partial(offering.expire, limit=BATCH))


JOBS = (Job("expire-swaps", expire, every=60, by_clock=True),)
