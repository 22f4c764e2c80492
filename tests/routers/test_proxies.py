"""Proxies: somebody else collects a reservation, once, and its owner is told."""

from uuid import uuid4

import httpx

from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.people import TestPerson, make_administrator
from tests.factories.rewards import make_counter, make_reward
from tests.routers.test_audit import entries
from tests.routers.test_redemptions import cancel, collect, make_rich, reserved
from tests.routers.test_rewards import _org
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation    rule    nobody alice bob  counter rival sibling parent auditor admin outsider
makeProxy    person  401    201+  404  404     404   404     404    404     404   404       404=redemptions.not_found
getProxy     person  401    200+  404  404     404   404     404    404     404   404       404=redemptions.not_found
revokeProxy  person  401    204   404  404     404   404     404    404     404   404       404=redemptions.not_found
"""  # noqa: E501 - a table
HERS = {"collection_proxies": "person_id = :alice"}
BESIDE_POINTS = {"collection_proxies"}


async def _redeemed(world: World) -> Ask:
    reward = await make_reward(world.runtime, world.shop)
    made = await world.post("alice", "redemptions", {"reward_id": str(reward.id)})
    return Ask({"redemption_id": made["id"]}, {"name": "李梅"})


async def _proxied(world: World) -> Ask:
    ask = await _redeemed(world)
    await world.post("alice", f"redemptions/{ask.ids['redemption_id']}/proxy", {"name": "李梅"})
    return Ask(ask.ids)


REQUESTS = {"makeProxy": _redeemed, "getProxy": _proxied, "revokeProxy": _proxied}


async def make_proxy(
    api: httpx.AsyncClient, owner: TestPerson, redemption: str, **body: str
) -> httpx.Response:
    path = f"{API}/redemptions/{redemption}/proxy"
    return await api.post(path, headers=keyed(owner), json=body)


async def test_somebody_else_collects_once_and_the_owner_is_told(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    owner, counter = await make_rich(runtime), await make_counter(runtime)
    admin = await make_administrator(runtime, counter.merchant.org_id)
    rival = await make_counter(runtime)
    held = await reserved(api, owner, await make_reward(runtime, counter))
    path = f"{API}/redemptions/{held['id']}/proxy"
    assert_refused(await api.get(path, headers=owner.headers), 404, "proxies.not_found")
    made = (await make_proxy(api, owner, held["id"], name="李梅")).json()
    assert len(made["code"]) == 10
    assert made["code"] != held["pickup_code"]

    assert_refused(await collect(api, rival, made["code"]), 404, "redemptions.not_found")
    body = {"pickup_code": made["code"].lower()}
    preview = f"{API}/merchant/redemptions/preview"
    shown = await api.post(preview, headers=counter.staff.headers, json=body)
    assert shown.json()["proxy"] == {"name": "李梅"}
    done = await collect(api, counter, made["code"])
    assert (done.status_code, done.json()["proxy"]) == (200, {"name": "李梅"})
    for code in (made["code"], held["pickup_code"]):
        assert_refused(await collect(api, counter, code), 409, "redemptions.not_reserved")
    used = (await api.get(path, headers=owner.headers)).json()
    assert used["used_at"] is not None
    assert_refused(await make_proxy(api, owner, held["id"]), 409, "redemptions.not_reserved")
    assert (await inbox(api, runtime, owner))[0]["kind"] == "proxies_collected"
    told = [one["verb"] for one in await entries(api, admin, await _org(runtime, counter))]
    assert told == ["collected_by_proxy"]
    await assert_ledger_verifies(runtime)


async def test_a_code_ends_when_it_is_revoked_replaced_or_its_reservation_is_cancelled(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    owner, counter = await make_rich(runtime), await make_counter(runtime)
    held = await reserved(api, owner, await make_reward(runtime, counter))
    path = f"{API}/redemptions/{held['id']}/proxy"
    key = str(uuid4())
    replies = [await api.post(path, headers=keyed(owner, key), json={}) for _ in range(2)]
    first, again = [one.json()["code"] for one in replies]
    assert first == again  # a lost reply, repeated
    second = (await make_proxy(api, owner, held["id"])).json()["code"]
    assert_refused(await collect(api, counter, first), 404, "redemptions.not_found")
    for _ in range(2):
        assert (await api.delete(path, headers=owner.headers)).status_code == 204
    assert_refused(await collect(api, counter, second), 404, "redemptions.not_found")
    preview, body = f"{API}/merchant/redemptions/preview", {"pickup_code": second}
    shown = await api.post(preview, headers=counter.staff.headers, json=body)
    assert_refused(shown, 404, "redemptions.not_found")
    third = (await make_proxy(api, owner, held["id"])).json()["code"]
    assert (await cancel(api, owner, held)).status_code == 200
    assert_refused(await collect(api, counter, third), 409, "redemptions.not_reserved")


async def test_the_owner_may_still_come_himself(api: httpx.AsyncClient, runtime: Runtime) -> None:
    owner, counter = await make_rich(runtime), await make_counter(runtime)
    held = await reserved(api, owner, await make_reward(runtime, counter))
    made = (await make_proxy(api, owner, held["id"])).json()
    done = await collect(api, counter, held["pickup_code"])
    assert (done.status_code, done.json()["proxy"]) == (200, None)
    assert_refused(await collect(api, counter, made["code"]), 409, "redemptions.not_reserved")
