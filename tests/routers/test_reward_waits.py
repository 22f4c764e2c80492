"""Queues for rewards that are out of stock: who is told, in which order, and until when."""

from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text

from app.core.clock import now
from app.jobs.reward_waits import tell_waiting
from app.models.rewards import Reward
from app.runtime import Runtime
from app.services.reward_waits import LAPSES_AFTER
from tests.factories.clock import travel
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.people import TestPerson, make_organizer, make_people, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter, make_reward, reserve
from tests.routers.test_redemptions import make_rich
from tests.routers.test_rewards import move
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation          rule    nobody alice bob  counter rival sibling parent auditor admin outsider
waitForReward      person  401    201+  201  201     201   201     201    201     201   201
listMyRewardWaits  person  401    200+  200  200     200   200     200    200     200   200
stopWaiting        person  401    204   404  404     404   404     404    404     404   404       404=reward_waits.not_found
"""  # noqa: E501 - a table
HERS = {"reward_waits": "person_id = :alice"}
BESIDE_POINTS = {"reward_waits"}
BEYOND_THE_SCHEMA = {"reward_waits.in_stock", "reward_waits.waiting"}


async def _gone(world: World) -> Ask:
    return Ask({"reward_id": str((await make_reward(world.runtime, world.shop, stock=0)).id)})


async def _waiting(world: World) -> Ask:
    ask = await _gone(world)
    made = await world.post("alice", f"rewards/{ask.ids['reward_id']}/waits", {})
    return Ask({"reward_wait_id": made["id"]})


REQUESTS = {"waitForReward": _gone, "listMyRewardWaits": _waiting, "stopWaiting": _waiting}


async def _in_stock(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    reward = await make_reward(runtime, await make_counter(runtime), stock=2)
    person = await make_person(runtime)
    return Refused(person, "POST", f"/rewards/{reward.id}/waits", {"stock_left": 2})


async def _twice(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    reward = await make_reward(runtime, await make_counter(runtime), stock=0)
    first, second = await make_people(runtime, 2)
    await wait(api, first, reward)
    await wait(api, second, reward)
    facts = {"status": "waiting", "ahead": 1}
    return Refused(second, "POST", f"/rewards/{reward.id}/waits", facts)


REFUSED = {"reward_waits.in_stock": _in_stock, "reward_waits.waiting": _twice}


async def known(setup: Setup) -> Known:
    made = [await make_reward(setup.runtime, setup.counter, stock=0) for _ in range(FEW)]
    waits = [await setup.post(setup.caller, f"/rewards/{one.id}/waits") for one in made]
    return {"reward_wait_id": [one["id"] for one in waits]}


async def wait(api: httpx.AsyncClient, person: TestPerson, reward: Reward) -> dict[str, Any]:
    reply = await api.post(f"{API}/rewards/{reward.id}/waits", headers=keyed(person))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def _states(runtime: Runtime, reward: Reward) -> list[str]:
    query = text("SELECT state FROM reward_waits WHERE reward_id = :reward ORDER BY id")
    async with runtime.database.read() as tx:
        return list((await tx.execute(query, {"reward": reward.id})).scalars())


async def test_as_many_are_told_as_there_are_pieces_in_the_order_of_the_queue(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    reward = await make_reward(runtime, counter, stock=0)
    people = [await make_rich(runtime) for _ in range(4)]
    places = [await wait(api, one, reward) for one in people]
    assert [one["ahead"] for one in places] == [0, 1, 2, 3]
    leave = f"{API}/reward-waits/{places[1]['id']}"
    for _ in range(2):
        assert (await api.delete(leave, headers=people[1].headers)).status_code == 204
    await tell_waiting(runtime)
    assert await _states(runtime, reward) == ["waiting", "left", "waiting", "waiting"]

    await move(api, organizer, reward, 1)
    for _ in range(2):  # the second run finds that the piece was told of
        await tell_waiting(runtime)
    assert await _states(runtime, reward) == ["told", "left", "waiting", "waiting"]
    assert (await inbox(api, runtime, people[0]))[0]["kind"] == "reward_back_in_stock"
    assert await inbox(api, runtime, people[2]) == []

    await reserve(runtime, people[0].id, reward)
    await move(api, organizer, reward, 1)
    await tell_waiting(runtime)
    assert await _states(runtime, reward) == ["reserved", "left", "told", "waiting"]
    with travel(now() + LAPSES_AFTER + timedelta(seconds=1)):
        await tell_waiting(runtime)
    assert await _states(runtime, reward) == ["reserved", "left", "lapsed", "told"]
    [mine] = await walk(api, f"{API}/me/reward-waits", people[3].headers)
    assert (mine["state"], mine["ahead"], mine["reward_name"]) == ("told", 0, "香皂")
    assert await walk(api, f"{API}/me/reward-waits", people[2].headers) == []


async def test_nobody_queues_for_what_cannot_be_had(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, person = await make_counter(runtime), await make_person(runtime)
    for changes, code in (
        ({"stock": 1}, "reward_waits.in_stock"),
        ({"stock": None}, "reward_waits.in_stock"),
        ({"stock": 0, "state": "withdrawn"}, "rewards.not_offered"),
    ):
        reward = await make_reward(runtime, counter, **changes)
        reply = await api.post(f"{API}/rewards/{reward.id}/waits", headers=keyed(person))
        assert_refused(reply, 409, code)
    draft = await make_reward(runtime, counter, stock=0, state="draft")
    reply = await api.post(f"{API}/rewards/{draft.id}/waits", headers=keyed(person))
    assert_refused(reply, 404, "rewards.not_found")
