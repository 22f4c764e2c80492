"""Ends presences of which nobody checked out."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import checkouts

BATCH = 200


async def close_forgotten(runtime: Runtime) -> int:
    """End the presences of sessions that are over; return how many."""
    return await in_batches(runtime, BATCH, partial(checkouts.close_forgotten, limit=BATCH))


JOBS = (Job("close-forgotten-checkouts", close_forgotten, every=60, by_clock=True),)
