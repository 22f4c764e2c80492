"""Leaderboards: the feed from the ledger, and the nightly rebuild."""

from app.core.clock import local_date, now
from app.core.redis import RedisDown
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.leaderboards import feeding


async def feed(runtime: Runtime) -> int:
    """Apply new ledger entries to the boards. Returns 0 with Redis down; the next run retries."""
    try:
        return await feeding.feed(runtime.database, runtime.boards)
    except RedisDown:
        return 0


class NightlyRebuild:
    """Rebuilds the boards once per Shanghai day, to add people who turned 14.

    The day on which the object is made counts as done.
    """

    def __init__(self) -> None:
        self._day = local_date(now())

    async def __call__(self, runtime: Runtime) -> int:
        today = local_date(now())
        if today == self._day:
            return 0
        try:
            counted = await feeding.rebuild(runtime.database, runtime.boards)
        except RedisDown:
            return 0
        self._day = today
        return counted


JOBS = (
    Job("leaderboards", feed, every=0.5),
    Job("nightly-rebuild", NightlyRebuild(), every=60),
)
