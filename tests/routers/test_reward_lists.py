"""Published lists of rewards: versions, what they put in force, and prices."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.jobs import reward_lists as job
from app.models.rewards import Reward
from app.runtime import Runtime
from tests.factories.clock import travel
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.people import TestPerson, make_administrator, make_organizer
from tests.factories.policies import SHIPPED, open_unit, publish_in
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_counter, make_reward
from tests.routers.test_audit import entries
from tests.routers.test_rewards import EDIT, TERMS, _org
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation           rule       nobody alice bob  counter rival sibling parent auditor admin outsider
publishRewardList   organizer  401    403   403  403     403   403     201    403     201   403
listRewardLists     anyone     200    200   200  200     200   200     200    200     200   200
getRewardList       anyone     200    200   200  200     200   200     200    200     200   200
withdrawRewardList  organizer  401    403   403  403     403   404     200    403     200   404       404=reward_lists.not_found
"""  # noqa: E501 - a table
HERS = {"reward_lists": "created_by = :alice"}
BESIDE_POINTS = {"reward_lists"}
BEYOND_THE_SCHEMA = {
    *("body.items", "body.effective_from", "body"),
    *("rewards.price_step", "rewards.priced_by_list"),
}
LIST = {"title": "冬季积分兑换清单", "source": "扬青发〔2026〕12号"}


def listing(*rewards: Reward, **changes: Any) -> dict[str, Any]:
    return LIST | {"items": [{"reward_id": str(one.id)} for one in rewards]} | changes


async def _publish(world: World) -> Ask:
    reward = await make_reward(world.runtime, world.shop)
    return Ask({"org_id": str(world.home.id)}, listing(reward))


async def _announced(world: World) -> Ask:
    reward = await make_reward(world.runtime, world.shop)
    later = (now() + timedelta(days=3)).isoformat()
    path, body = f"orgs/{world.home.id}/reward-lists", listing(reward, effective_from=later)
    found = (await world.api.get(f"{API}/{path}")).json()["items"]
    made = next((one for one in found if one["state"] == "announced"), None)
    made = made or await world.post("parent", path, body)
    return Ask({"reward_list_id": made["id"]}, {"reason": "价格有误"})


REQUESTS = {
    "publishRewardList": _publish,
    "listRewardLists": _publish,
    "getRewardList": _announced,
    "withdrawRewardList": _announced,
}


async def _second_announced(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    organizer, reward = await _organizer(runtime, counter), await make_reward(runtime, counter)
    at = (now() + timedelta(days=1)).replace(microsecond=0)
    body = listing(reward, effective_from=at.isoformat())
    await _posted(api, organizer, counter, body)
    path = f"/orgs/{counter.merchant.org_id}/reward-lists"
    return Refused(organizer, "POST", path, {"number": 1, "opens_at": at}, body)


async def _odd_price(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    org = await _org(runtime, counter)
    await publish_in(runtime, await open_unit(runtime), org, SHIPPED + STEP)
    organizer, reward = await _organizer(runtime, counter), await make_reward(runtime, counter)
    body = LIST | {"items": [{"reward_id": str(reward.id), "points": 12}]}
    path = f"/orgs/{org.id}/reward-lists"
    return Refused(organizer, "POST", path, {"step": 5, "points": 12}, body)


async def _listed_price(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    organizer, reward = await _organizer(runtime, counter), await make_reward(runtime, counter)
    await _posted(api, organizer, counter, listing(reward))
    body, headers = EDIT | {"stock": None}, {"If-Match": '"2"'}
    return Refused(organizer, "PUT", f"/rewards/{reward.id}", {"number": 1}, body, headers=headers)


STEP = "\n[rewards]\nprice_step = 5\n"
REFUSED = {
    "reward_lists.another_announced": _second_announced,
    "rewards.price_step": _odd_price,
    "rewards.priced_by_list": _listed_price,
}


async def known(setup: Setup) -> Known:
    reward = await make_reward(setup.runtime, setup.counter)
    later = (now() + timedelta(days=3)).isoformat()
    path = f"/orgs/{setup.org.id}/reward-lists"
    body = listing(reward, effective_from=later)
    made = await setup.post(setup.organizer, path, **body)
    return {"reward_list_id": [made["id"]] * FEW}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], known: Known) -> None:
        if "items" in body and "source" in body:
            body["items"] = [{"reward_id": known["reward_id"][0], "points": 20}]
            body["effective_from"] = None

    return complete


async def _organizer(runtime: Runtime, counter: Counter) -> TestPerson:
    return await make_organizer(runtime, counter.merchant.org_id)


async def _post(
    api: httpx.AsyncClient, who: TestPerson, counter: Counter, body: dict[str, Any]
) -> httpx.Response:
    path = f"{API}/orgs/{counter.merchant.org_id}/reward-lists"
    return await api.post(path, headers=keyed(who), json=body)


async def _posted(
    api: httpx.AsyncClient, who: TestPerson, counter: Counter, body: dict[str, Any]
) -> dict[str, Any]:
    reply = await _post(api, who, counter, body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def _offered(api: httpx.AsyncClient, counter: Counter) -> dict[str, int]:
    found = await walk(api, f"{API}/rewards", merchant_id=str(counter.merchant.id))
    return {one["id"]: one["points"] for one in found}


async def test_what_is_offered_follows_the_newest_version(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    admin = await make_administrator(runtime, counter.merchant.org_id)
    soap, rice, draft, other = [
        await make_reward(runtime, counter, state=state)
        for state in ("published", "published", "draft", "published")
    ]
    elsewhere = await make_reward(runtime, await make_counter(runtime))

    items = [{"reward_id": str(soap.id), "points": 15}, {"reward_id": str(draft.id)}]
    first = await _posted(api, admin, counter, LIST | {"items": items})
    assert (first["number"], first["state"]) == (1, "in_force")
    assert first["published_by"] == str(admin.id)
    assert await _offered(api, counter) == {str(soap.id): 15, str(draft.id): 10}
    second = await _posted(api, admin, counter, listing(soap, rice))
    assert second["number"] == 2
    assert await _offered(api, counter) == {str(soap.id): 15, str(rice.id): 10}
    # One by one, as before: until the next version.
    path, body = f"{API}/rewards/{other.id}/status", {"status": "published"}
    assert (await api.post(path, headers=keyed(admin), json=body)).status_code == 200
    assert str(other.id) in await _offered(api, counter)

    old = (await api.get(f"{API}/reward-lists/{first['id']}")).json()
    assert (old["state"], old["published_by"]) == ("superseded", None)
    assert [(one["reward_id"], one["points"]) for one in old["items"]] == [
        (str(soap.id), 15),
        (str(draft.id), 10),
    ]
    path = f"{API}/orgs/{counter.merchant.org_id}/reward-lists"
    assert [one["number"] for one in await walk(api, path)] == [2, 1]
    foreign = await _post(api, admin, counter, listing(elsewhere))
    assert_refused(foreign, 422, "request.invalid")
    twice = await _post(api, admin, counter, listing(soap, soap))
    assert_refused(twice, 422, "request.invalid")
    trail = await entries(api, admin, await _org(runtime, counter))
    moved = [(one["verb"], one["from"], one["to"]) for one in trail]
    assert ("changed", "published", "withdrawn") in moved
    assert ("moved", "in_force", "superseded") in moved


async def test_an_announced_version_waits_for_its_time(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    organizer = await _organizer(runtime, counter)
    soap, rice = [await make_reward(runtime, counter) for _ in range(2)]
    later = now() + timedelta(hours=1)
    body = listing(soap, effective_from=later.isoformat())
    past = listing(soap, effective_from=(now() - timedelta(hours=1)).isoformat())
    assert_refused(await _post(api, organizer, counter, past), 422, "request.invalid")

    announced = await _posted(api, organizer, counter, body)
    again = await _post(api, organizer, counter, body)
    assert_refused(again, 409, "reward_lists.another_announced")
    path = f"{API}/reward-lists/{announced['id']}/withdraw"
    reason = {"reason": "漏列"}
    gone = await api.post(path, headers=keyed(organizer), json=reason)
    assert (gone.status_code, gone.json()["state"]) == (200, "withdrawn")
    twice = await api.post(path, headers=keyed(organizer), json=reason)
    assert_refused(twice, 409, "reward_lists.wrong_state")

    announced = await _posted(api, organizer, counter, body)
    assert await job.put_in_force(runtime) == 0
    assert set(await _offered(api, counter)) == {str(soap.id), str(rice.id)}
    with travel(later + timedelta(seconds=1)):
        assert await job.put_in_force(runtime) >= 1
    assert set(await _offered(api, counter)) == {str(soap.id)}
    found = (await api.get(f"{API}/reward-lists/{announced['id']}")).json()
    assert (found["state"], found["number"]) == ("in_force", 2)


async def test_a_price_is_a_multiple_of_the_step_and_that_of_the_list(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    org, organizer = await _org(runtime, counter), await _organizer(runtime, counter)
    odd = await make_reward(runtime, counter, points=7)
    await publish_in(runtime, await open_unit(runtime), org, SHIPPED + STEP)
    body = TERMS | {"merchant_id": str(counter.merchant.id), "key": "soap", "points": 8}
    made = await api.post(f"{API}/rewards", headers=keyed(organizer), json=body)
    assert_refused(made, 422, "rewards.price_step")
    assert made.json()["facts"] == {"step": 5, "points": 8}

    async def edit(points: int, version: int) -> httpx.Response:
        headers = organizer.headers | {"If-Match": f'"{version}"'}
        terms = EDIT | {"points": points, "stock": None}
        return await api.put(f"{API}/rewards/{odd.id}", headers=headers, json=terms)

    assert (await edit(7, 1)).status_code == 200  # a price from before the rule stays
    assert_refused(await edit(8, 2), 422, "rewards.price_step")
    assert (await edit(10, 2)).status_code == 200
    await _posted(api, organizer, counter, listing(odd))
    assert_refused(await edit(15, 4), 409, "rewards.priced_by_list")
    shown = (await api.get(f"{API}/policies/current", params={"org_id": str(org.id)})).json()
    assert shown["rewards"] == {"price_step": 5, "honour_points": 1}


@pytest.mark.parametrize("points", [5, 6])
async def test_without_a_step_any_price_will_do(
    api: httpx.AsyncClient, runtime: Runtime, points: int
) -> None:
    counter = await make_counter(runtime)
    reward = await make_reward(runtime, counter)
    items = [{"reward_id": str(reward.id), "points": points}]
    await _posted(api, await _organizer(runtime, counter), counter, LIST | {"items": items})
    assert await _offered(api, counter) == {str(reward.id): points}
