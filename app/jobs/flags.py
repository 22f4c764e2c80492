"""Finds check-ins to review, and empties old positions."""

from app.jobs.job import Job
from app.runtime import Runtime
from app.services import flags


async def find(runtime: Runtime) -> int:
    """Flag the check-ins of the last day that cannot be; return how many are new."""
    async with runtime.database.transaction() as tx:
        return await flags.find(tx)


async def forget_positions(runtime: Runtime) -> int:
    """Empty the positions of check-ins that are a month old; return how many."""
    async with runtime.database.transaction() as tx:
        return await flags.forget_positions(tx)


JOBS = (
    Job("flag-checkins", find, every=300),
    Job("forget-positions", forget_positions, every=3600, by_clock=True),
)
