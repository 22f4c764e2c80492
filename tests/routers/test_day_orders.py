"""Orders of redemption days: reserved, handed over, replaced, and walk-ins."""

from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.models.ledger import Purpose
from app.models.people import Role
from app.models.redemptions import Redemption
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import appoint
from tests.factories.redemption_days import HOUR, Day, make_buyer, make_day, slot_body
from tests.factories.refusals import Ask as Refused
from tests.security.schema_world import Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation          rule    nobody alice bob  counter rival sibling parent auditor admin outsider
orderOnDay         person  401    201+  201  201     201   201     201    201     201   201
previewGoods       person  401    403   403  200+    403   403     403    403     403   403
handOverGoods      person  401    403   403  200+    403   403     403    403     403   403
walkIn             person  401    403   403  200+    403   403     403    403     403   403
proposeSubstitute  person  401    403   403  201+    403   403     403    403     403   403
answerSubstitute   person  401    200+  404  404     404   404     404    404     404   404       404=day_orders.no_such_substitution
"""  # noqa: E501 - a table
HERS = {"redemption_substitutions": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    "body",  # either of two codes
    *("body.quantity", "body.slot_id"),
    *("cards.code_invalid", "redemptions.not_found", "day_orders.no_such_item"),
    *("day_orders.own", "auth.forbidden"),
}


async def _of_home(world: World, *prices: int) -> Day:
    return await make_day(world.api, world.runtime, *prices, org=world.home, counter=world.shop)


async def _day(world: World) -> Ask:
    day = await _of_home(world)
    return Ask({"redemption_day_id": day.id}, {"item_id": day.item()})


async def _ordered(world: World) -> Ask:
    day = await _of_home(world)
    order = await day.ordered(world.alice)
    return Ask({"redemption_day_id": day.id}, {"pickup_code": order["pickup_code"]})


async def _at_walk_ins(world: World) -> Ask:
    day = await _of_home(world)
    await day.end(walk_ins=True)
    body = {"item_id": day.item(), "card_code": await day.card_code(world.alice)}
    return Ask({"redemption_day_id": day.id}, body)


def _in_place_of(day: Day, order: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return {"order_id": order["id"], "item_id": day.item(number), "reason": "原奖品破损"}


async def _broken(world: World) -> Ask:
    day = await _of_home(world, 20, 15)
    order = await day.ordered(world.alice)
    return Ask({"redemption_day_id": day.id}, _in_place_of(day, order))


async def _proposed(world: World) -> Ask:
    day = await _of_home(world, 20, 15)
    order = await day.ordered(world.alice)
    made = await day.act(day.counter.staff, "substitutions", **_in_place_of(day, order))
    ids = {"redemption_day_id": day.id, "substitution_id": made.json()["id"]}
    return Ask(ids, {"accept": True})


REQUESTS = {
    "orderOnDay": _day,
    "previewGoods": _ordered,
    "handOverGoods": _ordered,
    "walkIn": _at_walk_ins,
    "proposeSubstitute": _broken,
    "answerSubstitute": _proposed,
}


async def known(setup: Setup) -> Known:
    day = await make_day(setup.api, setup.runtime, 20, 15, org=setup.org, counter=setup.counter)
    order = await day.ordered(setup.caller)
    made = await day.act(setup.counter.staff, "substitutions", **_in_place_of(day, order))
    return {"substitution_id": [made.json()["id"]]}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        if "item_id" in body and "reason" not in body:
            body.pop("slot_id", None)

    return complete


async def _sold_out(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    day, person = await make_day(api, runtime, stock=1), await make_buyer(runtime)
    body = {"item_id": day.item(), "quantity": 2}
    path = f"/redemption-days/{day.id}/orders"
    return Refused(person, "POST", path, {"stock_left": 1}, body)


async def _full(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    day, person = await make_day(api, runtime, slots=[slot_body(1)]), await make_buyer(runtime)
    slot = day.body["slots"][0]["id"]
    await day.ordered(await make_buyer(runtime), slot_id=slot)
    body = {"item_id": day.item(), "slot_id": slot}
    return Refused(person, "POST", f"/redemption-days/{day.id}/orders", {"limit": 1}, body)


async def _at_the_limit(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    day, person = await make_day(api, runtime, limit_per_person=3), await make_buyer(runtime)
    await day.ordered(person, quantity=2)
    body = {"item_id": day.item(), "quantity": 2}
    facts = {"limit": 3, "used": 2, "left": 1}
    return Refused(person, "POST", f"/redemption-days/{day.id}/orders", facts, body)


async def _dearer(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    day, person = await make_day(api, runtime, 10, 11), await make_buyer(runtime)
    body = _in_place_of(day, await day.ordered(person, quantity=2))
    facts = {"limit": 20, "needed": 22}
    path = f"/redemption-days/{day.id}/substitutions"
    return Refused(day.counter.staff, "POST", path, facts, body)


REFUSED = {
    "day_orders.out_of_stock": _sold_out,
    "day_orders.slot_full": _full,
    "day_orders.limit_reached": _at_the_limit,
    "day_orders.substitute_unfit": _dearer,
}


async def test_all_orders_of_a_person_are_handed_over_in_one_call(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    day = await make_day(api, runtime, 10, 20, slots=[slot_body(2)])
    person, other = await make_buyer(runtime), await make_buyer(runtime)
    slot = day.body["slots"][0]["id"]
    unnamed = await day.order(person)
    assert_refused(unnamed, 422, "request.invalid")
    first = await day.ordered(person, slot_id=slot, quantity=2)
    second = await day.ordered(person, 1)
    third = await day.ordered(other, 1, slot_id=slot)
    assert second["slot_id"] == slot
    assert await balance(runtime, person.id, Purpose.held) == 40
    seen = await day.seen(person)
    assert seen["slots"][0]["places_left"] == 0, "a place is for a person, not for an order"
    assert {one["id"] for one in seen["mine"]["orders"]} == {first["id"], second["id"]}

    staff, key = day.counter.staff, keyed(day.counter.staff)
    body = {"card_code": await day.card_code(person)}
    look = await day.act(staff, "handovers/preview", **body)
    done, again = [
        await api.post(f"{day.path}/handovers", headers=key, json=body) for _ in range(2)
    ]
    assert done.status_code == 200, done.text
    assert (done.json(), again.json()) == (look.json(), done.json())
    assert (done.json()["pieces"], done.json()["points"]) == (3, 40)
    assert [one["shelf"] for one in done.json()["orders"]] == ["A1", "A2"]
    assert await balance(runtime, day.org.id, Purpose.fund) == 40
    once_more = await day.act(staff, "handovers", card_code=await day.card_code(person))
    assert_refused(once_more, 409, "day_orders.nothing_to_hand_over")
    by_code = await day.hand_over(first)
    assert_refused(by_code, 409, "redemptions.not_reserved")
    assert by_code.json()["facts"]["status"] == "collected"
    part = await day.hand_over(third, order_ids=[first["id"]])
    assert_refused(part, 409, "day_orders.nothing_to_hand_over")
    unknown = await day.act(staff, "handovers", pickup_code="0000-0000")
    assert_refused(unknown, 404, "redemptions.not_found")
    await assert_ledger_verifies(runtime)


async def test_orders_of_a_day_have_stock_and_limits_of_their_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    day = await make_day(api, runtime, slots=[slot_body(1)], stock=3)
    person, slot = await make_buyer(runtime), day.body["slots"][0]["id"]
    order = await day.ordered(person, quantity=3, slot_id=slot)
    path = "/api/v1/redemptions"
    usual = {"reward_id": str(day.rewards[0].id), "quantity": 1}
    assert (await api.post(path, headers=keyed(person), json=usual)).status_code == 201
    gone = await api.post(f"{path}/{order['id']}/cancel", headers=person.headers)
    assert gone.status_code == 200
    seen = await day.seen()
    assert (seen["items"][0]["stock_left"], seen["slots"][0]["places_left"]) == (3, 1)
    poor = await make_buyer(runtime, points=5)
    refused = await day.order(poor, slot_id=slot)
    assert_refused(refused, 409, "points.insufficient")
    assert (await day.seen())["slots"][0]["places_left"] == 1
    await assert_ledger_verifies(runtime)


async def test_nobody_serves_themselves(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day, person = await make_day(api, runtime), await make_buyer(runtime)
    order = await day.ordered(person)
    async with runtime.database.transaction() as tx:
        merchant = day.counter.merchant.id
        await appoint(tx, person.id, Role.merchant_staff, merchant=merchant)
    body = {"pickup_code": order["pickup_code"]}
    assert_refused(await day.act(person, "handovers", **body), 403, "day_orders.own")
    for act in ("preview", "collect"):
        path = f"/api/v1/merchant/redemptions/{act}"
        refused = await api.post(path, headers=keyed(person), json=body)
        assert_refused(refused, 404, "redemptions.not_found")


async def test_a_proxy_collects_the_one_order_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    day, person = await make_day(api, runtime, 10, 20), await make_buyer(runtime)
    order, other = await day.ordered(person), await day.ordered(person, 1)
    path = f"/api/v1/redemptions/{order['id']}/proxy"
    revoked, made = [
        (await api.post(path, headers=keyed(person), json={"name": "李梅"})).json()["code"]
        for _ in range(2)
    ]
    staff, body = day.counter.staff, {"pickup_code": made.lower()}
    gone = await day.act(staff, "handovers", pickup_code=revoked)
    assert_refused(gone, 404, "redemptions.not_found")
    elsewhere = await day.act(staff, "handovers", **body, order_ids=[other["id"]])
    assert_refused(elsewhere, 409, "day_orders.nothing_to_hand_over")
    look = (await day.act(staff, "handovers/preview", **body)).json()
    done = await day.act(staff, "handovers", **body)
    assert (done.status_code, done.json()) == (200, look), done.text
    assert (look["proxy"], [one["id"] for one in look["orders"]]) == (
        {"name": "李梅"},
        [order["id"]],
    )
    assert_refused(await day.act(staff, "handovers", **body), 409, "redemptions.not_reserved")
    used = (await api.get(path, headers=person.headers)).json()
    assert used["used_at"] is not None
    assert (await inbox(api, runtime, person))[0]["kind"] == "proxies_collected"
    rest = await day.hand_over(other)
    assert (rest.status_code, rest.json()["proxy"]) == (200, None)
    await assert_ledger_verifies(runtime)


async def test_the_merchants_own_counter_leaves_orders_to_the_day(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Only what was handed over there, and undone, is collected at either."""
    starts = (now() + HOUR / 2).isoformat()
    day, person = await make_day(api, runtime, starts_at=starts), await make_buyer(runtime)
    order = await day.ordered(person)
    assert_refused(await day.hand_over(order), 409, "redemption_days.not_open")
    assert_refused(await _at_the_shop(day, order), 404, "redemptions.not_found")
    begun = f"UPDATE redemption_days SET starts_at = opens_at WHERE id = '{day.id}'"  # noqa: S608
    await as_owner(runtime.settings, begun)
    assert_refused(await _at_the_shop(day, order), 404, "redemptions.not_found")
    assert (await day.hand_over(order)).status_code == 200
    undo = f"/api/v1/merchant/redemptions/{order['id']}/undo"
    undone = await api.post(undo, headers=keyed(day.counter.staff), json={"reason": "拿错"})
    assert undone.status_code == 200, undone.text
    async with runtime.database.read() as tx:
        again = await tx.get(Redemption, UUID(undone.json()["replaced_by"]))
    assert again is not None
    assert (await _at_the_shop(day, again.model_dump())).status_code == 200
    assert (await day.report())["balances"]


async def _at_the_shop(day: Day, order: dict[str, Any]) -> httpx.Response:
    """Collect an order at the merchant's counter."""
    path, body = "/api/v1/merchant/redemptions/collect", {"pickup_code": order["pickup_code"]}
    return await day.api.post(path, headers=keyed(day.counter.staff), json=body)


async def test_a_collection_that_is_undone_can_be_handed_over_again(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    day, person = await make_day(api, runtime), await make_buyer(runtime)
    order = await day.ordered(person)
    assert (await day.hand_over(order)).status_code == 200
    undo = f"/api/v1/merchant/redemptions/{order['id']}/undo"
    undone = await api.post(undo, headers=keyed(day.counter.staff), json={"reason": "拿错"})
    assert undone.status_code == 200, undone.text
    await assert_ledger_verifies(runtime)
    body = {"card_code": await day.card_code(person)}
    assert (await day.act(day.counter.staff, "handovers", **body)).status_code == 200
    report = await day.report()
    assert [(one["reserved"], one["collected"]) for one in report["items"]] == [(1, 1)]
    assert report["balances"]


async def test_a_substitute_needs_consent(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day, person = await make_day(api, runtime, 20, 15, 30), await make_buyer(runtime)
    order = await day.ordered(person, quantity=2)
    staff = day.counter.staff
    made = await day.act(staff, "substitutions", **_in_place_of(day, order))
    again = await day.act(staff, "substitutions", **_in_place_of(day, order))
    assert (made.status_code, made.json()["state"]) == (201, "proposed")
    assert_refused(again, 409, "day_orders.substitution_there")
    assert await balance(runtime, person.id, Purpose.held) == 40
    [waiting] = (await day.seen(person))["mine"]["substitutions"]
    assert (waiting["id"], waiting["points"]) == (made.json()["id"], 30)
    kinds = [one["kind"] for one in await inbox(api, runtime, person)]
    assert kinds[0] == "day_substitute_proposed"

    answer = f"substitutions/{waiting['id']}/answer"
    other = await day.act(await make_buyer(runtime), answer, accept=True)
    assert_refused(other, 404, "day_orders.no_such_substitution")
    done = await day.act(person, answer, accept=True)
    assert (done.status_code, done.json()["state"]) == (200, "accepted"), done.text
    assert_refused(await day.act(person, answer, accept=False), 409, "day_orders.wrong_state")
    assert await balance(runtime, person.id, Purpose.held) == 30
    assert await balance(runtime, person.id) == 70
    left = [one["stock_left"] for one in (await day.seen())["items"]]
    assert left == [10, 8, 10]
    assert_refused(await day.hand_over(order), 409, "redemptions.not_reserved")
    body = {"card_code": await day.card_code(person)}
    handed = await day.act(staff, "handovers", **body)
    assert [one["id"] for one in handed.json()["orders"]] == [done.json()["replaced_by"]]
    report = await day.report()
    assert [one["substituted"] for one in report["items"]] == [2, 0, 0]
    assert report["balances"]
    await assert_ledger_verifies(runtime)


async def test_the_code_of_the_card_is_consent(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """The difference returns to the lots that it came from."""
    day, person = await make_day(api, runtime, 20, 15), await make_buyer(runtime, points=12)
    await give_points(runtime, person.id, 10)
    order, staff = await day.ordered(person), day.counter.staff
    stranger = await make_buyer(runtime)
    body = _in_place_of(day, order)
    theirs = await day.act(staff, "substitutions", **body, card_code=await day.card_code(stranger))
    assert_refused(theirs, 422, "cards.code_invalid")
    own = await day.card_code(person)
    done = await day.act(staff, "substitutions", **body, card_code=own)
    assert (done.status_code, done.json()["state"]) == (201, "accepted"), done.text
    assert await balance(runtime, person.id) == 7
    declined = await day.ordered(stranger)
    made = await day.act(staff, "substitutions", **_in_place_of(day, declined))
    answer = f"substitutions/{made.json()['id']}/answer"
    assert (await day.act(stranger, answer, accept=False)).json()["state"] == "declined"
    assert (await day.hand_over(declined)).status_code == 200
    await assert_ledger_verifies(runtime)


async def test_walk_ins_have_what_is_left(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day = await make_day(api, runtime, stock=3, limit_per_person=2)
    absent, walker = await make_buyer(runtime), await make_buyer(runtime)
    await day.ordered(absent, quantity=2)
    staff, item = day.counter.staff, {"item_id": day.item()}
    early = await day.act(staff, "walk-ins", **item, card_code=await day.card_code(walker))
    assert_refused(early, 409, "redemption_days.not_open")
    await day.at_walk_ins()
    body = item | {"quantity": 2, "card_code": await day.card_code(walker)}
    done = await day.act(staff, "walk-ins", **body)
    assert (done.status_code, done.json()["pieces"]) == (200, 2), done.text
    used = await day.act(staff, "walk-ins", **body)
    assert_refused(used, 409, "cards.code_used")
    more = item | {"card_code": await day.card_code(walker)}
    assert_refused(await day.act(staff, "walk-ins", **more), 409, "day_orders.limit_reached")
    last = item | {"quantity": 2, "card_code": await day.card_code(await make_buyer(runtime))}
    assert_refused(await day.act(staff, "walk-ins", **last), 409, "day_orders.out_of_stock")
    await day.over()
    assert (await day.close()).status_code == 200
    [report] = (await day.report())["items"]
    assert (report["released"], report["walk_ins"], report["left"]) == (2, 2, 1)
    await assert_ledger_verifies(runtime)
