"""CORS: pages of listed origins may call the API and read what they need; nobody else's."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Message

from app.api import middleware
from app.main import create_app
from app.runtime import Runtime
from tests.factories.http import assert_refused
from tests.factories.people import make_person

H5, DESK, FOREIGN = "https://h5.example.org", "https://desk.example.org:8443", "https://evil.test"
PATH = "/api/v1/redemptions"
ASKED = "authorization,content-type,idempotency-key,if-match,if-none-match,accept-language"


@pytest.fixture
async def pages(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that pages of two origins may call."""
    settings = runtime.settings.model_copy(update={"web_origins": (H5, DESK)})
    application = create_app(settings)
    application.state.runtime = runtime
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def preflight(origin: str, *, method: str = "POST", headers: str = ASKED) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


def marks(response: httpx.Response) -> set[str]:
    return {name for name in response.headers if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [H5, DESK])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
async def test_a_listed_origin_may_send_what_clients_send(
    pages: httpx.AsyncClient, origin: str, method: str
) -> None:
    response = await pages.options(PATH, headers=preflight(origin, method=method))
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert method in response.headers["access-control-allow-methods"].split(", ")
    allowed = response.headers["access-control-allow-headers"].lower().split(", ")
    assert {*ASKED.split(",")} <= {*allowed}
    assert "access-control-allow-credentials" not in response.headers
    assert "Origin" in response.headers["vary"]
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("asked", [{"method": "PATCH"}, {"headers": "cookie"}])
async def test_nothing_else_may_be_sent(pages: httpx.AsyncClient, asked: dict[str, str]) -> None:
    assert (await pages.options(PATH, headers=preflight(H5, **asked))).status_code == 400


async def test_a_page_reads_what_it_needs_of_a_reply(
    pages: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    response = await pages.get("/api/v1/me/points", headers=person.headers | {"Origin": H5})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == H5
    assert "Origin" in response.headers["vary"]
    read = {*response.headers["access-control-expose-headers"].lower().split(", ")}
    named = {"etag", "retry-after", "idempotency-replayed", "ratelimit", "ratelimit-policy"}
    assert named <= read


async def test_refusals_are_read_too(
    pages: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early ones and crashes as well: a page shows what it cannot do, and when to try again."""
    refused = await pages.post(PATH, headers={"Origin": H5})
    assert_refused(refused, 401, "auth.login_required")
    assert refused.headers["access-control-allow-origin"] == H5
    monkeypatch.setattr(middleware, "MAX_IN_FLIGHT", 0)
    busy = await pages.get("/api/v1/orgs", headers={"Origin": H5})
    assert_refused(busy, 503, "service.busy")
    assert busy.headers["access-control-allow-origin"] == H5
    assert "access-control-allow-origin" not in (await pages.get("/api/v1/orgs")).headers


@pytest.mark.parametrize(
    "origin",
    [FOREIGN, "null", "*", "", f"{H5}.evil.test", f"{H5}/", H5.upper(), "http://h5.example.org"],
)
async def test_no_other_origin_is_told_anything(pages: httpx.AsyncClient, origin: str) -> None:
    refused = await pages.options(PATH, headers=preflight(origin))
    assert_refused(refused, 405, "request.method_not_allowed")
    assert marks(refused) == set()
    reply = await pages.get("/api/v1/orgs", headers={"Origin": origin})
    assert reply.status_code == 200
    assert "access-control-allow-origin" not in reply.headers


async def test_by_default_there_is_none(api: httpx.AsyncClient) -> None:
    refused = await api.options(PATH, headers=preflight(H5))
    assert_refused(refused, 405, "request.method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    reply = await api.get("/api/v1/orgs", headers={"Origin": H5})
    assert marks(refused) | marks(reply) == set()


async def test_a_preflight_counts_for_no_limit(
    pages: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counted(*_: object, **__: object) -> None:
        raise AssertionError("a preflight is no request of somebody")

    monkeypatch.setattr(runtime.limiter, "take", counted)
    assert (await pages.options(PATH, headers=preflight(H5))).status_code == 200
    reply = await pages.get("/api/v1/orgs", headers={"Origin": H5})
    assert reply.status_code == 500, "the control: this one is counted"
    assert reply.headers["access-control-allow-origin"] == H5


async def test_an_application_with_origins_starts(runtime: Runtime) -> None:
    """The scope of its start has no method and no origin."""
    settings = runtime.settings.model_copy(update={"web_origins": (H5,)})
    application = create_app(settings)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup" if not sent else "lifespan.shutdown"}

    async def send(message: Message) -> None:
        sent.append(message)

    await application({"type": "lifespan", "state": {}}, receive, send)
    assert [one["type"] for one in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
