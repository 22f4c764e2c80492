"""JSON bodies: a key that stands twice in an object is refused, and nothing is done."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused
from tests.factories.people import make_person
from tests.factories.requests import Call, make_calls

OPERATIONS = (
    *("logIn", "refreshLogin", "logOut", "updateMe", "createActivity", "checkIn", "redeem"),
    *("collectRedemption", "charge", "refundCharge", "proposeAwards", "reverseTransfer"),
)


@pytest_asyncio.fixture(scope="module")
async def calls(api: httpx.AsyncClient, runtime: Runtime) -> dict[str, Call]:
    return await make_calls(api, runtime)


def with_twice(body: dict[str, Any], key: str) -> bytes:
    """Return a valid body in which a key stands twice, with the same value."""
    again = json.dumps({key: body[key]})
    return f"{json.dumps(body)[:-1]}, {again[1:]}".encode()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_key_that_is_there_twice_is_refused(
    api: httpx.AsyncClient, calls: dict[str, Call], operation: str
) -> None:
    call = calls[operation]
    key = next(iter(call.body))
    content = with_twice(call.body, key)
    assert json.loads(content) == call.body, "the only thing wrong"
    refused = await call.send(api, content)
    assert_refused(refused, 400, "request.malformed")
    assert refused.json()["errors"] == [{"field": f"body.{key}", "msg": "键重复"}]
    if operation != "logOut":  # it would end a login, again and again
        assert (await call.send(api, json.dumps(call.body))).status_code == call.status


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b'{"a": {"b": 1, "b": 1}}', "b"),
        (b'{"a": [{"b": 1}, {"b": 1, "c": 2, "b": 3}]}', "b"),
        (b'{"": 1, "": 1}', ""),
        (b'{"a": 1, "\\u0061": 1}', "a"),
        ('{"青": 1, "青": 1}'.encode("utf-16"), "青"),
    ],
)
async def test_at_any_depth_and_however_it_is_written(
    api: httpx.AsyncClient, calls: dict[str, Call], content: bytes, key: str
) -> None:
    refused = await calls["updateMe"].send(api, content, **{"Accept-Language": "en"})
    assert_refused(refused, 400, "request.malformed")
    assert refused.json()["errors"] == [{"field": f"body.{key}", "msg": "the key is there twice"}]


async def test_objects_beside_each_other_may_have_the_same_keys(
    api: httpx.AsyncClient, calls: dict[str, Call]
) -> None:
    content = b'{"a": [{"b": 1}, {"b": 1}], "b": 1}'
    assert_refused(await calls["updateMe"].send(api, content), 422, "request.invalid")


async def test_a_body_that_may_be_left_out_is_read_as_strictly(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, activity = await make_person(runtime), await make_activity(runtime)
    headers = person.headers | {"Content-Type": "application/json"}
    path = f"/api/v1/activities/{activity.id}/signups"
    refused = await api.post(path, headers=headers, content=b'{"x": 1, "x": 1}')
    assert_refused(refused, 400, "request.malformed")
    assert (await api.post(path, headers=headers, content=b"{}")).status_code == 201
