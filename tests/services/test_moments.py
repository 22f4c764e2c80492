"""The moment of a posting: refused while the clocks disagree, read again when one was set."""

from datetime import timedelta

import pytest
import structlog
import time_machine
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.core import server_clock
from app.core.clock import now
from app.core.db import Session
from app.core.errors import ClockWrong
from app.queries.ledger import closing as queries
from app.runtime import Runtime
from app.services.ledger import moments
from tests.factories.activities import current_code, make_attended
from tests.factories.clock import same_host
from tests.factories.http import assert_refused, in_process
from tests.factories.jobs import all_ran
from tests.factories.ledger import balance
from tests.factories.people import make_person

A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


async def is_dated(runtime: Runtime) -> bool:
    async with runtime.database.transaction() as tx:
        try:
            await moments.moment(tx)
        except ClockWrong:
            return False
    return True


@pytest.mark.parametrize(
    ("ahead", "dated"),
    [(0, True), (1.9, True), (-1.9, True), (2.1, False), (-2.1, False), (800 * 1440, False)],
)
async def test_clocks_may_differ_by_two_minutes(
    runtime: Runtime, ahead: float, dated: bool
) -> None:
    with same_host(ahead * A_MINUTE):
        runtime.database.clock.forget()
        assert await is_dated(runtime) is dated


async def test_a_check_in_is_refused_and_changes_nothing(alone: FastAPI, runtime: Runtime) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    await all_ran(runtime.settings, runtime)
    async with in_process(alone) as api:
        body = {"code": current_code(runtime, activity)}
        with same_host(3 * A_MINUTE):
            runtime.database.clock.forget()
            refused = await api.post("/api/v1/checkins", json=body, headers=person.headers)
            ready = (await api.get("/readyz")).json()
            metrics = (await api.get("/metrics")).text
        assert_refused(refused, 503, "service.clock")
        assert refused.headers["retry-after"] == refused.json()["facts"]["retry_after"].__str__()
        assert (ready["status"], ready["clock"]) == ("degraded", "wrong")
        assert "qingxiang_clock_offset_seconds 180." in metrics
        assert await balance(runtime, person.id) == 0

        runtime.database.clock.forget()
        done = await api.post("/api/v1/checkins", json=body, headers=person.headers)
        ready = (await api.get("/readyz")).json()
    assert done.status_code == 201
    assert (ready["status"], ready["clock"]) == ("ok", "ok")


@pytest.mark.parametrize("minutes", [1, 3, 800 * 1440])
async def test_what_posts_nothing_is_dated_by_postgresqls_clock(
    runtime: Runtime, minutes: int
) -> None:
    """Audit entries: a wrong clock neither refuses nor dates them."""
    with same_host(minutes * A_MINUTE):
        runtime.database.clock.forget()
        async with runtime.database.transaction() as tx:
            at = await moments.recorded(tx)
            assert abs(at + minutes * A_MINUTE - now()) < A_MINUTE


async def test_a_clock_that_was_set_is_noticed_at_once(runtime: Runtime) -> None:
    """Not after some seconds: the monotonic clock tells that the other one was set."""
    assert await is_dated(runtime)
    with time_machine.travel(now() + 3 * A_MINUTE):
        assert not await is_dated(runtime)
    assert await is_dated(runtime)


async def test_control_without_the_look_at_the_monotonic_clock(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_clock, "STEP", timedelta(days=900))
    assert await is_dated(runtime)
    with time_machine.travel(now() + 3 * A_MINUTE):
        assert await is_dated(runtime)


async def test_a_worker_refuses_what_is_a_day_from_its_last_check(runtime: Runtime) -> None:
    """Also if PostgreSQL's clock jumped with it: in the middle of a run nothing else would."""
    runtime.database.clock.confirmed = now() - timedelta(hours=25)
    assert not await is_dated(runtime)
    runtime.database.clock.confirmed = now() - timedelta(hours=23)
    assert await is_dated(runtime)


async def test_the_clock_is_read_once_in_some_seconds(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    real = queries.read_clock

    async def counted(session: Session) -> object:
        nonlocal reads
        reads += 1
        return await real(session)

    monkeypatch.setattr(queries, "read_clock", counted)
    for _ in range(5):
        assert await is_dated(runtime)
    assert reads == 1
    monkeypatch.setattr(server_clock, "FRESH_S", 0)
    assert await is_dated(runtime)
    assert reads == 2


async def test_it_is_said_in_the_log(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as lines, same_host(-3 * A_MINUTE):
        monkeypatch.setattr(moments, "log", structlog.get_logger())
        runtime.database.clock.forget()
        assert not await is_dated(runtime)
    [line] = lines
    assert (line["event"], line["log_level"]) == ("clock_wrong", "error")
    assert line["ahead_of_postgresql_s"] == pytest.approx(-180, abs=1)
