"""Jobs that act by the clock do nothing when it has jumped, until it is back or confirmed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
import structlog
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlmodel import select
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from app.cli import attached
from app.cli import jobs as command
from app.core.clock import midnight, now
from app.core.db import Session
from app.core.errors import ClockWrong
from app.jobs import expiry, worker
from app.jobs.job import Job
from app.models.audit import AuditEntry
from app.runtime import Runtime
from app.services import jobs
from app.services.ledger import expiry as lots
from app.services.ledger import moments
from tests.factories.clock import same_host, travel
from tests.factories.http import in_process
from tests.factories.jobs import all_ran
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import make_person
from tests.faults.waiting import eventually

A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)
# What only tells, feeds or asks again: a wrong clock does no harm that the next run does not mend.
HARMLESS = {
    *("check-pictures-again", "flag-checkins", "leaderboards", "nightly-rebuild", "outbox"),
    *("notify-of-seals", "policy-simulations", "post-seals", "publish-seals"),
    *("send-subscriptions", "sweep-merges", "verify-ledger"),
    # A webhook that is disabled too early is enabled again by its keeper, and replayed.
    *("derive-webhook-events", "deliver-webhooks", "deliver-to-slow-webhooks"),
}


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


def test_every_job_that_acts_by_the_clock_says_so() -> None:
    assert {job.name for job in worker.jobs() if not job.by_clock} == HARMLESS


class Counted:
    """A job that counts its runs."""

    def __init__(self, *, by_clock: bool = True) -> None:
        self.runs = 0
        self.job = Job("counted", self.run, every=60, by_clock=by_clock)

    async def run(self, _: Runtime) -> int:
        self.runs += 1
        return 1


async def held(runtime: Runtime) -> list[str]:
    async with runtime.database.read() as tx:
        return await jobs.held(tx)


@pytest.mark.parametrize("jump", [25 * AN_HOUR, -25 * AN_HOUR, 800 * A_DAY])
async def test_a_job_is_held_while_the_clock_has_jumped(runtime: Runtime, jump: timedelta) -> None:
    one = Counted()
    assert await worker._run(runtime, one.job) == "done"

    with travel(now() + jump):
        assert [await worker._run(runtime, one.job) for _ in range(2)] == ["held"] * 2
        assert await held(runtime) == ["counted"]
    assert one.runs == 1

    assert await worker._run(runtime, one.job) == "done"  # the clock is back
    assert await held(runtime) == []


@pytest.mark.parametrize("jump", [23 * AN_HOUR, -23 * AN_HOUR])
async def test_a_job_goes_on_within_a_day(runtime: Runtime, jump: timedelta) -> None:
    one = Counted()
    await worker._run(runtime, one.job)
    with travel(now() + jump):
        assert await worker._run(runtime, one.job) == "done"


async def test_other_jobs_run_whatever_the_clock_says(runtime: Runtime) -> None:
    one = Counted(by_clock=False)
    await worker._run(runtime, one.job)
    with travel(now() + 800 * A_DAY):
        assert await worker._run(runtime, one.job) == "done"
    assert await held(runtime) == []


async def test_points_outlive_a_clock_that_is_wrong_for_a_minute(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 45, expires_at=now() + 700 * A_DAY)
    [job] = [job for job in expiry.JOBS if job.name == "expire-lots"]
    await worker._run(runtime, job)

    with travel(now() + 800 * A_DAY):
        await worker._run(runtime, job)
    await worker._run(runtime, job)
    assert await balance(runtime, person.id) == 45

    # Control: without the guard they are gone.
    monkeypatch.setattr(moments, "JUMP", 900 * A_DAY)
    with travel(now() + 800 * A_DAY):
        await worker._run(runtime, job)
    assert await balance(runtime, person.id) == 0


async def test_a_jump_in_the_middle_of_a_run_ends_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is right when the run begins, and wrong from its second transaction on."""
    monkeypatch.setattr(expiry, "BATCH", 1)
    people = [await make_person(runtime) for _ in range(3)]
    for person in people:
        await give_points(runtime, person.id, 5, expires_at=now() - AN_HOUR)
        await give_points(runtime, person.id, 40, expires_at=now() + 700 * A_DAY)
    real = lots.expire_lots
    [job] = [job for job in expiry.JOBS if job.name == "expire-lots"]
    with travel(now(), tick=True) as clock:

        async def once(tx: Session, *, at: datetime, limit: int) -> int:
            done = await real(tx, at, limit)
            clock.shift(800 * A_DAY)
            return done

        monkeypatch.setattr(lots, "expire_lots", once)
        with pytest.raises(ClockWrong):
            await worker._run(runtime, job)
    monkeypatch.setattr(lots, "expire_lots", real)
    await worker._run(runtime, job)

    assert [await balance(runtime, person.id) for person in people] == [40] * 3
    await assert_ledger_verifies(runtime)


async def test_nothing_runs_while_the_clocks_disagree(runtime: Runtime) -> None:
    one = Counted()
    runtime.database.clock.forget()
    with same_host(timedelta(minutes=3)), pytest.raises(ClockWrong):
        await worker._run(runtime, one.job)
    assert one.runs == 0


async def test_it_is_told_in_log_metrics_and_readiness(
    alone: FastAPI, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, stop = Counted(), asyncio.Event()
    await all_ran(runtime.settings, runtime)
    assert (await readiness(alone))["status"] == "ok"
    await worker._run(runtime, one.job)
    labels = {"job": "counted", "outcome": "held"}
    before = REGISTRY.get_sample_value("qingxiang_job_runs_total", labels) or 0

    async def held_thrice() -> bool:
        return (REGISTRY.get_sample_value("qingxiang_job_runs_total", labels) or 0) >= before + 3

    with capture_logs() as lines, travel(now() + 2 * A_DAY, tick=True):
        monkeypatch.setattr(jobs, "log", structlog.get_logger())
        loop = asyncio.create_task(worker._loop(runtime, Job("counted", one.run, 0.01, True), stop))
        await eventually(held_thrice)
        stop.set()
        await loop
        ready = await readiness(alone)

    assert [line["event"] for line in lines] == ["job_held"], "said once, not at each turn"
    assert (ready["status"], ready["held_jobs"]) == ("degraded", ["counted"])


async def readiness(application: FastAPI) -> dict[str, object]:
    async with in_process(application) as api:
        found: dict[str, object] = (await api.get("/readyz")).json()
    return found


@pytest.fixture
def confirm(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[Result]]:
    """Return how to run the command against the database of the test."""
    monkeypatch.setattr(attached, "get_settings", lambda: runtime.settings)

    async def invoke() -> Result:
        words = ["confirm-clock"]
        return await asyncio.to_thread(lambda: CliRunner().invoke(command.cli, words))

    return invoke


async def test_an_operator_confirms_the_clock(
    runtime: Runtime, confirm: Callable[[], Awaitable[Result]]
) -> None:
    """After two days without a worker, say. Audited; the jobs that were not tried yet go on too."""
    one = Counted()
    long_ago = now() - 2 * A_DAY
    with travel(long_ago):
        await worker._run(runtime, one.job)
        await worker._run(runtime, Job("other", one.run, 60, by_clock=True))
    assert await worker._run(runtime, one.job) == "held"

    done = await confirm()
    assert (done.exit_code, "These go on: counted, other." in done.output) == (0, True), done.output
    assert await worker._run(runtime, one.job) == "done"
    assert await held(runtime) == []
    again = await confirm()
    assert "No job was held." in again.output

    async with runtime.database.read() as tx:
        entries = (await tx.exec(select(AuditEntry).where(AuditEntry.verb == "confirmed"))).all()
    assert [(one.actor_id, one.facts["jobs"]) for one in entries] == [
        (None, "counted, other"),
        (None, ""),
    ]


async def test_a_clock_that_disagrees_cannot_be_confirmed(
    runtime: Runtime, confirm: Callable[[], Awaitable[Result]]
) -> None:
    with same_host(timedelta(minutes=3)):
        refused = await confirm()
    assert refused.exit_code == 1
    assert "clock" in refused.output


async def test_a_run_is_written_at_most_every_ten_seconds(runtime: Runtime) -> None:
    one = Counted(by_clock=False)
    start = midnight(now().date())
    for seconds, expected in ((0, 0), (9, 0), (11, 11), (5, 11), (-60, -60)):
        with travel(start + timedelta(seconds=seconds)):
            await worker._run(runtime, one.job)
        async with runtime.database.read() as tx:
            at = await tx.execute(text("SELECT begun_at FROM job_runs WHERE name = 'counted'"))
            assert at.scalar_one() == start + timedelta(seconds=expected)
