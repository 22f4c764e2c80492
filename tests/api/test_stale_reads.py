"""Public reads with a replica that is believed to be fresh and does not answer."""

import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.core.db_errors import Retry
from app.core.ids import new_id
from app.core.replicas import Replica
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.core.test_replicas import NOWHERE
from tests.factories.activities import make_activity
from tests.factories.people import make_person

PUBLIC = ("activities", "awards/notices", "leaderboards", "ledger/seals", "orgs", "rewards")


@pytest.fixture
async def app(scratch: ScratchFactory) -> AsyncIterator[FastAPI]:
    async with scratch(database_read_urls=(NOWHERE,)) as found:
        yield found


@pytest.fixture
def runtime(app: FastAPI) -> Runtime:
    found: Runtime = app.state.runtime
    return found


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
        yield client


@pytest.fixture
def replica(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Replica:
    """The replica, which is measured no more."""
    [found] = runtime.replicas.each

    async def look(_: object) -> None:
        pass

    monkeypatch.setattr(found, "look", look)
    return found


async def test_nobody_notices(api: httpx.AsyncClient, runtime: Runtime, replica: Replica) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)
    org = activity.org_id
    paths = [
        *(*PUBLIC, f"orgs/{org}/fund", f"orgs/{org}/fund/receipts", f"activities/{activity.id}"),
        f"attachments?subject_type=activity&subject_id={activity.id}",
        f"rewards.csv?org_id={org}&purpose=x",
    ]
    for path in paths:
        replica._to_read._closed_until, replica._as_of = 0, time.monotonic()
        reply = await api.get(path, headers=person.headers)
        assert reply.status_code == 200, path
        assert not replica.is_fresh, f"{path} was read from the replica"


async def test_who_has_written_does_not_meet_it(
    api: httpx.AsyncClient, runtime: Runtime, replica: Replica
) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)
    for one in (new_id(), activity.id):  # the first is refused, which writes nothing
        assert not await runtime.writers.has(person.id)
        reply = await api.post(f"activities/{one}/signups", headers=person.headers, json={})
    assert reply.status_code == 201
    assert await runtime.writers.has(person.id)
    replica._as_of = time.monotonic()
    for path in (*PUBLIC, f"activities/{activity.id}", "me/signups"):
        assert (await api.get(path, headers=person.headers)).status_code == 200
    assert replica.is_fresh, "nothing was read from it"


async def test_one_that_cancels_every_read_is_asked_once(
    api: httpx.AsyncClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery on a standby cancels queries, again and again, while it looks fresh."""

    async def cancel() -> None:
        raise Retry("40001")

    monkeypatch.setattr(replica, "_require_fresh", cancel)
    replica._as_of = time.monotonic()
    for path in PUBLIC:
        assert (await api.get(path)).status_code == 200, path
    assert replica.is_fresh


async def test_readiness_and_metrics_tell(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.replicas.each[0].look(runtime.replicas._notes)
    ready = (await api.get("http://test/readyz")).json()
    assert (ready["status"], ready["replicas"]) == (
        "degraded",
        [{"number": 1, "staleness_s": None, "is_used": False}],
    )
    metrics = (await api.get("http://test/metrics")).text
    assert 'qingxiang_replica_fresh{replica="1"} 0.0' in metrics
    assert 'qingxiang_replica_staleness_seconds{replica="1"} +Inf' in metrics
