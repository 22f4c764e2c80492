"""Rewards: what points buy, how much of it is there, and how organizers edit it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from app.core.clock import now
from app.models.merchants import MerchantState
from app.models.orgs import Level, Org
from app.models.rewards import Reward, RewardKind, RewardState
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org, sanmao_street
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_counter, make_reward, reserve
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, MANY, Completion, Known, Setup
from tests.security.world import Ask, World

REWARDS = "/api/v1/rewards"
MATRIX = """
operation    rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listRewards         anyone     200    200   200  200     200   200     200    200     200   200
getReward           anyone     200    200   200  200     200   200     200    200     200   200
createReward        organizer  401    403   403  403     403   404     201    403     201   404       404=merchants.not_found
listAllRewards      reader     401    403   403  403     403   403     200    200     200   403
editReward          organizer  401    403   403  403     403   404     200    403     200   404       404=rewards.not_found
setRewardStatus     organizer  401    403   403  403     403   404     200    403     200   404       404=rewards.not_found
moveStock           organizer  401    403   403  403     403   404     201    403     201   404       404=rewards.not_found
listStockMovements  reader     401    403   403  403     403   404     200    200     200   404       404=rewards.not_found
"""  # noqa: E501 - a table
HERS = {"stock_movements": "created_by = :alice"}
BEYOND_THE_SCHEMA = {
    "body",  # one time before another
    "body.offered_from",
    "body.offered_until",
    "body.min_tier",  # of the policy in force
    *("body.points", "body.stock", "body.limit_per_member"),  # 3.0 is no whole number to us
    "body.change",  # of a counted reward
    *("request.precondition_failed", "request.precondition_required", "merchants.not_found"),
}
TERMS = {"name": "香皂两块", "kind": "goods", "points": 8, "stock": 20, "min_tier": "sprout"}
EDIT, OFFERED = TERMS | {"reason": "降价"}, {"status": "published"}
MOVEMENT = {"change": 5, "reason": "到货"}


async def _new(world: World) -> Ask:
    key = f"soap_{uuid4().hex[:8]}"
    return Ask(body=TERMS | {"merchant_id": str(world.shop.merchant.id), "key": key})


async def _of_home(world: World) -> Ask:
    await make_reward(world.runtime, world.shop)
    return Ask({"org_id": str(world.home.id)})


async def _reward(world: World, **changes: Any) -> dict[str, str]:
    return {"reward_id": str((await make_reward(world.runtime, world.shop, **changes)).id)}


async def _shown(world: World) -> Ask:
    return Ask(await _reward(world))


async def _edited(world: World) -> Ask:
    return Ask(await _reward(world, stock=10), EDIT, headers={"If-Match": '"1"'})


async def _draft(world: World) -> Ask:
    return Ask(await _reward(world, state=RewardState.draft), OFFERED)


async def _moved(world: World) -> Ask:
    return Ask(await _reward(world, stock=10), MOVEMENT)


REQUESTS = {
    "getReward": _shown,
    "createReward": _new,
    "listAllRewards": _of_home,
    "editReward": _edited,
    "setRewardStatus": _draft,
    "moveStock": _moved,
    "listStockMovements": _shown,
}


async def _edit_to_unlimited(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    organizer, reward = await make_edited(runtime)
    body, facts = EDIT | {"stock": None}, {"status": "published"}
    headers = {"If-Match": '"1"'}
    return Refused(organizer, "PUT", f"/rewards/{reward.id}", facts, body, headers=headers)


async def _redeem_when_over(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, until = await make_person(runtime), now() - timedelta(days=1)
    reward = await make_reward(runtime, await make_counter(runtime), offered_until=until)
    facts = {"status": "published", "opens_at": None, "closes_at": until}
    body = {"reward_id": str(reward.id), "quantity": 1}
    return Refused(person, "POST", "/redemptions", facts, body)


REFUSED = {
    "rewards.stock_kind_fixed": _edit_to_unlimited,
    "rewards.not_offered": _redeem_when_over,
}


async def known(setup: Setup) -> Known:
    made = [await make_reward(setup.runtime, setup.counter, stock=MANY) for _ in range(FEW)]
    return {
        "reward_id": [str(reward.id) for reward in made],
        "merchant_id": [str(setup.counter.merchant.id)],
    }


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], known: Known) -> None:
        if "min_tier" in body:
            body["min_tier"] = "sprout"

    return complete


async def make_edited(runtime: Runtime, **changes: Any) -> tuple[TestPerson, Reward]:
    """Return an organizer, and a reward of 10 points and 10 pieces that he may edit."""
    counter = await make_counter(runtime)
    reward = await make_reward(runtime, counter, **({"stock": 10} | changes))
    return await make_organizer(runtime, counter.merchant.org_id), reward


async def edit(
    api: httpx.AsyncClient, who: TestPerson, reward: Reward, version: int = 1, **changes: Any
) -> httpx.Response:
    headers = who.headers | {"If-Match": f'"{version}"'}
    return await api.put(f"{REWARDS}/{reward.id}", headers=headers, json=EDIT | changes)


async def move(
    api: httpx.AsyncClient, who: TestPerson, reward: Reward, quantity: int
) -> httpx.Response:
    path, body = f"{REWARDS}/{reward.id}/stock", MOVEMENT | {"change": quantity}
    return await api.post(path, headers=keyed(who), json=body)


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


async def test_a_reward_from_draft_to_withdrawal(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    body = TERMS | {"merchant_id": str(counter.merchant.id), "key": "soap", "pickup_place": "二楼"}
    made = await api.post(REWARDS, headers=keyed(organizer), json=body)
    assert made.status_code == 201, made.text
    draft = made.json()
    again = await api.post(REWARDS, headers=keyed(organizer), json=body)
    assert_refused(again, 409, "rewards.key_taken")
    path = f"{REWARDS}/{draft['id']}"

    async def seen() -> list[int]:
        listed = await walk(api, REWARDS, merchant_id=str(counter.merchant.id))
        one = await api.get(path)
        got = await api.post(
            "/api/v1/redemptions", headers=keyed(person), json={"reward_id": draft["id"]}
        )
        return [len(listed), one.status_code, got.status_code]

    assert (draft["state"], draft["version"], draft["pickup_place"]) == ("draft", 1, "二楼")
    assert await seen() == [0, 404, 404]
    shown = (await api.get(path, headers=organizer.headers)).json()
    assert draft.items() <= shown.items()
    for _ in range(2):
        published = await api.post(f"{path}/status", headers=keyed(organizer), json=OFFERED)
    assert_refused(published, 409, "rewards.wrong_state")
    assert await seen() == [1, 200, 201]
    body = {"status": "withdrawn", "reason": "换季"}
    gone = await api.post(f"{path}/status", headers=keyed(organizer), json=body)
    assert (gone.status_code, gone.json()["state"]) == (200, "withdrawn")
    assert await seen() == [0, 200, 409]
    org = str(counter.merchant.org_id)
    every = await walk(api, f"/api/v1/orgs/{org}/rewards", organizer.headers)
    assert [(one["id"], one["state"]) for one in every] == [(draft["id"], "withdrawn")]


async def test_an_edit_shows_before_and_after_and_leaves_what_is_reserved(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    organizer, reward = await make_edited(runtime)
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    held = await reserve(runtime, person.id, reward, 3)

    done = await edit(api, organizer, reward)
    late = await edit(api, organizer, reward)
    more = await reserve(runtime, person.id, reward)

    assert done.status_code == 200, done.text
    changes = {one["field"]: (one["before"], one["after"]) for one in done.json()["changes"]}
    assert changes["points"] == (10, 8)
    assert changes["stock"] == (10, 20)
    assert done.json()["reward"]["stock_left"] == 17
    assert_refused(late, 412, "request.precondition_failed")
    assert (held.points, more.points) == (30, 8)
    mine = await walk(api, "/api/v1/me/redemptions", person.headers)
    assert sorted(one["points"] for one in mine) == [8, 30]
    assert await balance(runtime, person.id) == 100 - 38
    await assert_ledger_verifies(runtime)


async def test_a_stock_cannot_become_smaller_than_what_is_reserved(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    organizer, reward = await make_edited(runtime)
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    await reserve(runtime, person.id, reward, 4)

    assert_refused(await edit(api, organizer, reward, stock=3), 409, "rewards.out_of_stock")
    assert_refused(await move(api, organizer, reward, -7), 409, "rewards.out_of_stock")
    assert_refused(await move(api, organizer, reward, 0), 422, "request.invalid")
    taken = await move(api, organizer, reward, -6)
    assert (taken.json()["before"], taken.json()["after"]) == (6, 0)
    added = await move(api, organizer, reward, 2)
    assert (added.json()["before"], added.json()["after"]) == (0, 2)

    path = f"{REWARDS}/{reward.id}/stock"
    listed = await walk(api, path, organizer.headers)
    assert [one["change"] for one in listed] == [2, -6]
    assert (await shown(api, reward))["stock_left"] == 2
    await assert_ledger_verifies(runtime)


async def test_an_edit_is_in_the_audit_trail_with_its_reason(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    admin = await make_administrator(runtime, counter.merchant.org_id)
    reward = await make_reward(runtime, counter, stock=10)
    org = await _org(runtime, counter)
    assert (await edit(api, admin, reward)).status_code == 200
    [entry] = await entries(api, admin, org)
    assert (entry["verb"], entry["reason"]) == ("changed", "降价")
    assert entry["fields"] == ["name", "points", "stock", "stock_period"]


async def _org(runtime: Runtime, counter: Counter) -> Any:
    async with runtime.database.read() as tx:
        return await tx.get(Org, counter.merchant.org_id)


async def test_a_suspended_merchant_offers_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    counter = await make_counter(runtime, state=MerchantState.suspended)
    reward = await make_reward(runtime, counter, state=RewardState.draft)
    organizer = await make_organizer(runtime, counter.merchant.org_id)

    path = f"{REWARDS}/{reward.id}/status"
    refused = await api.post(path, headers=keyed(organizer), json=OFFERED)
    assert_refused(refused, 409, "merchants.wrong_state")
    there = await make_reward(runtime, counter)
    assert await walk(api, REWARDS, merchant_id=str(counter.merchant.id)) == []
    assert_refused(await redeem(api, person, there, 1), 409, "rewards.not_offered")
