"""HEAD is answered wherever GET is: the same head, no body."""

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.api.access import routes_with_access_rules
from tests.factories.http import bearer, log_in

API = "/api/v1"
# The headers that differ from one reply to the next.
OWN = {"x-request-id", "ratelimit", "date"}
# Without /readyz, whose body and so its tag has the ages of jobs.
PLAIN = (
    *("/healthz", "/docs", "/openapi.json", "/", f"{API}/orgs", f"{API}/activities"),
    *(f"{API}/activities?limit=0", f"{API}/activities/nope", f"{API}/me", f"{API}/nothing"),
    *(f"{API}/me/points/entries.csv", f"{API}/me/card", f"{API}/me/card/code"),
)


@pytest_asyncio.fixture(scope="module")
async def headers(api: httpx.AsyncClient) -> dict[str, str]:
    return bearer((await log_in(api))["access_token"])


def head_of(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in OWN}


@pytest.mark.parametrize("path", PLAIN)
@pytest.mark.parametrize("logged_in", [True, False])
async def test_the_head_is_that_of_get(
    api: httpx.AsyncClient, headers: dict[str, str], path: str, *, logged_in: bool
) -> None:
    given = headers if logged_in else {}
    whole = await api.get(path, headers=given)
    head = await api.head(path, headers=given)
    assert head.status_code == whole.status_code
    assert head.content == b""
    assert head_of(head) == head_of(whole)
    if whole.content:
        assert head.headers["content-length"] == str(len(whole.content))


async def test_a_tag_that_is_known_is_not_sent_again(api: httpx.AsyncClient) -> None:
    known = {"If-None-Match": (await api.head(f"{API}/orgs")).headers["etag"]}
    assert (await api.head(f"{API}/orgs", headers=known)).status_code == 304


async def test_every_route_of_get_has_one(app: FastAPI, api: httpx.AsyncClient) -> None:
    """None is 405. Ids are unknown and parameters missing: that is another refusal."""
    paths = [
        str(route.path)
        for route, _ in routes_with_access_rules(app)
        if "GET" in (route.methods or ())
    ]
    assert len(paths) > 40
    replies = [await api.head(path.replace("{", "").replace("}", "")) for path in paths]
    assert 405 not in {reply.status_code for reply in replies}
    assert {reply.content for reply in replies} == {b""}


async def test_where_there_is_no_get_there_is_no_head(api: httpx.AsyncClient) -> None:
    refused = await api.head(f"{API}/checkins")
    assert (refused.status_code, refused.content) == (405, b"")
    assert refused.headers["allow"] == "OPTIONS, POST"
    told = (await api.delete(f"{API}/activities")).headers["allow"]
    assert told == "GET, HEAD, OPTIONS, POST"


async def test_the_document_describes_get_alone(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    assert {method for one in paths.values() for method in one} == {"get", "post", "put", "delete"}
