"""Deleting what is older than its retention period."""

from datetime import timedelta
from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import retention
from app.services.retention import Periods

BATCH = 1_000


async def forget(runtime: Runtime) -> int:
    """Delete ended logins, carried out closures and records of old notices; return the logins."""
    periods = Periods(
        logins=timedelta(days=runtime.settings.keep_logins_days),
        closures=timedelta(days=runtime.settings.keep_closures_days),
    )
    work = partial(retention.forget, periods=periods, limit=BATCH)
    return await in_batches(runtime, BATCH, work)


JOBS = (Job("keep-retention-periods", forget, every=6 * 3600, by_clock=True),)
