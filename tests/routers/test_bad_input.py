"""Whatever is wrong with a body: a problem, a 4xx, and nothing changed."""

import json
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.runtime import Runtime
from tests.factories.http import assert_refused
from tests.factories.requests import Call, make_calls

NUL, SURROGATE = "a\0b", "a\ud800b"
HUGE = 10**40
NAN, INFINITY = float("nan"), float("inf")
NOT_TEXT: list[Any] = [1, 1.5, True, [], {}, None, NUL, SURROGATE]
# What is wrong for a field of each kind. Required or not, null is told apart below.
WRONG: dict[str, list[Any]] = {
    "text": [*NOT_TEXT, "", "x" * 6000],
    "optional text": [*NOT_TEXT, "x" * 6000],
    "id": [*NOT_TEXT, "", "nope", "x" * 300],
    "choice": [*NOT_TEXT, "", "nonsense"],
    "moment": [
        *NOT_TEXT,
        *(
            0,
            1700000000,
            "1700000000",
            "-1e-9",
            "",
            "tomorrow",
            "2026-11-22",
            "2026-11-22T10:00:00",
        ),
        *("2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"),
    ],
    "date": [*NOT_TEXT, 0, "0", "", "2026-02-30", "2999-01-01", "1800-01-01"],
    "count": ["1", 1.5, True, [], {}, 0, -1, 2**31, 2**63, HUGE, NAN, INFINITY, -INFINITY],
    "degrees": ["1.5", True, [], {}, None, 1000, -1000, HUGE, NAN, INFINITY],
    "metres": ["1.5", True, [], {}, None, -1, HUGE, NAN, INFINITY],
    "flag": ["yes", "true", 1, 0, [], {}, None],
    "ids": ["x", 1, {}, None, [], [1], [None], ["nope"], [[]], [NUL], [SURROGATE]],
    "evidence": [
        *("x", 1, [], None, {"": "x"}, {"a": 1}, {"a": None}, {"a": NUL}, {"a": SURROGATE}),
        *({NUL: "x"}, {SURROGATE: "x"}, {"k" * 41: "x"}, {"a": "x" * 501}),
        {str(number): "x" for number in range(21)},
    ],
    "object": ["x", 1, [], True],
}
FIELDS: dict[str, dict[str, str]] = {
    "logIn": {"code": "text"},
    "refreshLogin": {"refresh_token": "text"},
    "logOut": {"refresh_token": "text"},
    "updateMe": {"display_name": "text", "birth_date": "date", "shows_name": "flag"}
    | {"birth_year": "count", "community_id": "id", "language": "choice"},
    "createActivity": {
        "org_id": "id",
        "title": "text",
        "description": "optional text",
        "category": "choice",
        "starts_at": "moment",
        "ends_at": "moment",
        "signup_opens_at": "moment",
        "signup_closes_at": "moment",
        "capacity": "count",
        "rule_key": "text",
        "location": "object",
        "location.name": "text",
        "location.latitude": "degrees",
        "location.longitude": "degrees",
        "location.radius_m": "count",
    },
    "signUp": {},
    "checkIn": {
        "code": "text",
        "location": "object",
        "location.latitude": "degrees",
        "location.longitude": "degrees",
        "location.accuracy_m": "metres",
        "location.coordinate_system": "choice",
    },
    "redeem": {"reward_id": "id", "quantity": "count"},
    "collectRedemption": {"pickup_code": "text"},
    "charge": {"card_code": "text", "points": "count", "note": "optional text"},
    "refundCharge": {"reason": "text"},
    "proposeAwards": {
        "rule_key": "text",
        "org_id": "id",
        "person_ids": "ids",
        "quantity": "count",
        "evidence": "evidence",
    },
    "reverseTransfer": {"reason": "text"},
}
NULLABLE = {
    "birth_date",
    "birth_year",
    "community_id",
    "language",
    "person_ids",  # or card_nos
    "signup_opens_at",
    "signup_closes_at",
    "capacity",
    "location",
}
OPTIONAL = NULLABLE | {"shows_name", "description", "location.radius_m", "note", "quantity"}
CASES = [
    pytest.param(name, path, value, id=f"{name}-{path}-{str(value)[:24]!a}")
    for name, fields in FIELDS.items()
    for path, kind in fields.items()
    for value in WRONG[kind]
    if not (value is None and path in NULLABLE)
]
REQUIRED = [
    (name, path) for name, fields in FIELDS.items() for path in fields if path not in OPTIONAL
]
NOT_AN_OBJECT: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"a":',
    "text": b"hello",
    "array": b"[]",
    "string": b'"x"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "two": b"{}{}",
    "NUL": b"\0",
    "no UTF-8": b'{"code": "\xed\xa0\x80\xff"}',
    "nested below the limit": b"[" * 60_000,
    "nested objects": b'{"a":' * 12_000,
    "nested above the limit": b"[" * 100_000,
}
COUNTED = (
    *("people", "role_grants", "token_families", "refresh_tokens", "activities", "signups"),
    *("checkins", "awards", "redemptions", "charges", "ledger_transfers", "ledger_lots"),
    *("ledger_lot_uses", "reward_stocks", "outbox", "notices"),
)
_COUNT = text(" UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in COUNTED))  # noqa: S608


@pytest_asyncio.fixture(scope="module")
async def calls(api: httpx.AsyncClient, runtime: Runtime) -> dict[str, Call]:
    return await make_calls(api, runtime)


async def counts(runtime: Runtime) -> list[int]:
    async with runtime.database.read() as tx:
        return list((await tx.execute(_COUNT)).scalars())


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    found = deepcopy(body)
    *above, last = path.split(".")
    inner = found
    for name in above:
        inner = inner[name]
    inner[last] = value
    return found


def without(body: dict[str, Any], path: str) -> dict[str, Any]:
    found = changed(body, path, None)
    *above, last = path.split(".")
    inner = found
    for name in above:
        inner = inner[name]
    del inner[last]
    return found


def encoded(body: Any) -> bytes:
    """Encode as no phone would: NaN as a word, a lone surrogate as its escape."""
    return json.dumps(body).encode()


def named(response: httpx.Response) -> list[str]:
    return [error["field"] for error in response.json()["errors"]]


async def test_the_calls_are_valid_to_begin_with(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """The control: what is refused below is refused for its one fault."""
    for name, call in (await make_calls(api, runtime)).items():
        response = await call.send(api, encoded(call.body))
        assert response.status_code == call.status, (name, response.text)


@pytest.mark.parametrize(("name", "path", "value"), CASES)
async def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    api: httpx.AsyncClient,
    runtime: Runtime,
    calls: dict[str, Call],
    name: str,
    path: str,
    value: Any,
) -> None:
    call, before = calls[name], await counts(runtime)

    response = await call.send(api, encoded(changed(call.body, path, value)))

    assert await counts(runtime) == before
    if SURROGATE in str(value) and response.status_code == 400:
        assert_refused(response, 400, "request.malformed")
        return
    assert_refused(response, 422, "request.invalid")
    assert any(field.startswith(f"body.{path}") for field in named(response))


@pytest.mark.parametrize(("name", "path"), REQUIRED)
async def test_a_missing_field_is_named(
    api: httpx.AsyncClient, runtime: Runtime, calls: dict[str, Call], name: str, path: str
) -> None:
    call, before = calls[name], await counts(runtime)

    response = await call.send(api, encoded(without(call.body, path)))

    assert_refused(response, 422, "request.invalid")
    assert f"body.{path}" in named(response)
    assert await counts(runtime) == before


@pytest.mark.parametrize("extra", ["extra", "id", "", "x" * 5000, NUL, SURROGATE], ids=ascii)
@pytest.mark.parametrize("name", FIELDS)
async def test_an_unknown_field_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, calls: dict[str, Call], name: str, extra: str
) -> None:
    call, before = calls[name], await counts(runtime)

    response = await call.send(api, encoded(call.body | {extra: 1}))

    assert response.status_code in {400, 422}, response.text
    assert_refused(response, response.status_code, response.json()["code"])
    assert await counts(runtime) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param(name, content, id=f"{name}-{what}")
        for name in FIELDS
        for what, content in NOT_AN_OBJECT.items()
        # A sign-up asks for nothing, so it may come without a body.
        if not (name == "signUp" and what in {"empty", "null"})
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, calls: dict[str, Call], name: str, content: bytes
) -> None:
    call, before = calls[name], await counts(runtime)

    response = await call.send(api, content)

    code = {400: "request.malformed", 413: "request.too_large"}.get(
        response.status_code, "request.invalid"
    )
    assert response.status_code in {400, 413, 422}
    assert_refused(response, response.status_code, code)
    assert await counts(runtime) == before


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400, "1" + "0" * 5000, "0x10", "01"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("createActivity", "capacity"),
        ("createActivity", "location.latitude"),
        ("createActivity", "location.radius_m"),
        ("checkIn", "location.accuracy_m"),
        ("redeem", "quantity"),
        ("charge", "points"),
        ("proposeAwards", "quantity"),
    ],
)
async def test_numbers_beyond_reason_are_refused(
    api: httpx.AsyncClient,
    runtime: Runtime,
    calls: dict[str, Call],
    name: str,
    path: str,
    number: str,
) -> None:
    call, before = calls[name], await counts(runtime)
    content = encoded(changed(call.body, path, "@")).replace(b'"@"', number.encode())

    response = await call.send(api, content)

    assert response.status_code in {400, 422}
    assert_refused(response, response.status_code, response.json()["code"])
    assert await counts(runtime) == before


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
@pytest.mark.parametrize("name", FIELDS)
async def test_another_content_type_is_refused(
    api: httpx.AsyncClient,
    runtime: Runtime,
    calls: dict[str, Call],
    name: str,
    content_type: str,
) -> None:
    call, before = calls[name], await counts(runtime)
    headers = {"Content-Type": content_type}

    response = await call.send(api, encoded(call.body), **headers)

    assert response.status_code in {400, 415, 422}
    assert_refused(response, response.status_code, response.json()["code"])
    assert await counts(runtime) == before


@pytest.mark.parametrize("chunked", [False, True], ids=["told", "chunked"])
@pytest.mark.parametrize("name", FIELDS)
async def test_a_body_of_200_kib_is_too_large(
    api: httpx.AsyncClient, runtime: Runtime, calls: dict[str, Call], name: str, chunked: bool
) -> None:
    call, before = calls[name], await counts(runtime)
    content = encoded(call.body | {"padding": "x" * 200 * 1024})

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 8192):
            yield content[start : start + 8192]

    response = await call.send(api, chunks() if chunked else content)

    assert_refused(response, 413, "request.too_large")
    assert await counts(runtime) == before
