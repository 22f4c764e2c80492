"""Freezing the prices of lists whose funds cover too little, and ending that."""

from app.jobs.job import Job
from app.runtime import Runtime
from app.services import coverages
from app.services.ledger import moments


async def assess(runtime: Runtime) -> int:
    """Compare each fund whose points have a value with its liability; one transaction each."""
    async with runtime.database.read() as tx:
        found = await coverages.to_assess(tx, await moments.moment(tx))
    for org_id in found:
        async with runtime.database.transaction() as tx:
            await coverages.assess_one(tx, org_id, await moments.moment(tx))
    return len(found)


JOBS = (Job("fund-coverages", assess, every=300, by_clock=True),)
