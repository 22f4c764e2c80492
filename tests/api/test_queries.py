"""A query parameter that a route does not have is refused: ignored, it would filter nothing."""

import httpx
import pytest

from app.runtime import Runtime
from tests.factories.http import assert_refused
from tests.factories.people import make_person

API = "/api/v1"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/activities?organisation=1", "organisation"),
        ("/activities?limit=5&Limit=5", "Limit"),
        ("/rewards.csv?kindd=1&purpose=x", "kindd"),
        ("/me/points?x", "x"),  # a direct route
        ("/me/card?%00=1", "\0"),
        (f"/me/signups?{'y' * 100}=1", "y" * 40),
        ("/me/closure?limit=1", "limit"),  # before anything is looked up
    ],
)
async def test_an_unknown_parameter_is_refused_by_name(
    api: httpx.AsyncClient, runtime: Runtime, path: str, name: str
) -> None:
    person = await make_person(runtime)
    refused = await api.get(f"{API}{path}", headers=person.headers)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == [f"query.{name}"]


async def test_writes_refuse_it_too_and_change_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    refused = await api.put(f"{API}/me?force=1", headers=person.headers, json={})
    assert_refused(refused, 422, "request.invalid")
    unknown = await api.post(f"{API}/auth/wechat?debug=1", json={"code": "x"})
    assert_refused(unknown, 422, "request.invalid")


async def test_known_ones_and_pages_for_people_are_answered(api: httpx.AsyncClient) -> None:
    known = await api.get(f"{API}/activities?limit=1&q=&category=culture")
    assert known.status_code == 200, known.text
    for path in ("/docs?v=1", "/openapi.json?v=1", "/healthz?probe=a", "/c/x?from=timeline"):
        assert (await api.get(path)).status_code == 200, path


async def test_the_login_is_asked_for_first(api: httpx.AsyncClient) -> None:
    assert_refused(await api.get(f"{API}/me/points?x=1"), 401, "auth.login_required")
