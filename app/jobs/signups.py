"""Reminders of activities to the people who signed up: the day before, and an hour before."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import signup_reminders

BATCH = 200


async def remind(runtime: Runtime) -> int:
    """Remind people of activities of tomorrow (Asia/Shanghai); return the number of reminders."""
    return await in_batches(runtime, BATCH, partial(signup_reminders.of_tomorrow, limit=BATCH))


async def remind_soon(runtime: Runtime) -> int:
    """Remind people of activities that begin within an hour; return the number of reminders."""
    work = partial(signup_reminders.of_the_next_hour, limit=BATCH)
    return await in_batches(runtime, BATCH, work)


JOBS = (
    Job("remind-of-activities", remind, every=300, by_clock=True),
    Job("remind-an-hour-before", remind_soon, every=120, by_clock=True),
)
