"""Rewards as readers see them: pictures, when and where, and whether the reader may have one."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.cards import CardStatus
from app.models.rewards import Reward, RewardPeriod, RewardState
from app.runtime import Runtime
from app.services.merchants.access import Staff
from app.services.redemptions import collecting, undoing
from tests.factories.attachments import ATTACHMENTS, make_picture
from tests.factories.http import keyed
from tests.factories.ledger import give_points
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.rewards import (
    make_counter,
    make_overdue,
    make_reward,
    reserve,
    set_card_status,
)

REWARDS = "/api/v1/rewards"
# What each reader with 25 points and one piece reserved, of a reward of 10 points, is told.
STATES: dict[str, dict[str, Any]] = {
    "open": {},
    "early": {"offered_from": timedelta(hours=1), "offered_until": timedelta(hours=2)},
    "withdrawn": {"state": RewardState.withdrawn},
    "suspended": {},
    "tier": {"min_tier": "peak"},
    "limit": {"limit_per_member": 1, "limit_period": RewardPeriod.month},
    "poor": {"points": 16},
    "empty": {"stock": 1, "stock_period": RewardPeriod.month},
}


async def make_in_state(runtime: Runtime, state: str, person: TestPerson) -> Reward:
    """Create a reward in a state, of which the person has a piece if the state takes one."""
    counter = await make_counter(runtime)
    await give_points(runtime, person.id, 25, org=counter.merchant.org_id)
    changes = {n: now() + v if isinstance(v, timedelta) else v for n, v in STATES[state].items()}
    reward = await make_reward(runtime, counter, **changes)
    if state in ("limit", "empty"):
        await reserve(runtime, person.id, reward)
    if state == "poor":
        await reserve(runtime, person.id, await make_reward(runtime, counter))
    if state == "suspended":
        async with runtime.database.transaction() as tx:
            await set_card_status(tx, person.id, CardStatus.suspended)
    return reward


async def seen(
    api: httpx.AsyncClient, reward: Reward, person: TestPerson | None = None
) -> dict[str, Any]:
    """Return the detail; the list, if the reward is offered, must agree."""
    headers = person.headers if person else {}
    whole: dict[str, Any] = (await api.get(f"{REWARDS}/{reward.id}", headers=headers)).json()
    query = {"merchant_id": str(reward.merchant_id)}
    listed = (await api.get(REWARDS, headers=headers, params=query)).json()["items"]
    found = [one for one in listed if one["id"] == str(reward.id)]
    assert found or reward.state == RewardState.withdrawn
    for one in found:
        assert one.items() <= whole.items()
    return whole


@pytest.mark.parametrize("state", STATES)
async def test_a_reader_reads_what_a_reservation_would_reply(
    api: httpx.AsyncClient, runtime: Runtime, state: str
) -> None:
    person = await make_person(runtime)
    reward = await make_in_state(runtime, state, person)

    mine = (await seen(api, reward, person))["mine"]

    body = {"reward_id": str(reward.id)}
    tried = await api.post("/api/v1/redemptions", headers=keyed(person), json=body)
    assert mine["may_redeem"] is (tried.status_code == 201) is (state == "open")
    if state == "open":
        assert (mine["reason"], mine["limit_left"]) == (None, None)
    else:
        problem = tried.json()
        assert mine["reason"] == {"facts": {}} | {
            name: problem[name] for name in ("code", "msg", "facts") if name in problem
        }


async def test_a_limit_leaves_what_was_not_redeemed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 50, org=counter.merchant.org_id)
    reward = await make_reward(runtime, counter, limit_per_member=3)
    assert (await seen(api, reward, person))["mine"]["limit_left"] == 3
    kept = await reserve(runtime, person.id, reward)
    lost = await reserve(runtime, person.id, reward)
    await make_overdue(runtime, lost.id)
    assert (await seen(api, reward, person))["mine"]["limit_left"] == 2
    async with runtime.database.transaction() as tx:
        await collecting.collect_one(tx, Staff(counter.staff.id), kept.pickup_code)
    assert (await seen(api, reward, person))["mine"]["limit_left"] == 2
    async with runtime.database.transaction() as tx:
        await undoing.undo(tx, Staff(counter.staff.id), kept.id, "误点")
    # The collection counts no more, but the reservation that took its place does.
    assert (await seen(api, reward, person))["mine"]["limit_left"] == 2
    assert (await seen(api, reward))["mine"] is None


async def test_a_reward_shows_its_pictures_and_where_to_collect_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    where = {"pickup_place": "青年之家一楼", "pickup_hours": "周六 9:00–12:00"}
    reward = await make_reward(runtime, counter, **where)
    assert (await seen(api, reward))["pictures"] == []
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    made = await api.post(
        ATTACHMENTS,
        headers=keyed(organizer),
        data={"subject_type": "reward", "subject_id": str(reward.id)},
        files={"file": ("soap.jpg", make_picture(), "image/jpeg")},
    )
    assert made.status_code == 201, made.text

    shown = await seen(api, reward)

    assert {name: shown[name] for name in where} == where
    [picture] = shown["pictures"]
    assert picture["id"] == made.json()["id"]
    for name in ("url", "thumbnail_url"):
        assert (await api.get(picture[name])).headers["content-type"].startswith("image/")


async def test_a_redemption_shows_where_it_is_collected(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 50, org=counter.merchant.org_id)
    where = {"pickup_place": "一楼", "pickup_hours": "周六上午"}
    await reserve(runtime, person.id, await make_reward(runtime, counter, **where))
    other = await make_counter(runtime)
    map_point = {"latitude": 32.2, "longitude": 119.8, "hours": "9:00–18:00", "phone": "88001122"}
    for owner, number in ((counter, 6), (other, 1)):
        for n in range(number):
            body = map_point | {"name": f"{n}号店", "address": "三茅路 1 号"}
            made = await api.post(
                f"/api/v1/merchants/{owner.merchant.id}/shops",
                headers=keyed(owner.staff),
                json=body,
            )
            assert made.status_code == 201, made.text

    [found] = (await api.get("/api/v1/me/redemptions", headers=person.headers)).json()["items"]

    assert {name: found[name] for name in where} == where
    assert found["merchant_name"] == counter.merchant.name
    assert [one["name"] for one in found["shops"]] == [f"{n}号店" for n in range(5)]
    assert map_point.items() <= found["shops"][0].items()
