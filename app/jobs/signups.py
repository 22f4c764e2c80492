"""What comes tomorrow: people are reminded of the activities that they signed up to."""

from app.core.clock import now
from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import signups

BATCH = 200


async def remind(runtime: Runtime) -> int:
    """Remind people of activities of tomorrow (Asia/Shanghai); return how many were told."""
    return await in_batches(runtime, BATCH, lambda tx: signups.remind(tx, now(), BATCH))


JOBS = (Job("remind-of-activities", remind, every=300),)
