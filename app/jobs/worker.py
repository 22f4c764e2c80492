"""The worker: every job in a loop of its own, until the process is told to stop.

Any number of workers may run; each job says in its own file why that is safe.
"""

import asyncio
import contextlib
import signal
from importlib import import_module
from pkgutil import iter_modules

import structlog
from prometheus_client import start_http_server

from app import jobs as package
from app.core.errors import Busy
from app.core.metrics import job_runs_total
from app.core.parent_watch import watch_parent
from app.core.redis import RedisDown
from app.core.settings import Settings
from app.jobs.job import Job
from app.runtime import Runtime, open_runtime

log = structlog.get_logger(__name__)
MACHINERY = {"batches", "job", "worker"}  # the modules of this package that are no jobs


def jobs() -> list[Job]:
    """Return the ``JOBS`` of every module of this package; in which order does not matter."""
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
            log.info("worker_ready")
            for job in jobs():
                group.create_task(_loop(runtime, job, stop))


async def _loop(runtime: Runtime, job: Job, stop: asyncio.Event) -> None:
    """Run a job again and again. A failure is logged and tried again: a job never ends alone."""
    while not stop.is_set():
        try:
            await job.run(runtime)
            job_runs_total.labels(job.name, "done").inc()
        except (Busy, RedisDown) as trouble:  # an engine is away: said briefly, tried again
            job_runs_total.labels(job.name, "failed").inc()
            log.warning("job_waits", job=job.name, error=type(trouble).__name__)
        except Exception as error:
            job_runs_total.labels(job.name, "failed").inc()
            log.exception("job_failed", job=job.name, error=type(error).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), job.every)
