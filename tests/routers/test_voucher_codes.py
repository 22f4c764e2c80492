"""Codes of vouchers: imported or generated, handed out once, never listed."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx

from app.models.ledger import Purpose
from app.models.people import Role
from app.models.rewards import Reward, RewardKind
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import TestPerson, appoint, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_counter, make_reward, reserve
from tests.routers.test_redemptions import make_rich, redeem, reserved
from tests.security.schema_world import FEW, MANY, Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation          rule       nobody alice bob  counter rival sibling parent auditor admin outsider
addVoucherCodes    organizer  401    403   403  403     403   404     201    403     201   404       404=rewards.not_found
getVoucherStock    reader     401    403   403  403     403   404     200    200     200   404       404=rewards.not_found
useVoucher         merchant staff  401    403   403  200     404   403     403    403     403   404       404=voucher_codes.not_found
getMyVoucherCodes  person     401    200   404  404     404   404     404    404     404   404       404=redemptions.not_found
"""  # noqa: E501 - a table
HERS = {"voucher_codes": "created_by = :alice"}
BEYOND_THE_SCHEMA = {"body", "body.generate", "voucher_codes.not_voucher", "voucher_codes.own"}
CODES = {"codes": ["FILM-0001", "FILM-0002", "FILM-0003"]}


async def _voucher(world: World) -> Ask:
    reward = await make_reward(world.runtime, world.shop, kind=RewardKind.voucher)
    return Ask({"reward_id": str(reward.id)}, CODES)


async def _handed_out(world: World) -> Ask:
    ask = await _voucher(world)
    await world.post("parent", f"rewards/{ask.ids['reward_id']}/voucher-codes", CODES)
    made = await world.post("alice", "redemptions", ask.ids)
    return Ask({"redemption_id": made["id"]})


async def _in_hand(world: World) -> Ask:
    ask = await _handed_out(world)
    path = f"{API}/redemptions/{ask.ids['redemption_id']}/voucher-codes"
    shown = await world.api.get(path, headers=world.alice.headers)
    return Ask(body={"code": shown.json()["codes"][0]})


REQUESTS = {
    "addVoucherCodes": _voucher,
    "getVoucherStock": _voucher,
    "getMyVoucherCodes": _handed_out,
    "useVoucher": _in_hand,
}


async def _codes_of_goods(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    reward = await make_reward(runtime, counter)
    path = f"/rewards/{reward.id}/voucher-codes"
    return Refused(organizer, "POST", path, {"kind": "goods"}, {"generate": 2})


async def _used(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter, person = await make_counter(runtime), await make_rich(runtime)
    made = await reserve(runtime, person.id, await coded(api, runtime, counter))
    body = {"code": (await codes_of(api, person, str(made.id)))[0]}
    used = (await use(api, counter, body["code"])).json()
    facts = {"used_at": datetime.fromisoformat(used["used_at"])}
    return Refused(counter.staff, "POST", "/merchant/voucher-codes/use", facts, body)


REFUSED = {"voucher_codes.not_voucher": _codes_of_goods, "voucher_codes.used": _used}


async def known(setup: Setup) -> Known:
    kind = RewardKind.voucher
    made = [await make_reward(setup.runtime, setup.counter, kind=kind) for _ in range(FEW)]
    for one in made:
        await setup.post(setup.organizer, f"/rewards/{one.id}/voucher-codes", generate=MANY)
    return {"reward_id": [str(one.id) for one in made]}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], known: Known) -> None:
        if "generate" in body or "codes" in body:
            body.pop("codes", None)
            body["generate"] = 3

    return complete


async def coded(
    api: httpx.AsyncClient, runtime: Runtime, counter: Counter, **changes: Any
) -> Reward:
    """Return a voucher with three codes."""
    reward = await make_reward(runtime, counter, kind=RewardKind.voucher, **changes)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    assert (await add(api, organizer, reward, CODES)).status_code == 201
    return reward


async def add(
    api: httpx.AsyncClient, who: TestPerson, reward: Reward, body: dict[str, Any]
) -> httpx.Response:
    path = f"{API}/rewards/{reward.id}/voucher-codes"
    return await api.post(path, headers=keyed(who), json=body)


async def use(api: httpx.AsyncClient, counter: Counter, code: str) -> httpx.Response:
    path = f"{API}/merchant/voucher-codes/use"
    return await api.post(path, headers=keyed(counter.staff), json={"code": code})


async def codes_of(api: httpx.AsyncClient, who: TestPerson, redemption: str) -> list[str]:
    path = f"{API}/redemptions/{redemption}/voucher-codes"
    reply = await api.get(path, headers=who.headers)
    assert reply.headers["cache-control"] == "no-store"
    found: list[str] = reply.json()["codes"]
    return found


async def test_each_piece_is_a_code_that_nobody_else_gets(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    reward = await coded(api, runtime, counter, stock=5)
    first, second = [await make_rich(runtime) for _ in range(2)]

    two = await reserved(api, first, reward, 2)
    assert (two["status"], two["points"]) == ("collected", 20)
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 20
    too_many = await redeem(api, second, reward, 2)
    assert_refused(too_many, 409, "rewards.out_of_stock")
    assert too_many.json()["facts"]["stock_left"] == 1
    [shown] = await walk(api, f"{API}/rewards", merchant_id=str(counter.merchant.id))
    assert shown["stock_left"] == 1  # five pieces were meant, three codes are there
    one = await reserved(api, second, reward)

    got = [await codes_of(api, first, two["id"]), await codes_of(api, second, one["id"])]
    assert sorted(got[0] + got[1]) == CODES["codes"]
    assert [len(one) for one in got] == [2, 1]
    assert (await inbox(api, runtime, first))[0]["kind"] == "voucher_handed_out"
    cancelled = await api.post(f"{API}/redemptions/{one['id']}/cancel", headers=second.headers)
    assert_refused(cancelled, 409, "redemptions.not_reserved")
    path = f"{API}/merchant/redemptions/{one['id']}/undo"
    undone = await api.post(path, headers=keyed(counter.staff), json={"reason": "顾客要求"})
    assert_refused(undone, 409, "redemptions.without_counter")
    await assert_ledger_verifies(runtime)


async def test_codes_are_counted_and_never_shown_to_staff(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    reward = await make_reward(runtime, counter, kind=RewardKind.voucher)
    before = await reserve(runtime, (await make_rich(runtime)).id, reward)
    assert before.status == "reserved"  # no codes yet: it is collected at the counter

    made = await add(api, organizer, reward, {"generate": 2})
    assert (made.json()["added"], made.json()["left"]) == (2, 2)
    again = await add(api, organizer, reward, CODES)
    twice = await add(api, organizer, reward, {"codes": [*CODES["codes"], "FILM-0004"]})
    assert [(one.json()["added"], one.json()["known"]) for one in (again, twice)] == [
        (3, 0),
        (1, 3),
    ]
    for body in ({}, {"generate": 1, "codes": ["ABCD"]}, {"generate": 0}):
        assert_refused(await add(api, organizer, reward, body), 422, "request.invalid")
    path = f"{API}/rewards/{reward.id}/voucher-codes"
    stock = (await api.get(path, headers=organizer.headers)).json()
    assert stock == {"reward_id": str(reward.id), "total": 6, "handed_out": 0, "left": 6}
    async with runtime.database.read() as tx:
        rows = await tx.fetch("SELECT CAST(v AS text) AS row FROM voucher_codes v", {})
    assert not any("FILM" in row.row for row in rows)
    collected = await api.post(
        f"{API}/merchant/redemptions/collect",
        headers=keyed(counter.staff),
        json={"pickup_code": before.pickup_code},
    )
    assert collected.status_code == 200
    await assert_ledger_verifies(runtime)


async def test_staff_do_not_use_up_a_voucher_of_their_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The refusal uses nothing up: a colleague takes the code."""
    counter, colleague = await make_counter(runtime), await make_person(runtime)
    me, merchant = counter.staff, counter.merchant.id
    async with runtime.database.transaction() as tx:
        await appoint(tx, colleague.id, Role.merchant_staff, merchant=merchant)
    await give_points(runtime, me.id, 100)
    made = await reserve(runtime, me.id, await coded(api, runtime, counter))
    [code] = await codes_of(api, me, str(made.id))
    assert_refused(await use(api, counter, code), 403, "voucher_codes.own")
    taken = await use(api, replace(counter, staff=colleague), code)
    assert taken.status_code == 200, taken.text
    assert_refused(await use(api, counter, code), 403, "voucher_codes.own")


async def test_the_merchant_takes_a_code_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter, rival = [await make_counter(runtime) for _ in range(2)]
    person = await make_rich(runtime)
    made = await reserve(runtime, person.id, await coded(api, runtime, counter))
    [code] = await codes_of(api, person, str(made.id))
    [left, *_] = [one for one in CODES["codes"] if one != code]

    for who, wrong in ((rival, code), (counter, left), (counter, "FILM-9999")):
        assert_refused(await use(api, who, wrong), 404, "voucher_codes.not_found")
    taken = await use(api, counter, code.replace("-", " ").lower())
    assert (taken.status_code, taken.json()["person"]) == (200, {"display_name": "王*四"})
    again = await use(api, counter, code)
    assert_refused(again, 409, "voucher_codes.used")
    assert again.json()["facts"] == {"used_at": taken.json()["used_at"]}
