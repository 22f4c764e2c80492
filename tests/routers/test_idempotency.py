"""Idempotency-Key: a phone that lost the reply repeats, and gets the first reply."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.api.guesses import CODE_GUESS
from app.core.ratelimit import TAG
from app.models.people import Role
from app.queries import idempotency
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_administrator, make_person
from tests.factories.rewards import Counter, make_card_codes, make_counter, make_reward

API = "/api/v1"
REDEMPTIONS = f"{API}/redemptions"


async def make_order(runtime: Runtime, **reward: Any) -> tuple[TestPerson, dict[str, Any]]:
    """Make a person with 100 points and the body of a redemption of 10."""
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    made = await make_reward(runtime, await make_counter(runtime), **reward)
    return person, {"reward_id": str(made.id), "quantity": 1}


async def test_a_repeat_gets_the_first_reply_and_nothing_happens_twice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, body = await make_order(runtime)
    headers = keyed(person)

    first = await api.post(REDEMPTIONS, headers=headers, json=body)
    second = await api.post(REDEMPTIONS, headers=headers, json=body)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert await balance(runtime, person.id) == 90
    await assert_ledger_verifies(runtime)


async def test_no_cache_keeps_a_refusal_that_is_repeated(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    headers = keyed(await make_administrator(runtime, org.id))
    path = f"{API}/ledger/transfers/{uuid4()}/reversal"

    replies = [await api.post(path, headers=headers, json={"reason": "x"}) for _ in "ab"]

    for reply in replies:
        assert (reply.status_code, reply.json()["code"]) == (404, "ledger.transfer_not_found")
        assert reply.headers.get_list("cache-control") == ["no-store"]
    assert replies[1].headers["idempotency-replayed"] == "true"


async def test_a_refusal_is_repeated_too(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """The points that arrived meanwhile do not turn an old "no" into a purchase."""
    person, body = await make_order(runtime, points=101)
    headers = keyed(person)

    first = await api.post(REDEMPTIONS, headers=headers, json=body)
    await give_points(runtime, person.id, 100)
    second = await api.post(REDEMPTIONS, headers=headers, json=body)

    assert_refused(first, 409, "points.insufficient")
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["content-type"] == "application/problem+json"
    assert await balance(runtime, person.id) == 200


async def test_a_new_key_is_a_new_intent(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, body = await make_order(runtime)

    first = await api.post(REDEMPTIONS, headers=keyed(person), json=body)
    second = await api.post(REDEMPTIONS, headers=keyed(person), json=body)

    assert first.json()["id"] != second.json()["id"]
    assert await balance(runtime, person.id) == 80


async def test_one_key_serves_one_body(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, body = await make_order(runtime)
    headers = keyed(person)
    first = await api.post(REDEMPTIONS, headers=headers, json=body)

    other = await api.post(REDEMPTIONS, headers=headers, json=body | {"quantity": 2})
    again = await api.post(REDEMPTIONS, headers=headers, json=body)

    assert_refused(other, 422, "idempotency.key_reused")
    assert again.content == first.content
    assert await balance(runtime, person.id) == 90


async def test_one_key_serves_one_route(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter, person = await make_counter(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 100)
    charges = []
    for code in await make_card_codes(runtime, person, 2):
        response = await api.post(
            f"{API}/merchant/charges",
            headers=keyed(counter.staff),
            json={"card_code": code, "points": 10, "note": ""},
        )
        charges.append(response.json()["id"])
    headers, body = keyed(counter.staff), {"reason": "退"}

    first = await api.post(
        f"{API}/merchant/charges/{charges[0]}/refund", headers=headers, json=body
    )
    second = await api.post(
        f"{API}/merchant/charges/{charges[1]}/refund", headers=headers, json=body
    )

    assert first.status_code == 200
    assert_refused(second, 422, "idempotency.key_reused")
    assert await balance(runtime, person.id) == 90


async def test_the_quoted_and_the_bare_spelling_are_the_same_key(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, body = await make_order(runtime)
    key = str(uuid4())

    bare = await api.post(REDEMPTIONS, headers=keyed(person, key), json=body)
    quoted = await api.post(REDEMPTIONS, headers=keyed(person, f'"{key}"'), json=body)

    assert quoted.content == bare.content
    assert await balance(runtime, person.id) == 90


async def test_two_people_may_use_the_same_key(api: httpx.AsyncClient, runtime: Runtime) -> None:
    alice, body = await make_order(runtime)
    bob = await make_person(runtime)
    await give_points(runtime, bob.id, 100)
    key = str(uuid4())

    first = await api.post(REDEMPTIONS, headers=keyed(alice, key), json=body)
    second = await api.post(REDEMPTIONS, headers=keyed(bob, key), json=body)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert await balance(runtime, bob.id) == 90


@pytest.mark.parametrize("key", [None, "", "  ", '""'], ids=["none", "empty", "blank", "quotes"])
async def test_a_key_is_required(api: httpx.AsyncClient, runtime: Runtime, key: str | None) -> None:
    person, body = await make_order(runtime)
    headers = person.headers | ({"Idempotency-Key": key} if key is not None else {})

    response = await api.post(REDEMPTIONS, headers=headers, json=body)

    assert_refused(response, 400, "idempotency.key_missing")
    assert await balance(runtime, person.id) == 100


@pytest.mark.parametrize(
    "key",
    [b"x" * 256, "青享".encode(), b"\xff", b"tab\tinside", b"\x7f"],
    ids=["256 characters", "Chinese", "no UTF-8", "a control character", "DEL"],
)
async def test_a_key_has_up_to_255_visible_characters(
    api: httpx.AsyncClient, runtime: Runtime, key: bytes
) -> None:
    person, body = await make_order(runtime)
    authorization = (b"Authorization", person.headers["Authorization"].encode())

    response = await api.post(
        REDEMPTIONS, headers=[authorization, (b"Idempotency-Key", key)], json=body
    )

    assert_refused(response, 422, "idempotency.key_malformed")
    assert await balance(runtime, person.id) == 100


async def test_255_characters_of_any_visible_kind_are_a_key(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, body = await make_order(runtime)
    visible = "".join(chr(code) for code in range(33, 127))
    key = (visible * 3)[:255]

    first = await api.post(REDEMPTIONS, headers=keyed(person, key), json=body)
    second = await api.post(REDEMPTIONS, headers=keyed(person, key), json=body)

    assert first.status_code == 201
    assert second.content == first.content


async def test_every_write_that_a_phone_may_repeat_demands_a_key(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org_id, some_id = str(uuid4()), str(uuid4())
    staff = (await make_counter(runtime)).staff
    from_people = await _with_every_role(runtime, staff)
    award = {"rule_key": "x", "org_id": org_id, "person_ids": [some_id], "evidence": {}}
    charge = {"card_code": "1" * 18, "points": 1, "note": ""}

    for path, body in (
        ("redemptions", {"reward_id": some_id, "quantity": 1}),
        ("merchant/redemptions/collect", {"pickup_code": "00000000"}),
        ("merchant/charges", charge),
        (f"merchant/charges/{some_id}/refund", {"reason": "x"}),
        ("awards", award),
        (f"awards/{some_id}/approval", None),
        (f"ledger/transfers/{some_id}/reversal", {"reason": "x"}),
    ):
        response = await api.post(f"{API}/{path}", headers=from_people.headers, json=body)
        assert_refused(response, 400, "idempotency.key_missing")


async def _with_every_role(runtime: Runtime, staff: TestPerson) -> TestPerson:
    org = await make_org(runtime)
    async with runtime.database.transaction() as tx:
        for role in (Role.organizer, Role.administrator):
            await appoint(tx, staff.id, role, org=org.id)
    return staff


async def test_while_the_first_is_in_flight_a_repeat_is_told_to_wait(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, body = await make_order(runtime)
    key = str(uuid4())

    async with runtime.database.transaction() as first:
        assert await idempotency.claim(first, {(person.id, key): b"the same"})
        second = await api.post(REDEMPTIONS, headers=keyed(person, key), json=body)

    assert_refused(second, 409, "idempotency.in_flight")
    assert int(second.headers["retry-after"]) >= 1
    assert await balance(runtime, person.id) == 100


async def test_a_failure_is_not_kept_and_the_repeat_does_the_work(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, body = await make_order(runtime)
    headers = keyed(person)

    async def fail(*_: object) -> None:
        raise RuntimeError("for the test")

    with monkeypatch.context() as broken:
        broken.setattr("app.queries.redemptions.insert", fail)
        first = await api.post(REDEMPTIONS, headers=headers, json=body)
    second = await api.post(REDEMPTIONS, headers=headers, json=body)

    assert_refused(first, 500, "service.internal")
    assert "for the test" not in first.text
    assert second.status_code == 201
    assert await balance(runtime, person.id) == 90
    await assert_ledger_verifies(runtime)


async def test_too_many_requests_is_no_reply_to_keep(scratch: ScratchFactory) -> None:
    """The phone is told to come again: with the same key it must then get its answer."""
    async with scratch(rate_limits="on") as app:
        runtime: Runtime = app.state.runtime
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            counter, person = await make_counter(runtime), await make_person(runtime)
            await give_points(runtime, person.id, 10)
            good = (await make_card_codes(runtime, person, 1))[0]
            # A slow run refills a little meanwhile, so the last guess is the one refused.
            guesses = [429]
            while guesses[-1] != 429 or len(guesses) == 1:
                guess = await _collect(api, counter, "0" * 8, str(uuid4()))
                guesses.append(guess.status_code)
            assert len(guesses) > CODE_GUESS.burst
            assert set(guesses) == {404, 429}
            key = str(uuid4())

            limited = await _charge(api, counter, good, key)
            await runtime.redis.delete(f"{TAG}:code:{counter.staff.id}")  # time passes
            later = await _charge(api, counter, good, key)

    assert_refused(limited, 429, "request.rate_limited")
    assert int(limited.headers["retry-after"]) >= 1
    assert later.status_code == 201


async def _collect(api: httpx.AsyncClient, counter: Counter, code: str, key: str) -> httpx.Response:
    path, headers = f"{API}/merchant/redemptions/collect", keyed(counter.staff, key)
    return await api.post(path, headers=headers, json={"pickup_code": code})


async def _charge(api: httpx.AsyncClient, counter: Counter, code: str, key: str) -> httpx.Response:
    return await api.post(
        f"{API}/merchant/charges",
        headers=keyed(counter.staff, key),
        json={"card_code": code, "points": 1, "note": ""},
    )
