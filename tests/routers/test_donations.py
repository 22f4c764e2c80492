"""Points given to the 公益银行 without a counter, and the honour mark."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from app.core.clock import local_date, now
from app.models.ledger import Purpose
from app.models.merchants import MerchantKind
from app.models.orgs import Org
from app.models.rewards import Reward, RewardKind
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter, make_reward
from tests.routers.test_redemptions import make_rich
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation     rule    nobody alice bob  counter rival sibling parent auditor admin outsider
donatePoints  person  401    201+  201  201     201   201     201    201     201   201
getMyHonour   person  401    200   200  200     200   200     200    200     200   200
chooseHonour  person  401    200   200  200     200   200     200    200     200   200
listHonours   anyone  200    200   200  200     200   200     200    200     200   200
"""
HERS = {"hidden_honours": "person_id = :alice"}
BESIDE_POINTS = {"hidden_honours"}
BEYOND_THE_SCHEMA = {"body.quantity", "donations.not_donation"}


async def make_donation(runtime: Runtime, org: Org | None = None, **changes: Any) -> Reward:
    """Return a reward of 5 points that gives them to the fund of an organisation."""
    counter = await make_counter(runtime, kind=MerchantKind.fund_counter, org=org)
    return await make_reward(runtime, counter, kind=RewardKind.donation, points=5, **changes)


async def _donate(world: World) -> Ask:
    reward = await make_donation(world.runtime, world.home)
    return Ask(body={"reward_id": str(reward.id), "quantity": 1})


async def _hide(world: World) -> Ask:
    # Another choice than the one that stands.
    shown = await world.api.get(f"{API}/me/honour", headers=world.alice.headers)
    return Ask(body={"is_public": not shown.json()["is_public"]})


async def _of_home(world: World) -> Ask:
    return Ask({"org_id": str(world.home.id)})


REQUESTS = {"donatePoints": _donate, "chooseHonour": _hide, "listHonours": _of_home}


async def _goods(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, reward = (
        await make_rich(runtime),
        await make_reward(runtime, await make_counter(runtime)),
    )
    body = {"reward_id": str(reward.id), "quantity": 1}
    return Refused(person, "POST", "/donations", {"kind": "goods"}, body)


REFUSED = {"donations.not_donation": _goods}


async def donate(
    api: httpx.AsyncClient, who: TestPerson, reward: Reward, quantity: int = 1, key: str = ""
) -> httpx.Response:
    body = {"reward_id": str(reward.id), "quantity": quantity}
    return await api.post(f"{API}/donations", headers=keyed(who, key or None), json=body)


async def test_points_go_to_the_fund_at_once_and_make_the_honour_mark(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_rich(runtime)
    reward = await make_donation(runtime, org)
    me = f"{API}/me"
    before = (await api.get(f"{me}/honour", headers=person.headers)).json()
    assert (before["has_mark"], before["points_given"], before["is_public"]) == (False, 0, True)
    assert (await api.get(me, headers=person.headers)).json()["honour_year"] is None

    key = str(uuid4())
    first, again = [await donate(api, person, reward, 3, key) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    year = local_date(now()).year
    assert first.json()["honour"] == {
        "year": year,
        "points_given": 15,
        "points_needed": 1,
        "has_mark": True,
        "is_public": True,
    }
    assert await balance(runtime, person.id) == 85
    assert await balance(runtime, org.id, Purpose.fund) == 15
    [listed] = await walk(api, f"{API}/me/redemptions", person.headers)
    assert (listed["id"], listed["status"]) == (first.json()["id"], "collected")
    assert (await api.get(me, headers=person.headers)).json()["honour_year"] == year
    assert [one["kind"] for one in await inbox(api, runtime, person)] == ["donation_received"]
    assert_refused(await donate(api, person, reward, 18), 409, "points.insufficient")
    await assert_ledger_verifies(runtime)


async def test_who_hides_the_mark_is_on_no_public_list(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    reward = await make_donation(runtime, org)
    shown, hidden = [await make_rich(runtime) for _ in range(2)]
    for person, pieces in ((shown, 1), (hidden, 2)):
        assert (await donate(api, person, reward, pieces)).status_code == 201
    path = f"{API}/orgs/{org.id}/honours"

    async def public() -> list[tuple[str, int]]:
        items = (await api.get(path)).json()["items"]
        return [(one["display_name"], one["points_given"]) for one in items]

    async def choose(is_public: bool) -> None:
        body = {"is_public": is_public}
        reply = await api.put(f"{API}/me/honour", headers=hidden.headers, json=body)
        assert (reply.status_code, reply.json()["is_public"]) == (200, is_public)

    assert await public() == [("王*四", 10), ("王*四", 5)]
    for _ in range(2):
        await choose(False)
    assert await public() == [("王*四", 5)]
    await choose(True)
    assert len(await public()) == 2
    last = (await api.get(path, params={"year": local_date(now()).year - 1})).json()
    assert last["items"] == []


async def test_only_donations_at_a_fund_are_given_without_a_counter(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_rich(runtime)
    at_a_shop = await make_reward(
        runtime, await make_counter(runtime), kind=RewardKind.donation, points=5
    )
    over = await make_donation(runtime, offered_until=now() - timedelta(days=1))
    assert_refused(await donate(api, person, at_a_shop), 409, "donations.not_donation")
    assert_refused(await donate(api, person, over), 409, "rewards.not_offered")
    assert await balance(runtime, person.id) == 100
    assert await balance(runtime, person.id, Purpose.held) == 0
