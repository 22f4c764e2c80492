"""Runs of the worker's jobs, without a worker."""

from app.core.settings import Settings
from app.jobs import worker
from app.runtime import Runtime
from app.services import jobs
from tests.engines import as_owner


async def all_ran(settings: Settings, runtime: Runtime, **seconds_ago: int) -> None:
    """Let every job have run just now, but for some: so many seconds ago."""
    async with runtime.database.transaction() as tx:
        for job in worker.jobs():
            await jobs.record(tx, job.name)
    for name, seconds in seconds_ago.items():
        ran = f"last_run_at = now() - interval '{seconds} seconds'"
        where = f"name = '{name.replace('_', '-')}'"
        await as_owner(settings, f"UPDATE job_runs SET {ran} WHERE {where}")  # noqa: S608
