"""Around every request: the id, the host, the metrics."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.api import middleware
from app.api.middleware import RequestContext
from app.main import create_app
from app.runtime import Runtime
from tests.factories.http import assert_refused

PATH = "/api/v1/orgs"
DEADLINE_S = 5


def sample(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("qingxiang_http_requests_total", labels) or 0


@asynccontextmanager
async def for_hosts(runtime: Runtime, *hosts: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = runtime.settings.model_copy(update={"allowed_hosts": list(hosts)})
    application = create_app(settings)
    application.state.runtime = runtime
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_every_reply_has_an_id_of_its_own(api: httpx.AsyncClient) -> None:
    ids = {(await api.get("/healthz")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5
    assert all(UUID(one).version == 7 for one in ids)


async def test_the_id_of_a_front_proxy_is_kept(api: httpx.AsyncClient) -> None:
    given = f"proxy-{uuid4()}"
    response = await api.get("/nowhere", headers={"X-Request-ID": given})
    assert response.headers.get_list("x-request-id") == [given]
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "a\tbcdefgh", "äöüäöüäö", ""])
async def test_an_id_that_could_forge_a_log_line_is_replaced(
    api: httpx.AsyncClient, given: str
) -> None:
    headers = [(b"x-request-id", given.encode())]
    assert (await api.get("/healthz", headers=headers)).headers["x-request-id"] != given


async def test_a_reply_is_what_it_says_it_is(api: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/nowhere", "/openapi.json"):
        assert (await api.get(path)).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "api.example.cn.evil.example", "a/b", "[", "", "api.example.cn@evil"]
)
async def test_a_foreign_host_is_refused(runtime: Runtime, host: str) -> None:
    async with for_hosts(runtime, "api.example.cn") as client:
        response = await client.get("/api/v1/orgs", headers={"Host": host})
        assert_refused(response, 400, "request.host_not_allowed")


@pytest.mark.parametrize("host", ["api.example.cn", "API.example.cn", "api.example.cn:8443"])
async def test_our_own_host_is_served(runtime: Runtime, host: str) -> None:
    async with for_hosts(runtime, "api.example.cn") as client:
        response = await client.get("/api/v1/orgs", headers={"Host": host})
        assert response.status_code == 200


async def test_a_probe_knows_only_our_address(runtime: Runtime) -> None:
    async with for_hosts(runtime, "api.example.cn") as client:
        response = await client.get("/healthz", headers={"Host": "10.0.0.7:8000"})
        assert response.status_code == 200


async def test_in_development_any_host_is_served(api: httpx.AsyncClient) -> None:
    response = await api.get("/healthz", headers={"Host": "phone.local:8000"})
    assert response.status_code == 200


async def test_metrics_count_patterns_and_not_paths(api: httpx.AsyncClient) -> None:
    strange = uuid4()
    await api.get(f"/api/v1/activities/{strange}")
    page = (await api.get("/metrics")).text
    assert "{activity_id}" in page
    assert str(strange) not in page


async def test_a_stranger_cannot_make_metrics_grow(api: httpx.AsyncClient) -> None:
    before = sample("GET", "unmatched", 404)
    for _ in range(3):
        await api.get(f"/wp-admin/{uuid4()}")
    assert sample("GET", "unmatched", 404) == before + 3
    methods = [f"X{letter}" for letter in "ABCDEFGHIJKL"]
    for method in methods:
        await api.request(method, "/healthz")
    await api.request("A-VERY-STRANGE-METHOD", "/healthz")
    page = (await api.get("/metrics")).text
    assert "STRANGE" not in page


async def test_two_routes_of_one_word_are_counted_apart(api: httpx.AsyncClient) -> None:
    """The whole pattern: ``/wechat`` alone would not say whose."""
    before = sample("GET", "/api/v1/orgs", 200)
    await api.get("/api/v1/orgs")
    assert sample("GET", "/api/v1/orgs", 200) == before + 1


async def test_a_crash_is_counted_as_a_500() -> None:
    async def crashing(scope: Scope, receive: Receive, send: Send) -> None:
        # As Starlette does: it answers, and raises the error once more.
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        raise RuntimeError("ours")

    before = sample("GET", "unmatched", 500)
    transport = httpx.ASGITransport(RequestContext(crashing, ["*"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/")).headers["x-request-id"]
    assert sample("GET", "unmatched", 500) == before + 1


async def test_a_worker_that_is_full_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is one too many is told to come back; probes are answered all the same."""
    monkeypatch.setattr(middleware, "MAX_IN_FLIGHT", 2)
    arrived, may_go = asyncio.Semaphore(0), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.release()
        if scope["path"] == "/slow":
            await may_go.wait()
        await Response("done")(scope, receive, send)

    transport = httpx.ASGITransport(RequestContext(slow, ["*"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        # Who is let in would wait for ever: a deadline, and the group ends those inside.
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            inside = [group.create_task(client.get("/slow")) for _ in range(2)]
            for _ in inside:
                await arrived.acquire()
            refused, probe = await client.get("/slow"), await client.get("/healthz")
            may_go.set()
        later = await client.get("/slow")

    assert_refused(refused, 503, "service.busy")
    assert refused.headers["retry-after"] == "2"
    assert probe.status_code == 200
    assert [task.result().status_code for task in inside] == [200, 200]
    assert later.status_code == 200


async def test_a_request_leaves_nothing_for_the_collector(app: FastAPI) -> None:
    """It stops everything for what lies in a circle: a tenth of the time, and the slowest reply."""
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": PATH,
        "query_string": b"",
        "headers": [(b"host", b"test")],
    }
    statuses = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        statuses.append(message.get("status"))

    await app(dict(scope), receive, send)
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            await app(dict(scope), receive, send)
        left = gc.collect()
    finally:
        gc.enable()
    assert statuses.count(200) == 51
    assert left < 50, "less than one object a request"
