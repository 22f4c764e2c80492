"""The worker's loop: whatever a job meets, it runs again."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
import structlog
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.core.errors import Busy
from app.core.redis import RedisDown
from app.core.settings import Settings
from app.embedded.databases import connect
from app.jobs import worker
from app.jobs.job import Job
from app.runtime import Runtime, open_runtime
from app.services import jobs
from app.services.health import AnotherSecret
from tests.faults.waiting import eventually


@pytest.mark.parametrize(
    ("trouble", "event"),
    [(Busy(), "job_waits"), (RedisDown(), "job_waits"), (RuntimeError("ours"), "job_failed")],
    ids=["PostgreSQL away", "Redis away", "a bug"],
)
async def test_a_job_that_fails_runs_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, trouble: Exception, event: str
) -> None:
    stop, runs = asyncio.Event(), 0

    async def job(_: Runtime) -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise trouble
        stop.set()
        return 0

    with capture_logs() as lines:
        # The module's logger was put together before, past the capture.
        monkeypatch.setattr(worker, "log", structlog.get_logger())
        async with asyncio.timeout(10):
            await worker._loop(runtime, Job("job", job, every=0.01), stop)

    assert runs == 2
    assert [line["event"] for line in lines] == [event]
    # An engine that is away is no bug of ours: a line each time, not a page.
    assert ("exc_info" in lines[0]) is (event == "job_failed")


async def run_until(
    runtime: Runtime, job: Callable[[Runtime], Awaitable[int]], name: str, stop: asyncio.Event
) -> float | None:
    """Run a job until it stops; return the age of its last recorded run."""
    async with asyncio.timeout(10):
        await worker._loop(runtime, Job(name, job, every=0.01), stop)
    async with runtime.database.read() as tx:
        [age] = await jobs.ages(tx, {name: 1})
    return age.age_s


async def test_a_run_is_recorded(runtime: Runtime) -> None:
    stop = asyncio.Event()

    async def job(_: Runtime) -> int:
        stop.set()
        return 0

    age = await run_until(runtime, job, "recorded", stop)
    assert age is not None
    assert 0 <= age < jobs.LEAST_S


async def test_a_job_that_always_fails_is_never_recorded(runtime: Runtime) -> None:
    stop, runs = asyncio.Event(), count(1)

    async def job(_: Runtime) -> int:
        if next(runs) == 3:
            stop.set()
        raise RuntimeError("ours")

    assert await run_until(runtime, job, "always failing", stop) is None


async def test_a_run_is_recorded_seldom(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some jobs run twice a second: each run would be one more commit."""
    stop, runs, recorded = asyncio.Event(), count(1), 0

    async def record(*_: object) -> None:
        nonlocal recorded
        recorded += 1

    async def job(_: Runtime) -> int:
        if next(runs) == 5:
            stop.set()
        return 0

    monkeypatch.setattr(jobs, "record", record)
    await run_until(runtime, job, "busy", stop)
    assert recorded == 1


async def test_jobs_wait_while_the_schema_is_that_of_another_release(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    owner = await connect(str(runtime.settings.migration_database_url))
    ours = await owner.fetchval("SELECT version_num FROM alembic_version")
    await owner.execute("UPDATE alembic_version SET version_num = '20991231_future'")

    waiting = asyncio.create_task(worker._wait_for_schema(runtime, asyncio.Event()))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.3)
    await owner.execute("UPDATE alembic_version SET version_num = $1", ours)
    await asyncio.wait_for(waiting, 10)
    await owner.close()


async def test_the_secret_is_checked_once_the_schema_is_current(alone: FastAPI) -> None:
    """Also of a worker that started before the migration, when it could not be."""
    runtime: Runtime = alone.state.runtime
    owner = await connect(str(runtime.settings.migration_database_url))
    ours = await owner.fetchval("SELECT version_num FROM alembic_version")
    await owner.execute("UPDATE alembic_version SET version_num = '20991231_future'")
    secret = {"secret_key": "another secret of at least 32 bytes", "secret_key_previous": None}
    settings = Settings.model_validate(runtime.settings.model_dump() | secret)

    async with open_runtime(settings) as other:
        waiting = asyncio.create_task(worker._wait_for_schema(other, asyncio.Event()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.3)
        await owner.execute("UPDATE alembic_version SET version_num = $1", ours)
        with pytest.raises(AnotherSecret):
            await asyncio.wait_for(waiting, 10)
    await owner.close()


async def test_a_worker_that_is_stopped_while_it_waits_for_the_schema_is_never_ready(
    alone: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has checked its secret, and the schema is still that of another release."""
    runtime: Runtime = alone.state.runtime
    owner = await connect(str(runtime.settings.migration_database_url))
    await owner.execute("UPDATE alembic_version SET version_num = '20991231_future'")
    await owner.close()

    with capture_logs() as lines:

        async def waits() -> bool:
            return "worker_waits_for_schema" in {line["event"] for line in lines}

        monkeypatch.setattr(worker, "log", structlog.get_logger())
        running = asyncio.create_task(worker.run(runtime.settings))
        await eventually(waits)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 10)

    assert "worker_ready" not in {line["event"] for line in lines}
