"""A refresh token is good once: one successor, and no mercy for a copy that comes later."""

import asyncio
from collections import Counter
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import true

from app.api.guesses import LOGIN_GUESS
from app.queries import auth as queries
from app.runtime import Runtime
from app.services import auth
from app.services.auth import REUSE_GRACE
from tests.concurrency.rushes import client_of
from tests.conftest import ScratchFactory
from tests.factories.http import assert_refused, bearer, log_in
from tests.factories.logins import age, refresh

ME = "/api/v1/me"
# As if the token were spent a minute from now: a slow machine is no reason to fail.
A_MINUTE_TO_GO = timedelta(minutes=-1)


def client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def rush(
    app: FastAPI, api: httpx.AsyncClient, number: int = 50
) -> tuple[Counter[str], str, list[str]]:
    """Present one token many times at once, to several workers.

    Returns how often there was which answer, the token, and its successors.
    """
    token = (await log_in(api))["refresh_token"]
    async with client_of(app) as (workers, _):
        path, body = "/api/v1/auth/refresh", {"refresh_token": token}
        replies = await asyncio.gather(*(workers.post(path, json=body) for _ in range(number)))
    answers = Counter(reply.json().get("code", "a successor") for reply in replies)
    successors = [r.json()["refresh_token"] for r in replies if r.status_code == 200]
    return answers, token, successors


async def test_of_fifty_at_once_one_gets_a_successor_that_works(
    app: FastAPI, api: httpx.AsyncClient, runtime: Runtime
) -> None:
    answers, token, successors = await rush(app, api)

    assert answers == {"a successor": 1, "auth.refresh_reused": 49}
    second = await refresh(api, successors[0])
    assert second.status_code == 200

    await age(runtime, token)
    assert_refused(await refresh(api, token), 401, "auth.refresh_reused")
    assert_refused(await refresh(api, second.json()["refresh_token"]), 401, "auth.token_invalid")
    dead = bearer(second.json()["access_token"])
    assert_refused(await api.get(ME, headers=dead), 401, "auth.token_invalid")


async def test_control_without_the_grace_the_losers_end_the_login(
    app: FastAPI, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less than nothing: a loser may have looked at the clock before the winner did.
    monkeypatch.setattr(auth, "REUSE_GRACE", timedelta(minutes=-1))

    _, _, successors = await rush(app, api)

    assert_refused(await refresh(api, successors[0]), 401, "auth.token_invalid")


async def test_control_without_the_condition_many_get_a_successor(
    app: FastAPI, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "is_unused", true)

    answers, _, _ = await rush(app, api)

    assert answers["a successor"] > 1


@pytest.mark.parametrize("early", [True, False], ids=["within the grace", "after it"])
async def test_the_grace_ends_on_time(
    api: httpx.AsyncClient, runtime: Runtime, *, early: bool
) -> None:
    login = await log_in(api)
    successor = (await refresh(api, login["refresh_token"])).json()
    await age(runtime, login["refresh_token"], A_MINUTE_TO_GO if early else REUSE_GRACE)

    reused = await refresh(api, login["refresh_token"])

    assert_refused(reused, 401, "auth.refresh_reused")
    alive = (await api.get(ME, headers=bearer(successor["access_token"]))).status_code == 200
    assert alive is early
    assert (await refresh(api, successor["refresh_token"])).status_code == (200 if early else 401)


async def test_within_the_grace_nobody_gets_a_token(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The thief of a token that was just spent gains nothing by being quick."""
    login = await log_in(api)
    await refresh(api, login["refresh_token"])
    await age(runtime, login["refresh_token"], A_MINUTE_TO_GO)

    for _ in range(3):
        reused = await refresh(api, login["refresh_token"])
        assert_refused(reused, 401, "auth.refresh_reused")
        assert "refresh_token" not in reused.json()


async def test_two_pages_of_every_phone_in_a_hall_are_no_guesses(scratch: ScratchFactory) -> None:
    """All of them have one address; only tokens that were never issued count against it."""
    async with scratch(rate_limits="on") as app, client(app) as api:
        token = (await log_in(api))["refresh_token"]
        await refresh(api, token)
        await age(app.state.runtime, token, A_MINUTE_TO_GO)
        for _ in range(LOGIN_GUESS.burst):
            assert_refused(await refresh(api, token), 401, "auth.refresh_reused")
        assert (await refresh(api, (await log_in(api))["refresh_token"])).status_code == 200
