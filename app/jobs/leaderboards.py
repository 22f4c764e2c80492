"""The feeder of the leaderboards."""

from app.core.clock import local_date, now
from app.core.redis import RedisDown
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.leaderboards import feeding


async def feed(runtime: Runtime) -> int:
    """Bring the boards up to the ledger; with Redis down, try again at the next turn."""
    try:
        return await feeding.feed(runtime.database, runtime.boards)
    except RedisDown:
        return 0


class NightlyRebuild:
    """Rebuilds once a Shanghai day: whoever turned 14 appears from then on.

    The day on which it is made counts as rebuilt.
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
