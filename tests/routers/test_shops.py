"""Shops: opened by a merchant's staff, shown to everybody, closed again."""

from typing import Any

import httpx

from app.models.merchants import MerchantState
from app.runtime import Runtime
from app.schemas.activities import ActivityOut
from app.schemas.base import Out
from app.schemas.merchants import MerchantOut
from app.schemas.quests import QuestOut
from app.schemas.rewards import RewardOut
from app.schemas.shops import ShopOut
from app.services.shops import MAX_SHOPS
from tests.engines import as_owner
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.people import make_organizer
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_counter
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

SHOPS = "/api/v1/shops"
MATRIX = """
operation  rule             nobody alice bob  counter rival sibling parent auditor admin outsider
openShop   merchant keeper  401    403   403  201     404   404     201    403     201   404       404=merchants.not_found
listShops  anyone           200    200   200  200     200   200     200    200     200   200
getShop    anyone           200    200   200  200     200   200     200    200     200   200
editShop   merchant keeper  401    403   403  200     404   404     200    403     200   404       404=shops.not_found
moveShop   merchant keeper  401    403   403  200     404   404     200    403     200   404       404=shops.not_found
"""  # noqa: E501 - a table
HERS = {"shops": "created_by = :alice"}
BESIDE_POINTS = {"shops"}
BEYOND_THE_SCHEMA = {
    "body",  # one coordinate without the other
    "request.precondition_failed",
    "request.precondition_required",
}
BODY = {
    "name": "三茅店",
    "address": "扬中市三茅街道前进路 1 号",
    "latitude": 32.23,
    "longitude": 119.8,
    "hours": "9:00-21:00",
}
CLOSE = {"state": "closed", "reason": "搬迁"}


async def _open(world: World) -> Ask:
    return Ask({"merchant_id": str(world.shop.merchant.id)}, BODY)


async def _opened(world: World) -> dict[str, str]:
    made = await open_shop(world.api, world.shop)
    return {"shop_id": made["id"]}


async def _shown(world: World) -> Ask:
    return Ask(await _opened(world))


async def _edit(world: World) -> Ask:
    return Ask(await _opened(world), BODY | {"hours": "全天"}, headers={"If-Match": '"1"'})


async def _move(world: World) -> Ask:
    return Ask(await _opened(world), CLOSE)


REQUESTS = {"openShop": _open, "getShop": _shown, "editShop": _edit, "moveShop": _move}


async def _one_too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    made = await open_shop(api, counter)
    columns = "org_id, created_by, merchant_id, name, address, state"
    copies = f"""
        INSERT INTO shops ({columns}) SELECT {columns} FROM shops
        CROSS JOIN generate_series(2, {MAX_SHOPS}) WHERE id = '{made["id"]}'
    """  # noqa: S608
    await as_owner(runtime.settings, copies)
    path = f"/merchants/{counter.merchant.id}/shops"
    return Refused(counter.staff, "POST", path, {"limit": MAX_SHOPS, "used": MAX_SHOPS}, BODY)


REFUSED = {"shops.too_many": _one_too_many}


async def known(setup: Setup) -> Known:
    made = [await open_shop(setup.api, setup.counter) for _ in range(FEW)]
    return {"shop_id": [one["id"] for one in made]}


async def open_shop(api: httpx.AsyncClient, counter: Counter, **changes: Any) -> dict[str, Any]:
    path = f"/api/v1/merchants/{counter.merchant.id}/shops"
    made = await api.post(path, headers=keyed(counter.staff), json=BODY | changes)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def listed(api: httpx.AsyncClient, counter: Counter) -> list[dict[str, Any]]:
    merchant = counter.merchant
    return await walk(api, SHOPS, org_id=str(merchant.org_id), merchant_id=str(merchant.id))


async def test_a_shop_is_opened_edited_and_closed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    made = await open_shop(api, counter)
    assert await listed(api, counter) == [made]
    path, headers = f"{SHOPS}/{made['id']}", {"If-Match": '"1"'}

    edited = await api.put(path, headers=organizer.headers | headers, json=BODY | {"name": "新店"})
    late = await api.put(path, headers=counter.staff.headers | headers, json=BODY)
    half = await api.put(
        path, headers=counter.staff.headers | headers, json=BODY | {"latitude": None}
    )
    assert edited.json()["changes"] == [{"field": "name", "before": "三茅店", "after": "新店"}]
    assert_refused(late, 412, "request.precondition_failed")
    assert_refused(half, 422, "request.invalid")

    closed = await api.post(f"{path}/moves", headers=keyed(counter.staff), json=CLOSE)
    again = await api.post(f"{path}/moves", headers=keyed(counter.staff), json=CLOSE)
    assert closed.json()["state"] == "closed"
    assert_refused(again, 409, "shops.wrong_state")
    assert await listed(api, counter) == []
    assert (await api.get(path)).json()["state"] == "closed"


async def test_the_shops_of_a_suspended_merchant_are_not_listed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime, state=MerchantState.suspended)
    await open_shop(api, counter)
    assert await listed(api, counter) == []


async def test_nobody_is_told_who_opened_a_shop(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Nor who made a quest: the replies that need no login name no people."""
    counter = await make_counter(runtime)
    path = f"/api/v1/merchants/{counter.merchant.id}/shops"
    made = await api.post(path, headers=keyed(counter.staff), json=BODY)
    listed = await walk(api, SHOPS, merchant_id=str(counter.merchant.id))
    shown = await api.get(f"{SHOPS}/{made.json()['id']}")
    assert str(counter.staff.id) not in f"{listed}{shown.text}"
    replies: list[type[Out]] = [ShopOut, QuestOut, MerchantOut, ActivityOut, RewardOut]
    assert [one.__name__ for one in replies if "created_by" in one.model_fields] == []
