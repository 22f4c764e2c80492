"""Reviewing tiers: promotions are written down, graces begin, and whose grace is over goes down."""

from app.jobs.job import Job
from app.runtime import Runtime
from app.services import tiers
from app.services.ledger import moments

BATCH = 500


async def review(runtime: Runtime) -> int:
    """Review everybody, a transaction for each batch; return how many tiers were written."""
    total, after = 0, None
    while True:
        async with runtime.database.transaction() as tx:
            at = await moments.moment(tx)
            after, written = await tiers.review(tx, after, BATCH, at)
        total += written
        if after is None:
            return total


JOBS = (Job("review-tiers", review, every=6 * 3600, by_clock=True),)
