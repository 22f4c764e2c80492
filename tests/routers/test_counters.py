"""A merchant's counter: charges, refunds and statements."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from app.core.clock import local_date, month_start, now
from app.models.ledger import Purpose
from app.models.redemptions import Charge, Redemption
from app.runtime import Runtime
from app.services.redemptions.undoing import WITHIN
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies, balance, give_points, make_debt
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import (
    Counter,
    make_card_codes,
    make_counter,
    make_reward,
    reserve,
)
from tests.security.schema_world import FEW, OUTLIVES_THE_RUN, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation          rule            nobody alice bob  counter rival sibling parent auditor admin outsider
collectRedemption  merchant staff  401    403   403  200+    404   403     403    403     403   404       404=redemptions.not_found
previewCollection  merchant staff  401    403   403  200+    404   403     403    403     403   404       404=redemptions.not_found
undoCollection     merchant staff  401    403   403  200+    404   403     403    403     403   404       404=redemptions.not_found
previewCharge      merchant staff  401    403   403  200     200   403     403    403     403   200
getToday           merchant staff  401    403   403  200+    200   403     403    403     403   200
charge             merchant staff  401    403   403  201+    201+  403     403    403     403   201+
getCharge          merchant staff  401    403   403  200+    404   403     403    403     403   404       404=charges.not_found
refundCharge       merchant staff  401    403   403  200+    404   403     403    403     403   404       404=charges.not_found
getStatement       merchant staff  401    403   403  200+    200   403     403    403     403   200
"""  # noqa: E501 - a table
BESIDE_POINTS = {"code_locks"}
HERS = {"charges": "person_id = :alice", "charge_refunds": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    *("query.month", "query.since", "query.until"),  # 2026-13; one day before another
    "body.points",  # 3.0 is no whole number to us
    "cards.code_invalid",
    "merchants.not_yours",
}


async def _collect(world: World) -> Ask:
    reward = await make_reward(world.runtime, world.shop)
    wanted = {"reward_id": str(reward.id), "quantity": 1}
    made = await world.post("alice", "redemptions", wanted)
    return Ask(body={"pickup_code": made["pickup_code"]})


async def _collected(world: World) -> Ask:
    ask = await _collect(world)
    staff = world.everybody["counter"]
    assert staff is not None
    path = f"{API}/merchant/redemptions/collect"
    done = await world.api.post(path, headers=keyed(staff), json=ask.body)
    return Ask({"redemption_id": done.json()["id"]}, {"reason": "拿错了"})


async def _preview(world: World) -> Ask:
    codes = await make_card_codes(world.runtime, world.alice, 1)
    return Ask(body={"card_code": codes[0], "points": 1})


async def _today(world: World) -> Ask:
    await _charged(world)
    return Ask()


async def _charge(world: World) -> Ask:
    codes = await make_card_codes(world.runtime, world.alice, 1)
    return Ask(body={"card_code": codes[0], "points": 1, "note": ""})


async def _charged(world: World) -> Ask:
    made = await world.post("counter", "merchant/charges", (await _charge(world)).body)
    return Ask({"charge_id": made["id"]}, {"reason": "x"})


async def _charged_only(world: World) -> Ask:
    return Ask((await _charged(world)).ids)


async def _statement(world: World) -> Ask:
    await _charged(world)
    return Ask(query={"month": local_date(now()).isoformat()[:7]})


REQUESTS = {
    "collectRedemption": _collect,
    "previewCollection": _collect,
    "undoCollection": _collected,
    "previewCharge": _preview,
    "getToday": _today,
    "charge": _charge,
    "getCharge": _charged_only,
    "refundCharge": _charged,
    "getStatement": _statement,
}


async def _charge_again(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 9)
    [code] = await make_card_codes(runtime, person, 1)
    body = {"card_code": code, "points": 1, "note": ""}
    made = await api.post(f"{API}/merchant/charges", headers=keyed(counter.staff), json=body)
    facts = {"used_at": datetime.fromisoformat(made.json()["created_at"])}
    return Refused(counter.staff, "POST", "/merchant/charges", facts, body)


async def _refund_too_much(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    made = (await charge(api, runtime, counter, await make_customer(runtime), 10)).json()
    path, body = f"/merchant/charges/{made['id']}/refund", {"reason": "x", "points": 4}
    first = await api.post(API + path, headers=keyed(counter.staff), json=body)
    assert first.status_code == 200, first.text
    facts = {"limit": 6, "used": 4}
    return Refused(counter.staff, "POST", path, facts, body | {"points": 7})


async def _undo(api: httpx.AsyncClient, runtime: Runtime, settled_at: datetime | None) -> Refused:
    """Undo what was collected at a time, or what was not collected."""
    counter, person = await make_counter(runtime), await make_customer(runtime)
    held = await reserve(runtime, person.id, await make_reward(runtime, counter))
    path = f"/merchant/redemptions/{held.id}/undo"
    facts: dict[str, Any] = {"status": "reserved"}
    if settled_at is not None:
        body = {"pickup_code": held.pickup_code}
        collect = f"{API}/merchant/redemptions/collect"
        done = await api.post(collect, headers=keyed(counter.staff), json=body)
        assert done.status_code == 200, done.text
        async with runtime.database.transaction() as tx:
            row = await tx.get(Redemption, held.id)
            assert row is not None
            row.settled_at = settled_at
        facts = {"closes_at": settled_at + WITHIN}
    return Refused(counter.staff, "POST", path, facts, {"reason": "x"})


async def _undo_what_is_reserved(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    return await _undo(api, runtime, None)


async def _undo_too_late(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    return await _undo(api, runtime, datetime(2026, 3, 1, tzinfo=UTC))


REFUSED = {
    "cards.code_used": _charge_again,
    "charges.refund_too_large": _refund_too_much,
    "redemptions.not_collected": _undo_what_is_reserved,
    "redemptions.undo_too_late": _undo_too_late,
}


async def known(setup: Setup) -> Known:
    staff, payer = setup.counter.staff, setup.others[0]
    codes = await make_card_codes(setup.runtime, payer, FEW, OUTLIVES_THE_RUN)
    made = [
        await setup.post(staff, "/merchant/charges", card_code=code, points=5) for code in codes
    ]
    return {"charge_id": [one["id"] for one in made], "month": [f"{now():%Y-%m}"]}


async def make_customer(runtime: Runtime, points: int = 100) -> TestPerson:
    person = await make_person(runtime)
    await give_points(runtime, person.id, points)
    return person


async def charge(
    api: httpx.AsyncClient, runtime: Runtime, counter: Counter, person: TestPerson, points: int
) -> httpx.Response:
    code = (await make_card_codes(runtime, person, 1))[0]
    return await api.post(
        f"{API}/merchant/charges",
        headers=keyed(counter.staff),
        json={"card_code": code, "points": points, "note": "拿铁一杯"},
    )


async def refund(
    api: httpx.AsyncClient, counter: Counter, charge_id: str, **changes: int
) -> httpx.Response:
    return await api.post(
        f"{API}/merchant/charges/{charge_id}/refund",
        headers=keyed(counter.staff),
        json={"reason": "做错了"} | changes,
    )


async def statement(
    api: httpx.AsyncClient, counter: Counter, month: str | None = None
) -> dict[str, Any]:
    response = await api.get(
        f"{API}/merchant/statement",
        headers=counter.staff.headers,
        params={"month": month or this_month()},
    )
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def this_month() -> str:
    return local_date(now()).isoformat()[:7]


async def test_a_charge_moves_points_to_the_merchant(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_customer(runtime), await make_counter(runtime)

    response = await charge(api, runtime, counter, person, 15)

    assert response.status_code == 201
    body = response.json()
    assert (body["points"], body["status"], body["balance_after"]) == (15, "charged", 85)
    assert body["person"] == {"display_name": "王*四"}
    assert await balance(runtime, person.id) == 85
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 15
    newest = (await walk(api, f"{API}/me/points/entries", person.headers))[0]
    assert newest["source"] == {"type": "charge", "id": body["id"]}
    await assert_ledger_verifies(runtime)


async def test_after_too_large_a_charge_the_same_code_pays_a_smaller_one(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_customer(runtime, 10), await make_counter(runtime)
    code = (await make_card_codes(runtime, person, 1))[0]

    async def take(points: int) -> httpx.Response:
        return await api.post(
            f"{API}/merchant/charges",
            headers=keyed(counter.staff),
            json={"card_code": code, "points": points, "note": ""},
        )

    assert_refused(await take(11), 409, "points.insufficient")
    assert (await take(10)).status_code == 201
    assert_refused(await take(1), 409, "cards.code_used")
    assert await balance(runtime, person.id) == 0


async def test_a_refund_gives_the_points_back_to_their_lots(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    for points, days in ((5, 20), (5, 10)):
        await give_points(runtime, person.id, points, expires_at=now() + timedelta(days=days))
    before = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    made = (await charge(api, runtime, counter, person, 7)).json()

    response = await refund(api, counter, made["id"])

    assert response.status_code == 200
    body = response.json()
    refunded = {"status": "refunded", "balance_after": 10, "points_refunded": 7}
    assert body == made | refunded
    after = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    assert after == before
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 0
    await assert_ledger_verifies(runtime)


async def test_a_refund_pays_what_the_person_owes_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_customer(runtime, 10), await make_counter(runtime)
    made = (await charge(api, runtime, counter, person, 10)).json()
    await make_debt(runtime, person.id, 4)

    body = (await refund(api, counter, made["id"])).json()

    assert (body["points"], body["balance_after"]) == (10, 6)
    assert await balance(runtime, person.id) == 6
    assert await balance(runtime, person.id, Purpose.debt) == 0
    await assert_ledger_verifies(runtime)


async def test_a_charge_is_refunded_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, counter = await make_customer(runtime), await make_counter(runtime)
    first, _ = [(await charge(api, runtime, counter, person, 10)).json() for _ in range(2)]

    assert (await refund(api, counter, first["id"])).status_code == 200
    assert_refused(await refund(api, counter, first["id"]), 409, "charges.already_refunded")

    assert await balance(runtime, person.id) == 90
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 10


async def test_another_merchants_charge_does_not_exist_here(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, mine, other = (
        await make_customer(runtime),
        await make_counter(runtime),
        await make_counter(runtime),
    )
    made = (await charge(api, runtime, mine, person, 10)).json()

    assert_refused(await refund(api, other, made["id"]), 404, "charges.not_found")
    assert_refused(await refund(api, mine, str(uuid4())), 404, "charges.not_found")
    assert await balance(runtime, person.id) == 90


async def test_a_counter_is_for_staff_only(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    person, counter = await make_customer(runtime), await make_counter(runtime, org=org)
    made = (await charge(api, runtime, counter, person, 10)).json()
    code = (await make_card_codes(runtime, person, 1))[0]

    for caller in (person, await make_organizer(runtime, org.id)):
        stranger = Counter(counter.merchant, caller)
        refusals = [
            await charge(api, runtime, stranger, person, 1),
            await refund(api, stranger, made["id"]),
            await api.post(
                f"{API}/merchant/redemptions/collect",
                headers=keyed(caller),
                json={"pickup_code": code},
            ),
            await api.get(
                f"{API}/merchant/statement",
                headers=caller.headers,
                params={"month": this_month()},
            ),
        ]
        for response in refusals:
            assert_refused(response, 403, "auth.forbidden")
    assert await balance(runtime, person.id) == 90


async def test_the_statement_sums_what_it_lists(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, counter = await make_customer(runtime), await make_counter(runtime)
    kept = (await charge(api, runtime, counter, person, 20)).json()
    returned = (await charge(api, runtime, counter, person, 5)).json()
    await refund(api, counter, returned["id"])
    reward = await make_reward(runtime, counter, name="咖啡券", points=12)
    reserved = await api.post(
        f"{API}/redemptions",
        headers=keyed(person),
        json={"reward_id": str(reward.id), "quantity": 1},
    )
    redemption = reserved.json()
    await api.post(
        f"{API}/merchant/redemptions/collect",
        headers=keyed(counter.staff),
        json={"pickup_code": redemption["pickup_code"]},
    )

    found = await statement(api, counter)

    assert (found["merchant_id"], found["month"]) == (str(counter.merchant.id), this_month())
    sums = {name: found[name] for name in ("charged", "refunded", "collected", "net")}
    assert sums == {"charged": 25, "refunded": 5, "collected": 12, "net": 32}
    assert [(one["kind"], one["id"], one["points"]) for one in found["items"]] == [
        ("collect", redemption["id"], 12),
        ("refund", returned["id"], -5),
        ("charge", returned["id"], 5),
        ("charge", kept["id"], 20),
    ]
    assert [one["note"] for one in found["items"]] == ["咖啡券", "做错了", "拿铁一杯", "拿铁一杯"]
    assert {one["person"]["display_name"] for one in found["items"]} == {"王*四"}
    assert found["net"] == await balance(runtime, counter.merchant.id, Purpose.takings)


async def test_a_statement_holds_its_month_in_shanghai_and_no_other(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_customer(runtime), await make_counter(runtime)
    for points, moment in (
        (1, month_start(2026, 3) - timedelta(microseconds=1)),
        (2, month_start(2026, 3)),
        (4, month_start(2026, 4) - timedelta(microseconds=1)),
        (8, month_start(2026, 4)),
    ):
        made = (await charge(api, runtime, counter, person, points)).json()
        async with runtime.database.transaction() as tx:
            row = await tx.get(Charge, UUID(made["id"]))
            assert row is not None
            row.created_at = moment
            tx.add(row)

    months = [await statement(api, counter, month) for month in ("2026-02", "2026-03", "2026-04")]

    assert [month["charged"] for month in months] == [1, 6, 8]


async def test_an_empty_month_is_all_zero_and_merchants_are_apart(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, mine, other = (
        await make_customer(runtime),
        await make_counter(runtime),
        await make_counter(runtime),
    )
    await charge(api, runtime, mine, person, 10)

    found = await statement(api, other)

    assert found["items"] == []
    assert {found[name] for name in ("charged", "refunded", "collected", "net")} == {0}
