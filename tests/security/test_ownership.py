"""What the matrix cannot see: numbers, cursors, and fields that are nobody's to set."""

import httpx
import pytest
import pytest_asyncio

from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.requests import Call, make_calls
from tests.factories.rewards import make_reward
from tests.security.world import World, make_world

API = "/api/v1"
# Columns that a caller would like to choose.
NOT_THEIRS = {
    "id": "00000000-0000-7000-8000-000000000001",
    "person_id": "00000000-0000-7000-8000-000000000001",
    "created_by": "00000000-0000-7000-8000-000000000001",
    "merchant_id": "00000000-0000-7000-8000-000000000001",
    "role": "administrator",
    "roles": [{"role": "administrator"}],
    "status": "published",
    "state": "available",
    "points_before_caps": 1000,
    "balance": 1000,
}


@pytest_asyncio.fixture(scope="module")
async def world(api: httpx.AsyncClient, runtime: Runtime) -> World:
    return await make_world(api, runtime)


@pytest_asyncio.fixture(scope="module")
async def calls(api: httpx.AsyncClient, runtime: Runtime) -> dict[str, Call]:
    return await make_calls(api, runtime)


async def test_anothers_cursor_opens_nothing(world: World, runtime: Runtime) -> None:
    """A cursor is a place in a list, not a right to read it."""
    reward = await make_reward(runtime, world.shop)
    alice, bob = world.alice, world.everybody["bob"]
    assert bob is not None
    for person in (bob, alice, alice):
        made = await world.api.post(
            f"{API}/redemptions",
            headers=keyed(person),
            json={"reward_id": str(reward.id), "quantity": 1},
        )
        assert made.status_code == 201, made.text
    for path in ("redemptions", "points/entries"):
        hers = await world.api.get(f"{API}/me/{path}", headers=alice.headers, params={"limit": 1})

        response = await world.api.get(
            f"{API}/me/{path}", headers=bob.headers, params={"cursor": hers.json()["next_cursor"]}
        )

        assert response.status_code == 200
        found = response.json()["items"]
        assert found, "what is his and older than that place is there"
        mine = (await world.api.get(f"{API}/me/{path}", headers=bob.headers)).json()["items"]
        assert [item for item in found if item not in mine] == []


async def test_anothers_points_are_not_in_my_balances(world: World, runtime: Runtime) -> None:
    bob, rival = world.everybody["bob"], world.everybody["rival"]
    assert bob is not None
    assert rival is not None
    theirs = (await world.api.get(f"{API}/me/points", headers=rival.headers)).json()
    mine = (await world.api.get(f"{API}/me/points", headers=bob.headers)).json()

    assert theirs["available"] == 1000
    assert mine["available"] == await balance(runtime, bob.id)
    await assert_ledger_verifies(runtime)


@pytest.mark.parametrize("field", NOT_THEIRS)
async def test_a_field_that_is_not_the_callers_to_set_is_refused(
    api: httpx.AsyncClient, calls: dict[str, Call], field: str
) -> None:
    """Mass assignment: one field too many, in every body there is."""
    for name, call in calls.items():
        if field in call.body:
            continue
        response = await api.request(
            call.method,
            API + call.path,
            headers=call.headers | {"Idempotency-Key": f"{name}-{field}"},
            json=call.body | {field: NOT_THEIRS[field]},
        )

        assert_refused(response, 422, "request.invalid")
        assert [error["field"] for error in response.json()["errors"]] == [f"body.{field}"], name
