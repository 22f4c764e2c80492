"""Counters of redemption days without network: lists, hand-overs settled once, and what is not."""

from base64 import urlsafe_b64decode
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx

from app.core import base64url
from app.core.clock import now
from app.core.sealed_counter_lists import check_of, unseal
from app.core.signed_handovers import HandOver
from app.models.ledger import Purpose
from app.models.people import Role
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.devices import TestDevice, register, revoke
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import TestPerson, appoint, make_person
from tests.factories.redemption_days import HOUR, Day, make_buyer, make_day
from tests.factories.scans import card_of, ms, told
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation             rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getCounterList        person  401    403   403  200+    403   403     403    403     403   403
uploadHandovers       person  401    403   403  200+    403   403     403    403     403   403
listOfflineHandovers  person  401    404   404  200+    404   404     200+   200+    200+  404       404=redemption_days.not_found
"""  # noqa: E501 - a table
HERS = {
    "offline_handovers": "redemption_id IN (SELECT id FROM redemptions WHERE person_id = :alice)"
}
BESIDE_POINTS = {"offline_handovers"}
BEYOND_THE_SCHEMA = {
    *("offline_handovers.not_offered", "devices.not_found", "devices.wrong_state"),
    *("auth.forbidden", "redemption_days.not_found", "rosters.no_key", "body.sent_ms"),
    "redemption_days.not_open",
}
_numbers = count(1)


def signed(
    device: TestDevice, day: Day, order: str, at: datetime, sequence: int | None = None
) -> dict[str, str]:
    """Return a hand-over as a device signs it."""
    number = sequence or next(_numbers)
    text = HandOver(UUID(device.id), number, UUID(day.id), UUID(order), ms(at)).text
    return {"text": text, "signature": base64url.encode(device.signing_key.sign(text.encode()))}


def body_of(device: TestDevice, *events: dict[str, str]) -> dict[str, Any]:
    return {"device_id": device.id, "sent_ms": ms(now()), "events": list(events)}


async def make_offline(
    api: httpx.AsyncClient, runtime: Runtime, *prices: int, **changes: Any
) -> Day:
    """Publish a day whose counters may upload for a day."""
    return await make_day(
        api, runtime, *prices, offline_until=(now() + 24 * HOUR).isoformat(), **changes
    )


async def give_up_before(day: Day, person: TestPerson, order: dict[str, Any]) -> None:
    """Cancel an order as if the day had not begun."""
    begins, begun = now() + HOUR / 2, now() - HOUR
    settings = day.runtime.settings
    move = "UPDATE redemption_days SET starts_at = '{}' WHERE id = '{}'"
    await as_owner(settings, move.format(begins, day.id))
    gone = await day.api.post(f"/api/v1/redemptions/{order['id']}/cancel", headers=person.headers)
    assert gone.status_code == 200, gone.text
    await as_owner(settings, move.format(begun, day.id))


async def upload(
    day: Day, device: TestDevice, *events: dict[str, str], who: TestPerson | None = None
) -> dict[str, Any]:
    """Upload by the counter's staff, or by ``who``."""
    reply = await day.api.post(
        f"{day.path}/offline-handovers",
        headers=(who or day.counter.staff).headers,
        json=body_of(device, *events),
    )
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def _of_alice(world: World) -> tuple[Day, TestDevice, dict[str, Any]]:
    day = await make_offline(world.api, world.runtime, org=world.home, counter=world.shop)
    device = await register(world.api, day.organizer, world.home)
    return day, device, await day.ordered(world.alice)


async def _list(world: World) -> Ask:
    day, device, _ = await _of_alice(world)
    return Ask({"redemption_day_id": day.id}, query={"device_id": device.id})


async def _upload(world: World) -> Ask:
    day, device, order = await _of_alice(world)
    body = body_of(device, signed(device, day, order["id"], now()))
    return Ask({"redemption_day_id": day.id}, body)


async def _uploaded(world: World) -> Ask:
    day, device, order = await _of_alice(world)
    await upload(day, device, signed(device, day, order["id"], now()))
    return Ask({"redemption_day_id": day.id})


REQUESTS = {
    "getCounterList": _list,
    "uploadHandovers": _upload,
    "listOfflineHandovers": _uploaded,
}


async def known(setup: Setup) -> Known:
    device = await register(setup.api, setup.organizer, setup.org)
    return {"device_id": [device.id]}


async def test_a_device_reads_the_list_and_hand_overs_count_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    day = await make_offline(api, runtime)
    device = await register(api, day.organizer, day.org)
    people = [await make_buyer(runtime) for _ in range(3)]
    orders = [await day.ordered(one) for one in people]
    reply = await api.get(
        f"{day.path}/counter-list",
        headers=day.counter.staff.headers,
        params={"device_id": device.id},
    )
    assert reply.json()["orders"] == 3
    key, raw = device.roster_key.private_bytes_raw(), reply.json()["sealed"]
    sealed = urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
    listed = {one.order: one for one in unseal(key, UUID(device.id), UUID(day.id), sealed)}
    own = listed[orders[0]["id"]]
    assert own.code == check_of(UUID(day.id), orders[0]["pickup_code"])
    assert own.card == await card_of(runtime, people[0])
    assert people[0].name not in own.name
    assert orders[0]["pickup_code"] not in str(listed)

    events = [signed(device, day, one["id"], now()) for one in orders[:2]]
    first = await upload(day, device, events[1])
    again = await upload(day, device, *events, events[0])
    assert told(first) == ["counted"]
    assert told(again) == ["counted"] * 3
    assert [one["is_new"] for one in again["items"]] == [True, False, False]
    assert (again["counted"], again["settled"]) == (3, 1)
    assert await balance(runtime, day.org.id, Purpose.fund) == 20
    other = await register(api, day.organizer, day.org)
    repeated = await upload(day, other, signed(other, day, orders[0]["id"], now()))
    assert told(repeated) == ["collected_before"]
    assert_refused(await day.hand_over(orders[0]), 409, "redemptions.not_reserved")
    path = f"{day.path}/offline-handovers"
    report = await walk(api, path, day.organizer.headers)
    assert [one["outcome"] for one in report] == ["duplicate", "counted", "counted"]
    await assert_ledger_verifies(runtime)


async def test_uploads_count_after_the_day_and_orders_wait_for_them(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    day = await make_offline(api, runtime)
    device, person = await register(api, day.organizer, day.org), await make_buyer(runtime)
    order = await day.ordered(person)
    assert order["expires_at"] == day.body["offline_until"]
    event = signed(device, day, order["id"], now() - timedelta(minutes=30))
    assert told(await upload(day, device, event)) == ["counted"]
    report = await day.report()
    assert report["balances"]


async def test_what_does_not_count(api: httpx.AsyncClient, runtime: Runtime) -> None:
    day, elsewhere = await make_offline(api, runtime), await make_offline(api, runtime)
    device, person = await register(api, day.organizer, day.org), await make_buyer(runtime)
    stranger = await register(api, elsewhere.organizer, elsewhere.org)
    order = (await day.ordered(person))["id"]
    given_up = await day.ordered(person)
    await give_up_before(day, person, given_up)
    good = signed(device, day, order, now(), sequence=1_000)
    forged = good | {"signature": signed(stranger, day, order, now())["signature"]}
    events = [
        forged,
        {"text": "x", "signature": good["signature"]},
        signed(stranger, day, order, now()),
        signed(device, elsewhere, order, now()),
        signed(device, day, str(uuid4()), now()),
        signed(device, day, order, now() - 90 * timedelta(minutes=1)),
        signed(device, day, given_up["id"], now()),
        good,
        signed(device, day, given_up["id"], now(), sequence=1_000),
    ]
    found = await upload(day, device, *events)
    assert told(found) == [
        *("bad_signature", "malformed", "unknown_device", "other_day"),
        *("order_unknown", "outside_window", "ended_before", "counted", "sequence_reused"),
    ]
    await revoke(api, day.organizer, device.id)
    late = signed(device, day, given_up["id"], now())
    assert told(await upload(day, device, late)) == ["revoked"]
    await assert_ledger_verifies(runtime)


async def test_an_own_order_counts_when_a_colleague_uploads_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The refusal is not stored; of who registered the device no upload counts."""
    day, colleague = await make_offline(api, runtime), await make_person(runtime)
    async with runtime.database.transaction() as tx:
        merchant = day.counter.merchant.id
        await appoint(tx, colleague.id, Role.merchant_staff, merchant=merchant)
    device, me = await register(api, day.organizer, day.org), day.counter.staff
    orders = []
    for person in (me, day.organizer):
        await give_points(runtime, person.id, 50)
        orders.append(await day.ordered(person))
    mine, registrars = [signed(device, day, one["id"], now()) for one in orders]
    refused = await upload(day, device, mine, mine, registrars)
    assert told(refused) == ["own_order"] * 3
    assert (refused["counted"], refused["settled"]) == (0, 0)
    assert await walk(api, f"{day.path}/offline-handovers", day.organizer.headers) == []
    counted = await upload(day, device, mine, registrars, who=colleague)
    assert told(counted) == ["counted", "own_order"]
    assert told(await upload(day, device, mine)) == ["counted"]
    assert await balance(runtime, day.org.id, Purpose.fund) == 10
    await assert_ledger_verifies(runtime)


async def test_orders_stand_as_soon_as_a_device_may_list_them(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """From the end of the reservations on, but not more than a day before the day begins."""
    at = now()
    day = await make_offline(api, runtime, 20, 15, starts_at=(at + HOUR / 2).isoformat())
    device = await register(api, day.organizer, day.org)
    people = [await make_buyer(runtime) for _ in range(3)]
    orders = [await day.ordered(one) for one in people]
    body = {"order_id": orders[2]["id"], "item_id": day.item(1), "reason": "原奖品破损"}
    made = (await day.act(day.counter.staff, "substitutions", **body)).json()

    async def listed() -> httpx.Response:
        asked, headers = {"device_id": device.id}, day.counter.staff.headers
        return await api.get(f"{day.path}/counter-list", headers=headers, params=asked)

    async def cancel(number: int) -> httpx.Response:
        path = f"/api/v1/redemptions/{orders[number]['id']}/cancel"
        return await api.post(path, headers=people[number].headers)

    async def move(starts_at: datetime, closes_at: datetime) -> None:
        ends_at = starts_at + HOUR
        times = f"starts_at = '{starts_at}', closes_at = '{closes_at}', walk_ins_at = '{ends_at}'"
        times += f", ends_at = '{ends_at}', offline_until = '{starts_at + 24 * HOUR}'"
        statement = f"UPDATE redemption_days SET {times} WHERE id = '{day.id}'"  # noqa: S608
        await as_owner(runtime.settings, statement)

    early = await listed()  # reservations go on until the day has begun
    assert_refused(early, 409, "redemption_days.not_open")
    assert early.json()["facts"]["opens_at"] == day.body["starts_at"]
    await move(at + 25 * HOUR, at - HOUR)
    assert_refused(await listed(), 409, "redemption_days.not_open")
    assert (await cancel(0)).status_code == 200
    await move(at + HOUR / 2, at - HOUR)
    found = await listed()
    assert (found.status_code, found.json()["orders"]) == (200, 2), found.text
    refused = await cancel(1)
    assert_refused(refused, 409, "redemption_days.not_open")
    assert datetime.fromisoformat(refused.json()["facts"]["closes_at"]) == at - HOUR
    answer = f"substitutions/{made['id']}/answer"
    assert_refused(await day.act(people[2], answer, accept=True), 409, "redemption_days.not_open")


async def test_lists_are_for_days_and_devices_that_may_have_them(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    online, day = await make_day(api, runtime), await make_offline(api, runtime)
    device = await register(api, online.organizer, online.org)
    asked = {"device_id": device.id}
    for one, status, code in (
        (online, 409, "offline_handovers.not_offered"),
        (day, 404, "devices.not_found"),
    ):
        headers = one.counter.staff.headers
        refused = await api.get(f"{one.path}/counter-list", headers=headers, params=asked)
        assert_refused(refused, status, code)


async def test_what_was_handed_over_before_the_person_gave_up_counts(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Neither a cancel, nor a substitute, nor the end of a card brings points back to goods."""
    day = await make_day(api, runtime, 20, 15, offline_until=(now() + 24 * HOUR).isoformat())
    device = await register(api, day.organizer, day.org)
    people = [await make_buyer(runtime) for _ in range(5)]
    orders = [await day.ordered(one) for one in people]
    handed = now() - timedelta(seconds=2)
    events = [signed(device, day, one["id"], handed) for one in orders]
    cancels, swaps, freezes, loses, frozen = people

    cancel = f"/api/v1/redemptions/{orders[0]['id']}/cancel"
    refused = await api.post(cancel, headers=cancels.headers)
    assert_refused(refused, 409, "redemption_days.not_open")
    assert refused.json()["facts"]["closes_at"] == day.body["starts_at"]
    body = {"order_id": orders[1]["id"], "item_id": day.item(1), "reason": "原奖品破损"}
    made = (await day.act(day.counter.staff, "substitutions", **body)).json()
    answer = f"substitutions/{made['id']}/answer"
    assert_refused(await day.act(swaps, answer, accept=True), 409, "redemption_days.not_open")
    assert (await day.act(swaps, answer, accept=False)).status_code == 200
    for person, act in ((freezes, "freeze"), (loses, "loss"), (frozen, "freeze")):
        done = await api.post(f"/api/v1/me/card/{act}", headers=keyed(person), json={})
        assert done.status_code == 200, done.text
    await as_owner(
        runtime.settings,
        f"UPDATE cards SET frozen_at = '{handed - HOUR / 2}' WHERE person_id = '{frozen.id}'",  # noqa: S608
    )
    assert told(await upload(day, device, *events)) == ["counted"] * 4 + ["card_suspended"]
    assert await balance(runtime, day.org.id, Purpose.fund) == 80
    await assert_ledger_verifies(runtime)
