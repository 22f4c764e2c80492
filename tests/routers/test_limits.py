"""When the service must say "later": too many requests, and engines that do not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.api.access import PERSON
from app.api.guesses import CHECKIN_GUESS, CODE_GUESS
from app.runtime import Runtime
from app.services.code_locks import WRONG
from tests.conftest import ScratchFactory
from tests.factories.activities import current_code, make_activity, make_attended, sign_up
from tests.factories.http import assert_refused, in_process, keyed
from tests.factories.ledger import give_points
from tests.factories.people import make_people, make_person
from tests.factories.rewards import Counter, make_card_codes, make_counter, make_reward, reserve

API = "/api/v1"


@asynccontextmanager
async def limited(scratch: ScratchFactory) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """Give a client of an application whose rate limits are on."""
    async with scratch(rate_limits="on") as app, in_process(app) as api:
        yield api, app.state.runtime


async def test_a_person_who_asks_too_often_is_told_when_to_come_again(
    scratch: ScratchFactory,
) -> None:
    async with limited(scratch) as (api, runtime):
        hasty, calm = await make_person(runtime), await make_person(runtime)
        first = await api.get(f"{API}/me", headers=hasty.headers)
        # At once: one after the other a slow machine might never be too fast.
        replies = await asyncio.gather(
            *(api.get(f"{API}/me", headers=hasty.headers) for _ in range(2 * PERSON.burst))
        )
        response = next(reply for reply in replies if reply.status_code == 429)
        other = await api.get(f"{API}/me", headers=calm.headers)

    assert first.headers["ratelimit-policy"].startswith('"person";q=300')
    assert first.headers["ratelimit"].startswith('"person";r=299')
    assert_refused(response, 429, "request.rate_limited")
    wait = int(response.headers["retry-after"])
    assert wait >= 1
    assert response.json()["facts"] == {"limit": 300, "window": 15, "retry_after": wait}
    assert "ratelimit" in response.headers
    assert other.status_code == 200


async def test_ten_wrong_check_in_codes_lock_the_person(
    scratch: ScratchFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with limited(scratch) as (api, runtime):
        guesser, honest = await make_people(runtime, 2)
        activity = await make_attended(runtime, guesser)
        await sign_up(runtime, activity, honest)
        right = {"code": current_code(runtime, activity)}
        paths = cycle([f"{API}/checkins", f"{API}/checkouts", f"{API}/quest-visits"])

        async def guess(code: str = "A" * 32) -> httpx.Response:
            body = {"code": code}
            return await api.post(next(paths), headers=guesser.headers, json=body)

        wrong = [await guess() for _ in range(CHECKIN_GUESS.burst)]
        locked = [
            await api.post(f"{API}/checkins", headers=guesser.headers, json=right),
            *[await guess() for _ in range(3)],
        ]
        calls = _counted_calls(runtime, monkeypatch)
        other = await api.post(f"{API}/checkins", headers=honest.headers, json=right)
        asked = len(calls)
        me = await api.get(f"{API}/me", headers=guesser.headers)

    assert {reply.status_code for reply in wrong} == {422}
    for reply in locked:
        assert_refused(reply, 429, "request.rate_limited")
        assert 590 <= int(reply.headers["retry-after"]) <= 600
        assert reply.headers["ratelimit-policy"].startswith('"checkin_code"')
    assert (other.status_code, me.status_code) == (201, 200)
    assert asked == 1, "the limit is checked in the call that counts the request"


def _counted_calls(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of questions of each call of Redis."""
    calls: list[int] = []
    run = runtime.limiter._questions._run

    async def counted(questions: list[Any]) -> Any:
        calls.append(len(questions))
        return await run(questions)

    monkeypatch.setattr(runtime.limiter._questions, "_run", counted)
    return calls


@pytest.mark.parametrize(
    ("path", "body"),
    [("wechat", {"code": "wrong"}), ("refresh", {"refresh_token": "never-issued"})],
)
async def test_wrong_login_codes_and_refresh_tokens_run_out(
    scratch: ScratchFactory, path: str, body: dict[str, str]
) -> None:
    async with limited(scratch) as (api, _):
        for _ in range(1000):
            response = await api.post(f"{API}/auth/{path}", json=body)
            if response.status_code != 401:
                break

    assert_refused(response, 429, "request.rate_limited")
    assert response.headers["ratelimit-policy"].startswith('"login"'), "and no wider limit"
    assert int(response.headers["retry-after"]) >= 1


WRONG_CHARGE = ("charges", {"card_code": "0" * 18, "points": 1, "note": ""})
WRONG_PICKUP = ("redemptions/collect", {"pickup_code": "00000000"})


@pytest.mark.parametrize(("path", "body"), [WRONG_CHARGE, WRONG_PICKUP])
async def test_wrong_codes_at_a_counter_run_out(
    scratch: ScratchFactory, path: str, body: dict[str, Any]
) -> None:
    async with limited(scratch) as (api, runtime):
        guesser, honest = await make_counter(runtime), await make_counter(runtime)
        for _ in range(4 * CODE_GUESS.burst):
            response = await api.post(
                f"{API}/merchant/{path}", headers=keyed(guesser.staff), json=body
            )
            if response.status_code == 429:
                break
        other = await api.post(f"{API}/merchant/{path}", headers=keyed(honest.staff), json=body)

    if path == "charges":
        assert_refused(response, 429, "merchants.codes_locked")
    else:
        assert_refused(response, 429, "request.rate_limited")
        assert response.headers["ratelimit-policy"].startswith('"code"'), "and no wider limit"
    assert other.status_code in {404, 422}


async def test_wrong_codes_of_cards_count_for_who_enters_them_too(scratch: ScratchFactory) -> None:
    """The merchant's own lock comes first: what was counted is seen at another route."""
    async with limited(scratch) as (api, runtime):
        staff = (await make_counter(runtime)).staff
        replies = [
            await api.post(f"{API}/merchant/{path}", headers=keyed(staff), json=body)
            for path, body in [WRONG_CHARGE] * WRONG + [WRONG_PICKUP] * CODE_GUESS.burst
        ]

    assert 429 not in {one.status_code for one in replies[:WRONG]}
    barred = [one for one in replies[WRONG:] if one.status_code == 429]
    assert barred
    assert_refused(barred[0], 429, "request.rate_limited")


@pytest.mark.parametrize("path", ["charges", "redemptions/collect"])
async def test_a_counter_with_too_many_wrong_codes_still_gets_a_reply_again(
    scratch: ScratchFactory, path: str
) -> None:
    async with limited(scratch) as (api, runtime):
        counter = await make_counter(runtime)
        first, second = [await _good_code(runtime, counter, path) for _ in range(2)]
        wrong = {name: "0" * len(str(value)) for name, value in first.items() if "code" in name}
        headers, url = keyed(counter.staff), f"{API}/merchant/{path}"
        done = await api.post(url, headers=headers, json=first)
        for _ in range(4 * CODE_GUESS.burst):
            response = await api.post(url, headers=keyed(counter.staff), json=first | wrong)
            if response.status_code == 429:
                break
        again = await api.post(url, headers=headers, json=first)
        other = await api.post(url, headers=keyed(counter.staff), json=second)

    assert done.status_code in {200, 201}
    spent = "merchants.codes_locked" if path == "charges" else "request.rate_limited"
    assert_refused(response, 429, spent)
    assert (again.status_code, again.content) == (done.status_code, done.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert_refused(other, 429, spent)


async def _good_code(runtime: Runtime, counter: Counter, path: str) -> dict[str, Any]:
    """Return the body of a request that succeeds at a counter."""
    person = await make_person(runtime)
    await give_points(runtime, person.id, 10)
    if path == "charges":
        [code] = await make_card_codes(runtime, person, 1)
        return {"card_code": code, "points": 1, "note": ""}
    reserved = await reserve(runtime, person.id, await make_reward(runtime, counter))
    return {"pickup_code": reserved.pickup_code}


async def test_a_row_that_stays_locked_makes_the_service_busy(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)
    path = f"{API}/activities/{activity.id}/signups"

    async with runtime.database.transaction() as tx:
        await tx.execute(
            text("SELECT 1 FROM activities WHERE id = :id FOR UPDATE"), {"id": activity.id}
        )
        busy = await api.post(path, headers=person.headers, json={})
    after = await api.post(path, headers=person.headers, json={})

    assert_refused(busy, 503, "service.busy")
    assert int(busy.headers["retry-after"]) >= 1
    assert after.status_code == 201
