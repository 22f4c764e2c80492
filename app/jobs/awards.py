"""What time releases: awards whose hours or public notice are over."""

from app.core.clock import now
from app.jobs.batches import in_batches
from app.runtime import Runtime
from app.services import awards

BATCH = 200


async def release(runtime: Runtime) -> int:
    """Release what is due; return how many."""
    return await in_batches(runtime, BATCH, lambda tx: awards.release_due(tx, now(), BATCH))
