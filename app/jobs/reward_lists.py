"""Announced lists of rewards are put in force when their time has come."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import reward_lists

BATCH = 1  # a list has up to 200 rewards


async def put_in_force(runtime: Runtime) -> int:
    """Put the lists in force that are due; return how many."""
    return await in_batches(runtime, BATCH, partial(reward_lists.put_due_in_force, limit=BATCH))


JOBS = (Job("put-reward-lists-in-force", put_in_force, every=30, by_clock=True),)
