"""The worker's loop: whatever a job meets, it runs again."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from app.core.errors import Busy
from app.core.redis import RedisDown
from app.jobs import worker
from app.jobs.job import Job
from app.runtime import Runtime


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
