"""Redemption days: drafted, published, stocked, listed, and closed when they balance."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import local_date, midnight, now
from app.jobs import redemption_days as job
from app.jobs import worker
from app.models.ledger import Purpose
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance, verified
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.factories.redemption_days import (
    DAYS,
    Day,
    day_body,
    make_buyer,
    make_day,
    make_draft,
    slot_body,
)
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_reward
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation                 rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listRedemptionDays        anyone     200    200   200  200     200   200     200    200     200   200
listRedemptionDays draft  anyone     403    403   403  403     403   403     200+   200+    200+  403
createRedemptionDay       organizer  401    403   403  403     403   403     201+   403     201+  403
getRedemptionDay          anyone     200    200   200  200     200   200     200    200     200   200
getRedemptionDay draft    anyone     404    404   404  404     404   404     200+   200+    200+  404       404=redemption_days.not_found
editRedemptionDay         organizer  401    403   403  403     403   404     200+   403     200+  404       404=redemption_days.not_found
publishRedemptionDay      organizer  401    403   403  403     403   404     200+   403     200+  404       404=redemption_days.not_found
moveStockOfDay            organizer  401    403   403  403     403   404     201    403     201   404       404=redemption_days.not_found
addStewardOfDay           organizer  401    403   403  403     403   404     201+   403     201+  404       404=redemption_days.not_found
listStewardsOfDay         person     401    200+  404  200+    404   404     200+   200+    200+  404       404=redemption_days.not_found
removeStewardOfDay        organizer  401    403   403  403     403   404     204+   403     204+  404       404=redemption_days.not_found
listOrdersOfDay           person     401    404   404  200+    404   404     200+   200+    200+  404       404=redemption_days.not_found
getPickListHtml           person     401    404   404  200     404   404     200    200     200   404       404=redemption_days.not_found
getDayReport              reader     401    403   403  403     403   404     200    200     200   404       404=redemption_days.not_found
closeRedemptionDay        organizer  401    403   403  403     403   404     200    403     200   404       404=redemption_days.not_found
"""  # noqa: E501 - a table
# Everybody sees what is published.
_DRAFTS = "SELECT id FROM redemption_days WHERE org_id = :home AND state = 'draft'"
HERS = {
    "redemption_days": "org_id = :home AND state = 'draft'",
    "redemption_day_items": f"day_id IN ({_DRAFTS})",
    "redemption_day_slots": f"day_id IN ({_DRAFTS})",
    "redemption_day_counters": f"day_id IN ({_DRAFTS})",
    "redemption_day_stewards": "person_id = :alice",
    "redemption_day_movements": "created_by = :alice",
    "redemption_day_absences": "person_id = :alice",
}
BESIDE_POINTS = {
    *("redemption_days", "redemption_day_counters", "redemption_day_stewards"),
    "redemption_day_absences",
}
BEYOND_THE_SCHEMA = {
    "request.precondition_failed",
    "body",  # one time before another
    *("body.merchant_id", "body.items", "body.opens_at", "body.closes_at", "body.starts_at"),
    *("body.ends_at", "body.walk_ins_at", "body.offline_until", "body.slots"),
    *("body.counter_id", "body.counts", "body.quantity"),
    "body.limit_per_person",  # 3.0 is no whole number to us
    "people.not_found",
    "query.org_id",  # of drafts
}


async def _of_home(world: World, **changes: Any) -> Day:
    return await make_day(world.api, world.runtime, org=world.home, counter=world.shop, **changes)


async def _body(world: World) -> dict[str, Any]:
    reward = await make_reward(world.runtime, world.shop)
    return day_body(world.home, world.shop, reward, slots=[slot_body(3)])


async def _create(world: World) -> Ask:
    return Ask(body=await _body(world))


async def _published(world: World) -> Ask:
    day = await _of_home(world)
    return Ask({"redemption_day_id": day.id}, query={"org_id": str(world.home.id)})


async def _shown(world: World) -> Ask:
    return Ask({"redemption_day_id": (await _of_home(world)).id})


async def _draft(world: World) -> Ask:
    day = await make_draft(world.api, world.runtime, org=world.home, counter=world.shop)
    return Ask({"redemption_day_id": day.id})


async def _drafts(world: World) -> Ask:
    await _draft(world)
    return Ask(query={"org_id": str(world.home.id), "state": "draft"})


async def _edit(world: World) -> Ask:
    body = await _body(world)
    del body["org_id"]
    return Ask((await _draft(world)).ids, body, headers={"If-Match": '"1"'})


async def _move(world: World) -> Ask:
    day = await _of_home(world)
    ids = {"redemption_day_id": day.id, "item_id": day.item()}
    return Ask(ids, {"quantity": 2, "reason": "到货"})


async def _steward(world: World, person: TestPerson) -> tuple[Day, dict[str, Any]]:
    day = await _of_home(world)
    card = (await world.api.get("/api/v1/me/card", headers=person.headers)).json()
    return day, {"counter_id": day.body["counters"][0]["id"], "card_no": card["card_no"]}


async def _appoint(world: World) -> Ask:
    day, body = await _steward(world, world.alice)
    return Ask({"redemption_day_id": day.id}, body)


async def _appointed(world: World) -> Ask:
    day, body = await _steward(world, world.alice)
    made = await day.act(day.organizer, "stewards", **body)
    return Ask({"redemption_day_id": day.id, "steward_id": made.json()["id"]})


async def _ordered(world: World) -> Ask:
    day = await _of_home(world)
    await day.ordered(world.alice)
    return Ask({"redemption_day_id": day.id})


async def _over(world: World) -> Ask:
    day = await _of_home(world)
    await day.end()
    counts = [{"item_id": day.item(), "left": 10}]
    return Ask({"redemption_day_id": day.id}, {"counts": counts})


REQUESTS = {
    "listRedemptionDays": _published,
    "listRedemptionDays draft": _drafts,
    "createRedemptionDay": _create,
    "getRedemptionDay": _shown,
    "getRedemptionDay draft": _draft,
    "editRedemptionDay": _edit,
    "publishRedemptionDay": _draft,
    "moveStockOfDay": _move,
    "addStewardOfDay": _appoint,
    "listStewardsOfDay": _appointed,
    "removeStewardOfDay": _appointed,
    "listOrdersOfDay": _ordered,
    "getPickListHtml": _ordered,
    "getDayReport": _shown,
    "closeRedemptionDay": _over,
}


async def known(setup: Setup) -> Known:
    days = [
        await make_day(setup.api, setup.runtime, org=setup.org, counter=setup.counter)
        for _ in range(FEW)
    ]
    order = await days[0].ordered(setup.others[0])
    return {
        "redemption_day_id": [one.id for one in days],
        "item_id": [one.item() for one in days],
        "order_id": [order["id"]],
    }


async def completion(setup: Setup) -> Completion:
    reward = await make_reward(setup.runtime, setup.counter)
    right = day_body(setup.org, setup.counter, reward)

    def complete(body: dict[str, Any], _: Known) -> None:
        if "walk_ins_at" in body and "items" in body:
            body.pop("slots", None)
            body |= {name: one for name, one in right.items() if name != "org_id" or name in body}

    return complete


async def _unbalanced(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    """One piece too few is on the shelf."""
    day = await make_day(api, runtime)
    await day.end()
    body = {"counts": [{"item_id": day.item(), "left": 9}]}
    facts = {"open": 0, "stock": 0, "counted": 1, "places": 0, "points": 0, "shelf": "A1"}
    path = f"/redemption-days/{day.id}/close"
    return Refused(day.organizer, "POST", path, facts, body)


async def _not_open(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    opens, closes = now() + timedelta(minutes=5), now() + timedelta(minutes=10)
    times = {"opens_at": opens.isoformat(), "closes_at": closes.isoformat()}
    day = await make_day(api, runtime, **times)
    facts = {"opens_at": opens, "closes_at": closes}
    path, body = f"/redemption-days/{day.id}/orders", {"item_id": day.item()}
    return Refused(await make_buyer(runtime), "POST", path, facts, body)


async def _skipped(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    days, person = await _missed(api, runtime, 2)
    third = await _next(days[0])
    path, body = f"/redemption-days/{third.id}/orders", {"item_id": third.item()}
    facts = {"used": 2, "limit": 2, "missed_at": days[1].body["starts_at"]}
    return Refused(person, "POST", path, facts, body)


REFUSED = {
    "redemption_days.unbalanced": _unbalanced,
    "redemption_days.not_open": _not_open,
    "redemption_days.skipped": _skipped,
}


async def test_a_day_from_draft_to_publication(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day = await make_draft(api, runtime, 30, slots=[slot_body(5)])
    assert_refused(await api.get(day.path), 404, "redemption_days.not_found")
    assert await walk(api, DAYS, org_id=str(day.org.id)) == []

    foreign = day_body(day.org, day.counter, await make_reward(runtime, day.counter, points=7))
    del foreign["org_id"]
    headers = day.organizer.headers | {"If-Match": '"1"'}
    edited = await api.put(day.path, headers=headers, json=foreign | {"title": "冬季"})
    stale = await api.put(day.path, headers=headers, json=foreign)
    assert (edited.json()["version"], edited.json()["title"]) == (2, "冬季")
    assert [one["points"] for one in edited.json()["items"]] == [7]
    assert edited.json()["slots"] == []
    assert_refused(stale, 412, "request.precondition_failed")

    await as_owner(
        runtime.settings,
        f"UPDATE rewards SET points = 8 WHERE id = '{foreign['items'][0]['reward_id']}'",  # noqa: S608
    )
    published = await day.act(day.organizer, "publish")
    again = await day.act(day.organizer, "publish")
    assert [one["points"] for one in published.json()["items"]] == [8], "of the publication"
    assert_refused(again, 409, "redemption_days.wrong_state")
    assert [one["id"] for one in await walk(api, DAYS, org_id=str(day.org.id))] == [day.id]
    assert (await day.seen())["mine"] is None
    admin = await make_administrator(runtime, day.org.id)
    assert [one["verb"] for one in await entries(api, admin, day.org)] == [
        *("moved", "changed", "created")
    ]


async def test_stock_and_stewards(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day = await make_day(api, runtime)
    moves = f"items/{day.item()}/movements"
    moved = await day.act(day.organizer, moves, quantity=-4, reason="破损")
    too_many = await day.act(day.organizer, moves, quantity=-7, reason="破损")
    none = await day.act(day.organizer, moves, quantity=0, reason="?")
    assert (moved.json()["before"], moved.json()["after"]) == (10, 6)
    assert_refused(too_many, 409, "day_orders.out_of_stock")
    assert_refused(none, 422, "request.invalid")

    helper, buyer = await make_person(runtime), await make_buyer(runtime)
    order = await day.ordered(buyer)
    code = {"pickup_code": order["pickup_code"]}
    assert_refused(await day.act(helper, "handovers", **code), 403, "auth.forbidden")
    card = (await api.get("/api/v1/me/card", headers=helper.headers)).json()["card_no"]
    body = {"counter_id": day.body["counters"][0]["id"], "card_no": card}
    made = await day.act(day.organizer, "stewards", **body)
    again = await day.act(day.organizer, "stewards", **body)
    assert_refused(again, 409, "redemption_days.steward_there")
    assert (await day.act(helper, "handovers", **code)).status_code == 200
    steward = f"{day.path}/stewards/{made.json()['id']}"
    gone = await api.delete(steward, headers=keyed(day.organizer))
    assert gone.status_code == 204
    assert_refused(await day.act(helper, "handovers", **code), 403, "auth.forbidden")


async def test_the_pick_list_is_by_shelf(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day = await make_day(api, runtime, 10, 20)
    buyers = [await make_buyer(runtime) for _ in range(2)]
    for number in (1, 0):
        for buyer in buyers:
            await day.ordered(buyer, number, quantity=2)
    listed = await walk(api, f"{day.path}/orders", day.counter.staff.headers, limit=3)
    assert [one["shelf"] for one in listed] == ["A1", "A1", "A2", "A2"]
    assert "pickup_code" not in listed[0]
    path = day.path.removeprefix("/api/v1")
    files = [await exported(api, f"{path}/orders", form, day.organizer) for form in FORMS]
    assert [[row["货架"] for row in rows] for rows in files] == [["A1", "A1", "A2", "A2"]] * 2
    page = await api.get(f"{day.path}/orders.html", headers=day.counter.staff.headers)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    heads = re.findall(r"<h2>(\w+) · .*?<small>(\d+)", page.text)
    assert heads == [("A1", "4"), ("A2", "4")]


async def test_what_nobody_collected_is_released(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Points go back to their lots, goods to the shelf; who came is not absent."""
    day = await make_day(api, runtime, slots=[slot_body(5)])
    came, absent = await make_buyer(runtime), await make_buyer(runtime)
    slot = day.body["slots"][0]["id"]
    order = await day.ordered(came, quantity=2, slot_id=slot)
    await day.ordered(absent, quantity=3, slot_id=slot)
    assert (await day.hand_over(order)).status_code == 200
    await day.over()
    assert await balance(runtime, absent.id) == 100
    assert await balance(runtime, absent.id, Purpose.held) == 0
    seen = await day.seen(absent)
    assert [one["status"] for one in seen["mine"]["orders"]] == ["expired"]
    assert (seen["items"][0]["stock_left"], seen["slots"][0]["places_left"]) == (8, 4)
    told = [one["kind"] for one in await inbox(api, runtime, absent)]
    assert told == ["redemption_expired", "redemption_day_reserved"]
    await assert_ledger_verifies(runtime)


def test_absences_are_recorded_as_soon_as_orders_are_released() -> None:
    every = {one.name: one.every for one in worker.jobs()}
    assert every["settle-redemption-days"] <= every["expire-reservations"]


async def _next(day: Day, **changes: Any) -> Day:
    """Publish another day of the same organisation, which begins after the others."""
    at = now() - timedelta(minutes=10)
    times = {"starts_at": at.isoformat()} | changes
    return await make_day(day.api, day.runtime, org=day.org, counter=day.counter, **times)


async def _missed(
    api: httpx.AsyncClient, runtime: Runtime, number: int
) -> tuple[list[Day], TestPerson]:
    """Let somebody miss so many days, one after the other."""
    person, days = await make_buyer(runtime), [await make_day(api, runtime)]
    for minutes in range(50, 50 - 5 * (number - 1), -5):
        starts_at = now() - timedelta(minutes=minutes)
        days.append(await _next(days[0], starts_at=starts_at.isoformat()))
    for day in days:
        await day.ordered(person)
    for day in days:
        await day.over()
    return days, person


async def test_who_missed_two_days_skips_the_next_one(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    days, person = await _missed(api, runtime, 2)
    third = await _next(days[0])
    at = now() - timedelta(minutes=5)
    fourth = await _next(days[0], starts_at=at.isoformat())
    refused = await third.order(person)
    assert_refused(refused, 403, "redemption_days.skipped")
    seen = await third.seen(person)
    assert seen["mine"]["reason"]["code"] == "redemption_days.skipped"
    assert (await third.order(await make_buyer(runtime))).status_code == 201
    assert (await fourth.order(person)).status_code == 201
    kinds = [one["kind"] for one in await inbox(api, runtime, person)]
    assert kinds.count("redemption_day_skipped") == 1


async def test_who_missed_one_day_skips_none(api: httpx.AsyncClient, runtime: Runtime) -> None:
    days, person = await _missed(api, runtime, 1)
    assert (await (await _next(days[0])).order(person)).status_code == 201


@pytest.mark.usefixtures("at_noon")
async def test_people_are_reminded_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    tomorrow = midnight(local_date(now()) + timedelta(days=1))
    hours = {"starts_at": 9, "closes_at": 15, "walk_ins_at": 16, "ends_at": 17}
    times = {name: (tomorrow + timedelta(hours=one)).isoformat() for name, one in hours.items()}
    day, person = await make_day(api, runtime, **times), await make_buyer(runtime)
    await day.ordered(person)
    for _ in range(2):
        await job.remind(runtime)
    kinds = [one["kind"] for one in await inbox(api, runtime, person)]
    assert kinds == ["redemption_day_tomorrow", "redemption_day_reserved"]


async def test_a_day_closes_when_it_balances(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day = await make_day(api, runtime, 10, 20)
    came, absent = await make_buyer(runtime), await make_buyer(runtime)
    order = await day.ordered(came, quantity=2)
    given_up = await day.ordered(came, 1)
    await day.ordered(absent, 1)
    assert (await day.hand_over(order, order_ids=[order["id"]])).status_code == 200
    cancel = f"/api/v1/redemptions/{given_up['id']}/cancel"
    assert (await api.post(cancel, headers=came.headers)).status_code == 200
    assert_refused(await day.close(), 409, "redemption_days.not_open")
    await day.end()
    waiting = await day.close()
    assert_refused(waiting, 409, "redemption_days.unbalanced")
    assert (waiting.json()["facts"]["open"], waiting.headers["Retry-After"]) == (1, "30")
    await day.over()

    short = await day.close(7)
    assert "Retry-After" not in short.headers
    assert (short.json()["facts"]["counted"], short.json()["facts"]["shelf"]) == (1, "A1")
    lost = {"quantity": -1, "reason": "清点少一件"}
    await day.act(day.organizer, f"items/{day.item()}/movements", **lost)
    closed = await day.close(7)
    assert closed.status_code == 200, closed.text
    report = closed.json()
    assert report["balances"]
    names = ("reserved", "collected", "cancelled", "released", "moved_out", "expected", "counted")
    sums = [[one[name] for name in names] for one in report["items"]]
    assert sums == [[2, 2, 0, 0, 1, 7, 7], [2, 0, 1, 1, 0, 10, 10]]
    assert (report["ledger_held"], report["ledger_collected"]) == (60, 20)
    undo = f"/api/v1/merchant/redemptions/{order['id']}/undo"
    late = await api.post(undo, headers=keyed(day.counter.staff), json={"reason": "拿错"})
    assert_refused(late, 409, "redemptions.undo_too_late")
    assert_refused(await day.close(), 409, "redemption_days.wrong_state")
    assert (await day.seen())["state"] == "closed"
    await assert_ledger_verifies(runtime)


PLANTED = {
    "stock": "UPDATE redemption_day_items SET remaining = remaining {by} WHERE day_id = '{day}'",
    "places": "UPDATE redemption_day_slots SET taken = taken {by} WHERE day_id = '{day}'",
    "points": "UPDATE redemptions SET points = points {by} WHERE day_id = '{day}'",
}


@pytest.mark.parametrize("fact", PLANTED)
async def test_what_does_not_balance_is_told(
    api: httpx.AsyncClient, runtime: Runtime, fact: str
) -> None:
    day, person = await make_day(api, runtime, slots=[slot_body(5)]), await make_buyer(runtime)
    order = await day.ordered(person, slot_id=day.body["slots"][0]["id"])
    assert (await day.hand_over(order)).status_code == 200
    await day.end()
    assert (await day.report())["balances"]
    await as_owner(runtime.settings, PLANTED[fact].format(day=day.id, by="+ 1"))
    refused, found = await day.close(9), await verified(runtime)
    await as_owner(runtime.settings, PLANTED[fact].format(day=day.id, by="- 1"))
    assert_refused(refused, 409, "redemption_days.unbalanced")
    wrong = {name for name, value in refused.json()["facts"].items() if value and name != "shelf"}
    assert wrong == {fact}
    name = "redemption days: stocks, places and points are what the orders took"
    told = {one.check for one in found.differences}
    assert (name in told) == (fact != "points"), "the points of an order are compared elsewhere"
    assert told
    assert (await day.close(9)).status_code == 200
