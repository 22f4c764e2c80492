"""The worker: runs every job in a loop of its own until SIGTERM or SIGINT.

Any number of workers may run; the docstring of each job says why that is safe.
"""

import asyncio
import contextlib
import signal
import time
from importlib import import_module
from pkgutil import iter_modules

import structlog
from prometheus_client import start_http_server

from app import jobs as package
from app.core.errors import Busy, ClockWrong
from app.core.metrics import job_runs_total
from app.core.parent_watch import watch_parent
from app.core.redis import RedisDown
from app.core.settings import Settings
from app.jobs.job import Job
from app.runtime import Runtime, open_runtime
from app.services import jobs as runs
from app.services.health import NotReady, require_current_schema, require_own_secret

log = structlog.get_logger(__name__)
# Seconds between two records of the runs of one job. Some run twice a second, and a job is
# overdue after a minute at the earliest.
RECORD_EVERY_S = 10.0
SCHEMA_EVERY_S = 1.0  # between two looks at another release's schema
MACHINERY = {"batches", "job", "worker"}  # modules of this package without JOBS


def jobs() -> list[Job]:
    """Return the ``JOBS`` of every module of this package, in no particular order."""
    names = {module.name for module in iter_modules(package.__path__)} - MACHINERY
    modules = [import_module(f"{package.__name__}.{name}") for name in sorted(names)]
    found = [job for module in modules for job in module.JOBS]
    assert len({job.name for job in found}) == len(found), "two jobs have the same name"
    return found


async def run(settings: Settings) -> None:
    """Run all jobs until SIGTERM or SIGINT."""
    if settings.worker_metrics_port is not None:
        start_http_server(settings.worker_metrics_port, settings.host)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    with watch_parent():
        async with open_runtime(settings) as runtime, asyncio.TaskGroup() as group:
            await _wait_for_schema(runtime, stop)
            if stop.is_set():  # it has not been ready, and nobody has checked the secret
                return
            log.info("worker_ready")
            for job in jobs():
                group.create_task(_loop(runtime, job, stop))


async def _wait_for_schema(runtime: Runtime, stop: asyncio.Event) -> None:
    """Return once the schema is that of this release: jobs could not read another one's rows.

    Then the secret is checked, which was not possible at the start. Raises AnotherSecret.
    """
    while not stop.is_set():
        try:
            async with runtime.database.transaction() as tx:
                await require_current_schema(tx)
                await require_own_secret(tx, runtime.settings.secrets)
        except (Busy, NotReady) as reason:
            log.warning("worker_waits_for_schema", reason=type(reason).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SCHEMA_EVERY_S)
        else:
            return


async def _loop(runtime: Runtime, job: Job, stop: asyncio.Event) -> None:
    """Run a job repeatedly. A failure is logged and the job runs again after its pause.

    Completed runs are recorded; a job that always fails becomes overdue.
    """
    record_at = time.monotonic()
    while not stop.is_set():
        try:
            outcome = await _run(runtime, job)
            if outcome == "done" and time.monotonic() >= record_at:
                async with runtime.database.transaction() as tx:
                    await runs.record(tx, job.name)
                record_at = time.monotonic() + RECORD_EVERY_S
        except (Busy, ClockWrong, RedisDown) as trouble:  # not a fault of the job: no stack trace
            outcome = "failed"
            log.warning("job_waits", job=job.name, error=type(trouble).__name__)
        except Exception as error:
            outcome = "failed"
            log.exception("job_failed", job=job.name, error=type(error).__name__)
        job_runs_total.labels(job.name, outcome).inc()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), job.every)


async def _run(runtime: Runtime, job: Job) -> str:
    """Run a job once, unless it is held; return the outcome."""
    async with runtime.database.transaction() as tx:
        may_run = await runs.begin(tx, job.name, by_clock=job.by_clock)
    if not may_run:
        return "held"
    await job.run(runtime)
    return "done"
