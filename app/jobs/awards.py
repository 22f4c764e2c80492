"""Release of awards whose waiting hours or public notice are over."""

from functools import partial

from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.awards import release as awards_release

BATCH = 200


async def release(runtime: Runtime) -> int:
    """Release the awards that are due; return how many."""
    return await in_batches(runtime, BATCH, partial(awards_release.release_due, limit=BATCH))


JOBS = (Job("release-awards", release, every=10, by_clock=True),)
