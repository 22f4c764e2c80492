"""GET /rewards: what points buy and how much of it is there."""

from typing import Any
from uuid import uuid4

import httpx

from app.models.orgs import Level
from app.models.rewards import Reward, RewardKind
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies, give_points
from tests.factories.orgs import make_org, sanmao_street
from tests.factories.people import TestPerson, make_person
from tests.factories.rewards import make_counter, make_reward
from tests.security.schema_world import FEW, MANY, Known, Setup

REWARDS = "/api/v1/rewards"
MATRIX = """
operation    rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listRewards  anyone  200    200   200  200     200   200     200    200     200   200
"""


async def known(setup: Setup) -> Known:
    made = [await make_reward(setup.runtime, setup.counter, stock=MANY) for _ in range(FEW)]
    return {
        "reward_id": [str(reward.id) for reward in made],
        "merchant_id": [str(setup.counter.merchant.id)],
    }


async def shown(api: httpx.AsyncClient, reward: Reward) -> dict[str, Any]:
    found = await walk(api, REWARDS, merchant_id=str(reward.merchant_id))
    return next(one for one in found if one["id"] == str(reward.id))


async def redeem(
    api: httpx.AsyncClient, person: TestPerson, reward: Reward, quantity: int
) -> httpx.Response:
    return await api.post(
        "/api/v1/redemptions",
        headers=keyed(person),
        json={"reward_id": str(reward.id), "quantity": quantity},
    )


async def test_a_reward_says_what_it_is_and_what_it_costs(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    reward = await make_reward(
        runtime,
        counter,
        name="大米5kg",
        points=40,
        stock=80,
        limit_per_member=1,
        limit_period="session",
    )

    found = await shown(api, reward)

    expected = {
        "id": str(reward.id),
        "key": reward.key,
        "name": "大米5kg",
        "kind": "goods",
        "points": 40,
        "stock_left": 80,
        "merchant_id": str(counter.merchant.id),
        "org_id": str(counter.merchant.org_id),
        "limit_per_member": 1,
        "limit_period": "session",
        "min_tier": "sprout",
    }
    assert expected.items() <= found.items()


async def test_the_demonstration_has_the_published_list(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await sanmao_street(runtime)

    found = await walk(api, REWARDS, org_id=str(street.id))

    prices = {one["key"]: one["points"] for one in found}
    assert len(prices) == 15
    assert (prices["soap"], prices["rice"], prices["donate"]) == (10, 40, 5)
    assert {one["kind"] for one in found} == set(RewardKind)
    assert next(one for one in found if one["key"] == "donate")["stock_left"] is None


async def test_the_list_holds_the_subtree_or_one_merchant(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    above, below = (
        await make_counter(runtime, org=street),
        await make_counter(runtime, org=community),
    )
    of_street, of_community = await make_reward(runtime, above), await make_reward(runtime, below)

    async def found(**query: Any) -> set[str]:
        return {one["id"] for one in await walk(api, REWARDS, **query)}

    assert await found(org_id=str(street.id)) == {str(of_street.id), str(of_community.id)}
    assert await found(org_id=str(community.id)) == {str(of_community.id)}
    assert await found(merchant_id=str(above.merchant.id)) == {str(of_street.id)}
    assert await found(org_id=str(community.id), merchant_id=str(above.merchant.id)) == set()


async def test_pages_hold_everything_exactly_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter = await make_counter(runtime)
    made = {str((await make_reward(runtime, counter)).id) for _ in range(5)}

    for limit in (1, 2, 5):
        found = await walk(api, REWARDS, merchant_id=str(counter.merchant.id), limit=limit)
        assert len(found) == 5
        assert {one["id"] for one in found} == made


async def test_stock_goes_down_and_back(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    reward = await make_reward(runtime, await make_counter(runtime), stock=5)

    reserved = await redeem(api, person, reward, 3)
    during = await shown(api, reward)
    await api.post(f"/api/v1/redemptions/{reserved.json()['id']}/cancel", headers=person.headers)
    after = await shown(api, reward)

    assert (during["stock_left"], after["stock_left"]) == (2, 5)
    await assert_ledger_verifies(runtime)


async def test_every_period_of_a_stock_is_counted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    counter = await make_counter(runtime)

    for period in ("session", "month", "quarter", "year"):
        reward = await make_reward(runtime, counter, stock=4, stock_period=period)
        assert (await redeem(api, person, reward, 1)).status_code == 201
        assert (await shown(api, reward))["stock_left"] == 3, period


async def test_an_unknown_place_is_told(api: httpx.AsyncClient) -> None:
    for unknown in (str(uuid4()), "nope"):
        refused = await api.get(REWARDS, params={"org_id": unknown})
        assert_refused(refused, 404, "orgs.not_found")
    assert await walk(api, REWARDS, merchant_id=str(uuid4())) == []
