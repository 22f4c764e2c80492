"""What time releases: awards whose hours or public notice are over."""

from app.core.clock import now
from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.awards import release as awards_release

BATCH = 200


async def release(runtime: Runtime) -> int:
    """Release what is due; return how many."""
    return await in_batches(runtime, BATCH, lambda tx: awards_release.release_due(tx, now(), BATCH))


JOBS = (Job("release-awards", release, every=10),)
