"""Reminders of the next day's activities to the people who signed up."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import signups

BATCH = 200


async def remind(runtime: Runtime) -> int:
    """Remind people of activities of tomorrow (Asia/Shanghai); return the number of reminders."""
    return await in_batches(runtime, BATCH, partial(signups.remind, limit=BATCH))


JOBS = (Job("remind-of-activities", remind, every=300, by_clock=True),)
