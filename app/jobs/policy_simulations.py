"""Simulations of drafts of points rules that administrators asked for."""

import structlog

from app.core.db import ReadPool, Session
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import jobs
from app.services.policy_simulations import running
from app.services.policy_simulations.running import Overtaken

log = structlog.get_logger(__name__)
NAME = "policy-simulations"


async def simulate(runtime: Runtime) -> int:
    """Run the simulations that wait, one after the other; return how many.

    Each reads one snapshot, on a connection without time-outs, as a year of a city takes minutes.
    Safe with two workers, and when one is killed: see ``running``. A worker that is told to stop
    ends its simulation first; if it is killed for taking too long, another begins that one again.
    """
    count = 0
    while True:
        async with runtime.database.transaction() as tx:
            claimed = await running.claim(tx)
        if claimed is None:
            return count
        assert runtime.settings.database_url is not None
        pool = ReadPool(runtime.settings.database_url, size=1, patient=True)
        try:
            await running.run(runtime.database, pool, claimed, _alive)
        except Overtaken:
            log.info("simulation_overtaken", attempt=claimed.attempt)
        finally:
            await pool.close()
        count += 1


async def _alive(tx: Session) -> None:
    """Record the job as one that runs: a long simulation does not make it overdue."""
    await jobs.record(tx, NAME)


JOBS = (Job(NAME, simulate, every=1),)
