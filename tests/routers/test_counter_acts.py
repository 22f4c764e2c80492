"""A counter beside charging: previews, today, undone collections, refunds in parts, X-Merchant."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.core.clock import local_date, now
from app.jobs.expiry import expire_reservations
from app.models.funds import FundMonth
from app.models.ledger import Purpose
from app.models.merchants import MerchantKind, MerchantState
from app.models.people import Role
from app.runtime import Runtime
from app.services import funds
from app.services.ledger.plan import Plan
from app.services.redemptions.undoing import WITHIN
from tests.engines import as_owner
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance, give_points, make_debt
from tests.factories.people import TestPerson, appoint, make_person
from tests.factories.rewards import (
    Counter,
    make_card_codes,
    make_counter,
    make_overdue,
    make_reward,
    reserve,
)

API = "/api/v1/merchant"
SUMS = ("charged", "refunded", "collected", "undone", "net")
Json = dict[str, Any]


async def call(
    api: httpx.AsyncClient,
    staff: TestPerson,
    path: str,
    merchant: Counter | None = None,
    **body: Any,
) -> httpx.Response:
    headers = keyed(staff)
    if merchant is not None:
        headers["X-Merchant"] = str(merchant.merchant.id)
    return await api.post(f"{API}/{path}", headers=headers, json=body)


async def done(api: httpx.AsyncClient, counter: Counter, path: str, **body: Any) -> Json:
    reply = await call(api, counter.staff, path, **body)
    assert reply.is_success, reply.text
    found: Json = reply.json()
    return found


async def rich(runtime: Runtime, *lots: int) -> TestPerson:
    """Make a person with lots of points; each ends ten days after the one before."""
    person = await make_person(runtime)
    for place, points in enumerate(lots or (100,), start=1):
        ends = now() + timedelta(days=10 * place)
        await give_points(runtime, person.id, points, expires_at=ends)
    return person


async def points_of(api: httpx.AsyncClient, person: TestPerson) -> Json:
    found: Json = (await api.get("/api/v1/me/points", headers=person.headers)).json()
    return found


async def charged(
    api: httpx.AsyncClient, runtime: Runtime, counter: Counter, person: TestPerson, points: int
) -> str:
    [code] = await make_card_codes(runtime, person, 1)
    made = await done(api, counter, "charges", card_code=code, points=points, note="")
    return str(made["id"])


async def collected(
    api: httpx.AsyncClient, runtime: Runtime, counter: Counter, person: TestPerson, **reward: Any
) -> Json:
    held = await reserve(runtime, person.id, await make_reward(runtime, counter, **reward))
    return await done(api, counter, "redemptions/collect", pickup_code=held.pickup_code)


async def test_a_preview_says_what_and_whose_and_consumes_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, person = await make_counter(runtime), await rich(runtime)
    held = await reserve(runtime, person.id, await make_reward(runtime, counter), 2)
    [code] = await make_card_codes(runtime, person, 1)

    for _ in range(2):
        what = await done(api, counter, "redemptions/preview", pickup_code=held.pickup_code)
        whose = await done(api, counter, "charges/preview", card_code=code, points=5)
    assert (what["reward_name"], what["quantity"], what["points"]) == ("香皂", 2, 20)
    assert whose["points"] == 5
    assert what["person"] == whose["person"] == {"display_name": "王*四"}
    assert "balance" not in str(whose)
    assert await balance(runtime, person.id) == 80

    await done(api, counter, "redemptions/collect", pickup_code=held.pickup_code)
    await done(api, counter, "charges", card_code=code, points=5, note="")
    late = await call(api, counter.staff, "redemptions/preview", pickup_code=held.pickup_code)
    assert_refused(late, 409, "redemptions.not_reserved")
    used = await call(api, counter.staff, "charges/preview", card_code=code, points=5)
    assert_refused(used, 409, "cards.code_used")


async def test_nobody_serves_themselves(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """A refusal uses nothing up: a colleague serves them, and alone gives back."""
    counter, colleague = await make_counter(runtime), await make_person(runtime)
    me, merchant = counter.staff, counter.merchant.id
    async with runtime.database.transaction() as tx:
        await appoint(tx, colleague.id, Role.merchant_staff, merchant=merchant)
    await give_points(runtime, me.id, 100)
    [code] = await make_card_codes(runtime, me, 1)
    held = await reserve(runtime, me.id, await make_reward(runtime, counter))
    proxy = await api.post(
        f"/api/v1/redemptions/{held.id}/proxy", headers=keyed(me), json={"name": None}
    )
    assert proxy.is_success, proxy.text
    paying: Json = {"card_code": code, "points": 5}
    own: list[tuple[str, str, Json]] = [
        ("charges/preview", "charges.own", paying),
        ("charges", "charges.own", paying | {"note": ""}),
        ("redemptions/preview", "redemptions.own", {"pickup_code": held.pickup_code}),
        ("redemptions/collect", "redemptions.own", {"pickup_code": held.pickup_code}),
        ("redemptions/collect", "redemptions.own", {"pickup_code": proxy.json()["code"]}),
    ]
    for path, refusal, body in own:
        assert_refused(await call(api, me, path, **body), 403, refusal)
    assert await balance(runtime, me.id) == 90

    paid = await call(api, colleague, "charges", **paying, note="")
    got = await call(api, colleague, "redemptions/collect", pickup_code=held.pickup_code)
    assert (paid.status_code, got.status_code) == (201, 200)
    refund, undo = f"charges/{paid.json()['id']}/refund", f"redemptions/{held.id}/undo"
    assert_refused(await call(api, me, refund, reason="做错了"), 403, "charges.own")
    assert_refused(await call(api, me, undo, reason="拿错了"), 403, "redemptions.own")
    for path in (refund, undo):
        assert (await call(api, colleague, path, reason="拿错了")).status_code == 200
    await assert_ledger_verifies(runtime)


async def test_a_collection_is_undone_into_another_reservation(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, person = await make_counter(runtime), await rich(runtime, 6, 20)
    before = await points_of(api, person)
    first = await collected(api, runtime, counter, person, stock=5, limit_per_member=1)
    path = f"redemptions/{first['id']}/undo"

    undone = await done(api, counter, path, reason="拿错了")

    assert (undone["id"], undone["points"]) == (first["id"], 10)
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 0
    assert await balance(runtime, person.id, Purpose.held) == 10
    new, old = await walk(api, "/api/v1/me/redemptions", person.headers)
    assert (new["id"], new["status"], new["points"]) == (undone["replaced_by"], "reserved", 10)
    assert (old["status"], old["undone_at"]) == ("collected", undone["undone_at"])
    assert new["pickup_code"] != old["pickup_code"]
    [reward] = await walk(api, "/api/v1/rewards", merchant_id=str(counter.merchant.id))
    assert reward["stock_left"] == 4
    assert (await inbox(api, runtime, person))[0]["kind"] == "counter_collection_undone"
    assert_refused(
        await call(api, counter.staff, path, reason="x"), 409, "redemptions.not_collected"
    )
    await assert_ledger_verifies(runtime)

    gone = await api.post(f"/api/v1/redemptions/{new['id']}/cancel", headers=person.headers)
    assert gone.status_code == 200
    assert await points_of(api, person) == before
    await assert_ledger_verifies(runtime)


@pytest.mark.parametrize("kind", MerchantKind)
async def test_what_was_undone_is_collected_again_or_expires(
    api: httpx.AsyncClient, runtime: Runtime, kind: MerchantKind
) -> None:
    counter, person = await make_counter(runtime, kind=kind), await rich(runtime)
    owner, purpose = counter.merchant.org_id, Purpose.fund
    if kind == MerchantKind.shop:
        owner, purpose = counter.merchant.id, Purpose.takings
    first = await collected(api, runtime, counter, person)
    await make_debt(runtime, person.id, 7)  # is not repaid by points that are held again
    undone = await done(api, counter, f"redemptions/{first['id']}/undo", reason="拿错了")
    assert await balance(runtime, owner, purpose) == 0
    assert await balance(runtime, person.id, Purpose.debt) == -7
    again = (await walk(api, "/api/v1/me/redemptions", person.headers))[0]
    assert again["id"] == undone["replaced_by"]
    await done(api, counter, "redemptions/collect", pickup_code=again["pickup_code"])
    assert await balance(runtime, owner, purpose) == 10

    twice = await done(api, counter, f"redemptions/{again['id']}/undo", reason="又错了")
    await make_overdue(runtime, twice["replaced_by"])
    await expire_reservations(runtime)
    assert await balance(runtime, person.id, Purpose.held) == 0
    assert await balance(runtime, person.id, Purpose.debt) == 0
    assert await balance(runtime, owner, purpose) == 0
    await assert_ledger_verifies(runtime)
    async with runtime.database.transaction() as tx:
        # The running month alone: others post into months of before, which must not be closed.
        await funds.write_month(tx, local_date(now()).replace(day=1), now())
        months = await tx.exec(select(FundMonth).where(FundMonth.org_id == owner))
        assert {month.returned for month in months} <= {0}


async def test_after_ten_minutes_a_collection_stands(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, rival = await make_counter(runtime), await make_counter(runtime)
    first = await collected(api, runtime, counter, await rich(runtime))
    path = f"redemptions/{first['id']}/undo"
    assert_refused(await call(api, rival.staff, path, reason="x"), 404, "redemptions.not_found")
    at = now() - WITHIN
    earlier = f"UPDATE redemptions SET settled_at = '{at}' WHERE id = '{first['id']}'"  # noqa: S608
    await as_owner(runtime.settings, earlier)
    refused = await call(api, counter.staff, path, reason="x")
    assert_refused(refused, 409, "redemptions.undo_too_late")
    assert refused.json()["facts"].keys() == {"closes_at"}


async def test_a_charge_is_refunded_in_parts_to_the_same_lots(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, person = await make_counter(runtime), await rich(runtime, 4, 4, 4)
    before = await points_of(api, person)
    charge = await charged(api, runtime, counter, person, 10)
    path = f"charges/{charge}/refund"

    parts = [await done(api, counter, path, reason="退", points=points) for points in (1, 3, 2)]
    left = await points_of(api, person)
    too_much = await call(api, counter.staff, path, reason="退", points=5)
    rest = await done(api, counter, path, reason="退")
    over = await call(api, counter.staff, path, reason="退", points=1)

    assert [one["points_refunded"] for one in parts] == [1, 4, 6]
    assert {one["status"] for one in parts} == {"charged"}
    # The latest to expire come back first: 2 + 4 of the last two lots, none of the first.
    assert [one["points"] for one in left["expiring"]] == [4, 4]
    assert_refused(too_much, 409, "charges.refund_too_large")
    assert (rest["status"], rest["points"], rest["points_refunded"]) == ("refunded", 10, 10)
    assert_refused(over, 409, "charges.already_refunded")
    assert await points_of(api, person) == before
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 0
    await assert_ledger_verifies(runtime)


async def test_without_counting_what_went_back_a_lot_would_get_more_than_it_gave(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: each part begins with the same lot."""
    counter, person = await make_counter(runtime), await rich(runtime, 4, 4)
    charge = await charged(api, runtime, counter, person, 8)
    give_back = Plan._give_back

    def forgetful(plan: Plan, transfer: Any, posting: Any) -> None:
        object.__setattr__(posting, "given_back", 0)
        give_back(plan, transfer, posting)

    monkeypatch.setattr(Plan, "_give_back", forgetful)
    path = f"charges/{charge}/refund"
    assert (await call(api, counter.staff, path, reason="退", points=3)).status_code == 200
    assert (await call(api, counter.staff, path, reason="退", points=3)).status_code == 500


async def test_today_and_the_statement_of_any_days_tell_the_same(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, person = await make_counter(runtime), await rich(runtime)
    one, other = [await charged(api, runtime, counter, person, 10) for _ in range(2)]
    await done(api, counter, f"charges/{one}/refund", reason="退", points=4)
    await done(api, counter, f"charges/{other}/refund", reason="退", points=3)
    await done(api, counter, f"charges/{other}/refund", reason="退")
    first = await collected(api, runtime, counter, person)
    second = await collected(api, runtime, counter, person)
    await done(api, counter, f"redemptions/{first['id']}/undo", reason="拿错了")

    headers, day = counter.staff.headers, local_date(now())
    today = (await api.get(f"{API}/today", headers=headers)).json()
    asked = {"since": f"{day - timedelta(days=40)}", "until": f"{day}"}
    found = (await api.get(f"{API}/statement", headers=headers, params=asked)).json()
    before = {"since": f"{day - timedelta(days=40)}", "until": f"{day - timedelta(days=1)}"}
    empty = (await api.get(f"{API}/statement", headers=headers, params=before)).json()

    assert [today[name] for name in SUMS] == [20, 14, 20, 10, 16]
    assert [found[name] for name in SUMS] == [20, 14, 20, 10, 16]
    assert [empty[name] for name in SUMS] == [0] * 5
    assert today["net"] == await balance(runtime, counter.merchant.id, Purpose.takings)
    assert sum(one["points"] for one in found["items"]) == 16
    for form in FORMS:
        rows = await exported(api, "/merchant/statement", form, counter.staff, **asked)
        assert sum(int(row["积分"]) for row in rows) == 16
        assert {row["类型"] for row in rows} == {"消费", "退款", "领取", "撤销领取"}
    can = {one["id"] for one in today["items"] if one["undo_until"]}
    assert can == {second["id"]}
    wrong = await api.get(
        f"{API}/statement", headers=headers, params={"since": f"{day}", "until": "2026-01-01"}
    )
    assert_refused(wrong, 422, "request.invalid")


async def test_staff_of_two_merchants_choose_one(api: httpx.AsyncClient, runtime: Runtime) -> None:
    first, second, third = [await make_counter(runtime) for _ in range(3)]
    person, staff = await rich(runtime), first.staff
    async with runtime.database.transaction() as tx:
        await appoint(tx, staff.id, Role.merchant_staff, merchant=second.merchant.id)
    codes = iter(await make_card_codes(runtime, person, 4))

    async def pay(at: Counter | None) -> httpx.Response:
        body = {"card_code": next(codes), "points": 1, "note": ""}
        return await call(api, staff, "charges", at, **body)

    for at in (None, first, second):
        assert (await pay(at)).status_code == 201
    assert_refused(await pay(third), 403, "merchants.not_yours")
    takings = [await balance(runtime, one.merchant.id, Purpose.takings) for one in (first, second)]
    assert takings == [2, 1]
    held = await reserve(runtime, person.id, await make_reward(runtime, second))
    path, code = "redemptions/collect", held.pickup_code
    refused = await call(api, staff, path, pickup_code=code)
    assert_refused(refused, 404, "redemptions.not_found")
    assert (await call(api, staff, path, second, pickup_code=code)).status_code == 200
    shown = await api.get(
        f"{API}/statement", headers=staff.headers | {"X-Merchant": str(second.merchant.id)}
    )
    assert (shown.json()["merchant_id"], shown.json()["net"]) == (str(second.merchant.id), 11)
    wrong = {"x": (422, "request.invalid"), str(third.merchant.id): (403, "merchants.not_yours")}
    for named, refusal in wrong.items():
        seen = await api.get(f"{API}/today", headers=staff.headers | {"X-Merchant": named})
        assert_refused(seen, *refusal)
    refused = await api.post(
        f"{API}/charges", headers=keyed(staff) | {"X-Merchant": "zz"}, json={"points": 1}
    )
    assert_refused(refused, 422, "request.invalid")


async def test_a_key_is_of_one_merchant(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter, person = await make_counter(runtime), await rich(runtime)
    [code] = await make_card_codes(runtime, person, 1)
    body = {"card_code": code, "points": 1, "note": ""}
    headers = keyed(counter.staff)
    made = await api.post(f"{API}/charges", headers=headers, json=body)
    assert made.status_code == 201
    other = headers | {"X-Merchant": str(counter.merchant.id)}
    again = await api.post(f"{API}/charges", headers=other, json=body)
    assert_refused(again, 422, "idempotency.key_reused")


async def test_a_suspended_merchant_neither_charges_nor_collects(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, person = await make_counter(runtime), await rich(runtime)
    charge = await charged(api, runtime, counter, person, 10)
    held = await reserve(runtime, person.id, await make_reward(runtime, counter))
    first = await collected(api, runtime, counter, person)
    [code] = await make_card_codes(runtime, person, 1)
    await set_state(runtime, counter, MerchantState.suspended)

    refused = [
        await call(api, counter.staff, "charges", card_code=code, points=1, note=""),
        await call(api, counter.staff, "charges/preview", card_code=code, points=1),
        await call(api, counter.staff, "redemptions/collect", pickup_code=held.pickup_code),
        await call(api, counter.staff, "redemptions/preview", pickup_code=held.pickup_code),
    ]
    for reply in refused:
        assert_refused(reply, 409, "merchants.suspended")
    await done(api, counter, f"charges/{charge}/refund", reason="退")
    await done(api, counter, f"redemptions/{first['id']}/undo", reason="拿错了")
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 0
    await set_state(runtime, counter, MerchantState.active)
    await done(api, counter, "charges", card_code=code, points=1, note="")


async def set_state(runtime: Runtime, counter: Counter, state: MerchantState) -> None:
    change = f"UPDATE merchants SET state = '{state}' WHERE id = '{counter.merchant.id}'"  # noqa: S608
    await as_owner(runtime.settings, change)
