"""What time releases: awards whose hours or public notice are over."""

from app.core.clock import now
from app.runtime import Runtime
from app.services import awards

BATCH = 200


async def release(runtime: Runtime) -> int:
    """Release what is due, so many a transaction; return how many.

    A kill between two transactions, or within one, leaves the rest for the next run.
    """
    released = 0
    while True:
        async with runtime.database.transaction() as tx:
            done = await awards.release_due(tx, now(), BATCH)
        released += done
        if done < BATCH:
            return released
