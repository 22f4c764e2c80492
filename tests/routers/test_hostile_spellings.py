"""Things that look alike must not be told apart by accident, and the other way round."""

from collections.abc import Callable

import httpx
import pytest

from app.runtime import Runtime
from tests.factories.activities import (
    activity_body,
    current_code,
    make_activity,
    make_attended,
)
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person
from tests.factories.rewards import make_card_codes, make_counter, make_reward, reserve

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


async def test_a_token_has_one_spelling(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """The last character of a signature has two bits to spare; they must be zero."""
    person = await make_person(runtime)
    spelling = person.headers["Authorization"]
    last = BASE64URL.index(spelling[-1])
    assert last % 4 == 0

    for spare in (1, 2, 3):
        other = spelling[:-1] + BASE64URL[last + spare]
        answer = await api.get("/api/v1/me", headers={"Authorization": other})
        assert_refused(answer, 401, "auth.token_invalid")


@pytest.mark.parametrize("key", ["a b", '"', '"a', 'a"', "a\x7f", "ü"])
async def test_a_key_is_visible_and_its_quotes_are_closed(
    api: httpx.AsyncClient, runtime: Runtime, key: str
) -> None:
    person = await make_person(runtime)
    reward = await make_reward(runtime, await make_counter(runtime))
    headers = keyed(person) | {"Idempotency-Key": key}
    answer = await api.post(
        "/api/v1/redemptions",
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        json={"reward_id": str(reward.id)},
    )
    assert_refused(answer, 422, "idempotency.key_malformed")


@pytest.mark.parametrize("title", ["清明\u202e植树", "\u2066植树"])
async def test_no_text_turns_the_writing_direction(
    api: httpx.AsyncClient, runtime: Runtime, title: str
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = activity_body(org, title=title)
    answer = await api.post("/api/v1/activities", headers=organizer.headers, json=body)
    assert_refused(answer, 422, "request.invalid")


@pytest.mark.parametrize("content", [b'{"zz": 1}', b"{", b"[]", b"1", b"\xff\xfe"])
async def test_a_body_where_none_is_needed_is_read_all_the_same(
    api: httpx.AsyncClient, runtime: Runtime, content: bytes
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org)
    answer = await api.post(
        f"/api/v1/activities/{activity.id}/publish",
        headers=organizer.headers | {"Content-Type": "application/json"},
        content=content,
    )
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("written", ["Cafe\u0301 夜读", "Caf\xe9 夜读"], ids=["NFD", "NFC"])
async def test_an_accent_is_found_however_it_is_written(
    api: httpx.AsyncClient, runtime: Runtime, written: str
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = activity_body(org, title=written)
    made = await api.post("/api/v1/activities", headers=organizer.headers, json=body)
    assert made.json()["title"] == "Caf\xe9 夜读"
    path = f"/api/v1/activities/{made.json()['id']}/publish"
    await api.post(path, headers=organizer.headers)

    for q in ("cafe\u0301 夜", "Caf\xe9 夜"):
        found = await api.get("/api/v1/activities", params={"org_id": str(org.id), "q": q})
        assert len(found.json()["items"]) == 1


def grouped(code: str, size: int, separator: str) -> str:
    return separator.join(code[place : place + size] for place in range(0, len(code), size))


FULL_WIDTH = str.maketrans({chr(one): chr(one + 0xFEE0) for one in range(0x21, 0x7F)})
READ_ALIKE = [
    pytest.param(lambda code: f" {code}\u3000", id="blanks around"),
    pytest.param(lambda code: grouped(code, 4, " "), id="blanks inside"),
    pytest.param(lambda code: grouped(code, 1, "\u200b"), id="nothing seen inside"),
    pytest.param(lambda code: code.translate(FULL_WIDTH), id="full width"),
]


@pytest.mark.parametrize(
    "read",
    [
        *READ_ALIKE,
        pytest.param(lambda code: grouped(code, 8, "-"), id="hyphens between groups"),
        pytest.param(lambda code: code.replace("-", "\u2013"), id="another dash"),
        pytest.param(lambda code: grouped(code.translate(FULL_WIDTH), 16, " － "), id="all"),
    ],
)
async def test_a_check_in_code_is_read_as_it_may_be_written(
    api: httpx.AsyncClient, runtime: Runtime, read: Callable[[str], str]
) -> None:
    person = await make_person(runtime)
    code = current_code(runtime, await make_attended(runtime, person))
    reply = await api.post("/api/v1/checkins", headers=person.headers, json={"code": read(code)})
    assert reply.status_code == 201, reply.text


IN_FIGURES = [
    *READ_ALIKE,
    pytest.param(lambda code: grouped(code, 3, "-"), id="hyphens"),
    pytest.param(lambda code: grouped(code, 6, "\u2014"), id="dashes"),
]


@pytest.mark.parametrize("read", IN_FIGURES)
async def test_a_card_code_is_read_as_it_may_be_written(
    api: httpx.AsyncClient, runtime: Runtime, read: Callable[[str], str]
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 5)
    [code] = await make_card_codes(runtime, person, 1)
    body = {"card_code": read(code), "points": 5, "note": ""}
    reply = await api.post("/api/v1/merchant/charges", headers=keyed(counter.staff), json=body)
    assert reply.status_code == 201, reply.text


@pytest.mark.parametrize("read", IN_FIGURES)
async def test_a_pickup_code_is_read_as_it_may_be_written(
    api: httpx.AsyncClient, runtime: Runtime, read: Callable[[str], str]
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 50)
    reserved = await reserve(runtime, person.id, await make_reward(runtime, counter))
    path = "/api/v1/merchant/redemptions/collect"
    body = {"pickup_code": read(reserved.pickup_code.lower())}
    reply = await api.post(path, headers=keyed(counter.staff), json=body)
    assert reply.status_code == 200, reply.text
