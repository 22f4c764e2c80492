"""Without Redis: what reads and what is proved goes on, what could be guessed does not."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.core.ratelimit import Limit
from app.main import create_app
from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity, make_attended
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import make_person
from tests.factories.rewards import make_card_codes, make_counter
from tests.faults.valkey import NOWHERE


@pytest.fixture(scope="module")
async def orphaned(app: FastAPI) -> AsyncIterator[FastAPI]:
    """An application on the tests' database whose Redis URL leads nowhere; limits are on."""
    runtime: Runtime = app.state.runtime
    changes = {"redis_url": NOWHERE, "rate_limits": "on"}
    application = create_app(runtime.settings.model_copy(update=changes))
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture(scope="module")
async def runtime(orphaned: FastAPI) -> Runtime:
    found: Runtime = orphaned.state.runtime
    return found


@pytest.fixture(scope="module")
async def api(orphaned: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(orphaned, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_it_is_ready_and_says_degraded(api: httpx.AsyncClient) -> None:
    response = await api.get("/readyz")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["redis"]) == ("degraded", "down")


@pytest.mark.parametrize("path", ["/activities", "/orgs", "/rewards"])
async def test_public_lists_are_read(api: httpx.AsyncClient, path: str) -> None:
    response = await api.get(f"/api/v1{path}")
    assert response.status_code == 200
    assert '"anonymous"' in response.headers["ratelimit"]


async def test_signing_up_and_checking_in_work(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, activity = await make_person(runtime), await make_activity(runtime)
    path = f"/api/v1/activities/{activity.id}/signups"
    signed_up = await api.post(path, json={}, headers=person.headers)
    assert (signed_up.status_code, signed_up.json()["status"]) == (201, "confirmed")
    code = {"code": current_code(runtime, activity)}
    checked_in = await api.post("/api/v1/checkins", json=code, headers=person.headers)
    assert (checked_in.status_code, checked_in.json()["points"]["available"]) == (201, 4)


async def test_the_leaderboard_comes_from_the_ledger(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    activity = await make_attended(runtime, person, org=org)
    code = {"code": current_code(runtime, activity)}
    await api.post("/api/v1/checkins", json=code, headers=person.headers)
    params = {"org_id": str(org.id), "period": "week"}
    board = await api.get("/api/v1/leaderboards", params=params, headers=person.headers)
    assert board.status_code == 200
    assert [item["points"] for item in board.json()["items"]] == [4]
    assert board.json()["me"] == {"rank": 1, "points": 4}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/auth/wechat", {"code": "anything"}), ("/auth/refresh", {"refresh_token": "anything"})],
)
async def test_nobody_logs_in(api: httpx.AsyncClient, path: str, body: dict[str, str]) -> None:
    response = await api.post(f"/api/v1{path}", json=body)
    assert_refused(response, 503, "service.busy")
    assert int(response.headers["retry-after"]) >= 1


async def test_nobody_guesses_pickup_codes(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter = await make_counter(runtime)
    path = "/api/v1/merchant/redemptions/collect"
    body = {"pickup_code": "ABCDEFGH"}
    response = await api.post(path, json=body, headers=keyed(counter.staff))
    assert_refused(response, 503, "service.busy")


async def test_nobody_guesses_card_codes(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter, person = await make_counter(runtime), await make_person(runtime)
    (code,) = await make_card_codes(runtime, person, 1)
    body = {"card_code": code, "points": 1}
    response = await api.post("/api/v1/merchant/charges", json=body, headers=keyed(counter.staff))
    assert_refused(response, 503, "service.busy")


async def test_a_forged_check_in_code_is_not_tried_for_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    response = await api.post("/api/v1/checkins", json={"code": "A" * 32}, headers=person.headers)
    assert_refused(response, 503, "service.busy")


async def test_logging_out_still_ends_the_login_here(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    token = person.headers["Authorization"].split()[1]
    await runtime.revocations.add(runtime.tokens.verify(token).family_id)
    response = await api.get("/api/v1/me", headers=person.headers)
    assert_refused(response, 401, "auth.token_invalid")


async def test_one_client_alone_is_still_limited(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.access.PERSON", Limit("person", burst=3, per_second=0.001))
    person = await make_person(runtime)
    statuses = [
        (await api.get("/api/v1/me/card", headers=person.headers)).status_code for _ in range(5)
    ]
    assert statuses == [200, 200, 200, 429, 429]
