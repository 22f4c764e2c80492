"""Merchants: applied for, visited, approved, suspended; their staff."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import local_date, now
from app.models.merchants import MerchantState
from app.runtime import Runtime
from app.services.merchants.register import MAX_APPLICATIONS
from tests.engines import as_owner
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.points import spend
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter
from tests.routers.test_appointments import accept, offer
from tests.routers.test_audit import entries
from tests.security.world import Ask, World

MERCHANTS = "/api/v1/merchants"
MATRIX = """
operation        rule             nobody alice bob  counter rival sibling parent auditor admin outsider
applyAsMerchant  person           401    201   201  201     201   201     201    201     201   201
listMerchants    reader           401    403   403  403     403   403     200    200     200   403
listMyMerchants  person           401    200   200  200     200   200     200    200     200   200
getMerchant      anyone           200    200   200  200     200   200     200    200     200   200
editMerchant     merchant keeper  401    403   403  200     404   404     200    403     200   404       404=merchants.not_found
recordVisit      organizer        401    403   403  403     403   404     201    403     201   404       404=merchants.not_found
listVisits       reader           401    403   403  403     403   404     200    200     200   404       404=merchants.not_found
decideMerchant   administrator    401    403   403  403     403   403     403    403     200   404       404=merchants.not_found
setMerchantStatus  administrator  401    403   403  403     403   403     403    403     200   404       404=merchants.not_found
makeStaffCode    merchant keeper  401    403   403  201     404   404     201    403     201   404       404=merchants.not_found
listStaff        merchant reader  401    403   403  200     404   404     200    200     200   404       404=merchants.not_found
getMerchantStatement  reader      401    403   403  403     403   404     200+   200+    200+  404       404=merchants.not_found
removeStaff      merchant keeper  401    403   403  200     404   404     200    403     200   404       404=merchants.not_found
"""  # noqa: E501 - a table
HERS = {
    "merchant_visits": "created_by = :alice",
}
BESIDE_POINTS = {"merchant_visits"}
BEYOND_THE_SCHEMA = {
    "body.visited_on",  # not to come
    *("query.month", "query.since", "query.until"),  # 2026-13; one day before another
    "request.precondition_failed",
    "request.precondition_required",
}
PROFILE = {"description": "青年咖啡", "phone": "0511-88321234", "hours": "9:00-21:00"}
REASON = {"reason": "已走访"}


def visit_body(day: date | None = None) -> dict[str, Any]:
    return {"visited_on": f"{day or local_date(now())}", "note": "证照齐全，愿意九五折"}


async def _apply(world: World) -> Ask:
    return Ask(body={"org_id": str(world.home.id), "name": "街角面馆"} | PROFILE)


async def _of_home(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


async def _new(world: World) -> dict[str, str]:
    """Make a merchant of home with the counter's person behind it, and a second one."""
    counter = await make_counter(world.runtime, org=world.home)
    helper = await make_person(world.runtime)
    ids = {"merchant_id": str(counter.merchant.id), "person_id": str(helper.id)}
    for person in (world.everybody["counter"], helper):
        assert person is not None
        await enlist(world.api, counter.staff, person, ids["merchant_id"])
    return ids


async def _shown(world: World) -> Ask:
    return Ask(await _new(world))


async def _edit(world: World) -> Ask:
    return Ask(await _new(world), PROFILE, headers={"If-Match": '"1"'})


async def _visit(world: World) -> Ask:
    return Ask(await _new(world), visit_body())


async def _decide(world: World) -> Ask:
    made = await apply(world.api, world.alice, {"org_id": str(world.home.id), "name": "面馆"})
    return Ask({"merchant_id": made["id"]}, REASON | {"approved": False})


async def _suspend(world: World) -> Ask:
    return Ask(await _new(world), REASON | {"status": "suspended"})


async def _remove(world: World) -> Ask:
    ids = await _new(world)
    return Ask(ids, REASON | {"person_id": ids["person_id"]})


async def _statement(world: World) -> Ask:
    await spend(world.api, world.runtime, world.alice, 1, world.shop)
    return Ask({"merchant_id": str(world.shop.merchant.id)})


REQUESTS = {
    "applyAsMerchant": _apply,
    "listMerchants": _of_home,
    "getMerchant": _shown,
    "editMerchant": _edit,
    "recordVisit": _visit,
    "listVisits": _shown,
    "getMerchantStatement": _statement,
    "decideMerchant": _decide,
    "setMerchantStatus": _suspend,
    "makeStaffCode": _shown,
    "listStaff": _shown,
    "removeStaff": _remove,
}


async def _one_application_too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    body = {"org_id": str(org.id), "name": "面馆"}
    for _ in range(MAX_APPLICATIONS):
        await apply(api, person, body)
    facts = {"limit": MAX_APPLICATIONS, "used": MAX_APPLICATIONS}
    return Refused(person, "POST", "/merchants", facts, body)


REFUSED = {"merchants.too_many_applications": _one_application_too_many}


async def apply(api: httpx.AsyncClient, who: TestPerson, body: dict[str, Any]) -> dict[str, Any]:
    made = await api.post(MERCHANTS, headers=keyed(who), json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def show(api: httpx.AsyncClient, keeper: TestPerson, merchant: str) -> dict[str, Any]:
    made = await api.post(f"{MERCHANTS}/{merchant}/staff", headers=keyed(keeper))
    assert made.status_code == 201, made.text
    shown: dict[str, Any] = made.json()
    return shown


async def code_of(api: httpx.AsyncClient, keeper: TestPerson, merchant: str) -> str:
    return str((await show(api, keeper, merchant))["code"])


async def enlist(
    api: httpx.AsyncClient, keeper: TestPerson, who: TestPerson, merchant: str
) -> None:
    done = await accept(api, who, await code_of(api, keeper, merchant))
    assert done.status_code == 201, done.text


async def move(
    api: httpx.AsyncClient, who: TestPerson, merchant: str, state: MerchantState
) -> httpx.Response:
    """Decide an application, or set the status of a merchant that was decided."""
    now = (await api.get(f"{MERCHANTS}/{merchant}", headers=who.headers)).json().get("state")
    body: dict[str, Any] = {"approved": state == MerchantState.active}
    verb = "decision"
    if now in {"active", "suspended"} and state != MerchantState.declined:
        verb, body = "status", {"status": state}
    path = f"{MERCHANTS}/{merchant}/{verb}"
    return await api.post(path, headers=keyed(who), json=REASON | body)


async def test_a_merchant_from_application_to_its_first_charge(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, owner = await make_org(runtime), await make_person(runtime)
    admin, organizer = [
        await make(runtime, org.id) for make in (make_administrator, make_organizer)
    ]
    made = await apply(api, owner, {"org_id": str(org.id), "name": "街角面馆"} | PROFILE)
    path = f"{MERCHANTS}/{made['id']}"
    assert made["state"] == "applied"
    assert (await inbox(api, runtime, admin))[0]["kind"] == "merchants_waiting"
    hidden = await api.get(path, headers=(await make_person(runtime)).headers)
    assert_refused(hidden, 404, "merchants.not_found")
    assert (await api.get(path, headers=owner.headers)).json() == made

    soon = await move(api, admin, made["id"], MerchantState.active)
    assert_refused(soon, 409, "merchants.not_visited")
    visited = await api.post(f"{path}/visits", headers=keyed(organizer), json=visit_body())
    assert visited.status_code == 201, visited.text
    approved = await move(api, admin, made["id"], MerchantState.active)
    assert approved.json()["state"] == "active"
    again = await move(api, admin, made["id"], MerchantState.active)
    assert_refused(again, 409, "merchants.wrong_state")

    assert (await inbox(api, runtime, owner))[0]["kind"] == "merchant_moved"
    today = await api.get("/api/v1/merchant/today", headers=owner.headers)
    assert (today.status_code, today.json()["merchant_id"]) == (200, made["id"])
    mine = await walk(api, "/api/v1/me/merchants", owner.headers)
    assert [one["id"] for one in mine] == [made["id"]]
    verbs = [one["verb"] for one in await entries(api, admin, org)]
    assert verbs == ["appointed", "moved", "created", "created"]
    [shown] = await walk(api, f"{path}/visits", admin.headers)
    assert shown["note"] == visit_body()["note"]


async def test_nobody_decides_about_his_own_merchant(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin, other = [await make_administrator(runtime, org.id) for _ in range(2)]
    made = await apply(api, admin, {"org_id": str(org.id), "name": "面馆"})
    path = f"{MERCHANTS}/{made['id']}/visits"
    assert (await api.post(path, headers=keyed(admin), json=visit_body())).status_code == 201
    assert_refused(await move(api, admin, made["id"], MerchantState.active), 403, "merchants.own")
    assert (await move(api, other, made["id"], MerchantState.active)).status_code == 200
    listed = await api.get(f"{MERCHANTS}/{made['id']}/staff", headers=admin.headers)
    assert listed.json()["items"] == []  # an organizer who applies for a shop does not work there
    await enlist(api, other, admin, made["id"])
    refused = await move(api, admin, made["id"], MerchantState.suspended)
    assert_refused(refused, 403, "merchants.own")


async def test_a_code_for_staff_is_good_once_for_somebody_else_and_not_for_ever(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, helper = await make_org(runtime), await make_person(runtime)
    counter = await make_counter(runtime, org=org)
    merchant = str(counter.merchant.id)
    shown = await show(api, counter.staff, merchant)
    assert (shown["role"], shown["merchant_id"]) == ("merchant_staff", merchant)
    code = shown["code"]
    assert_refused(await accept(api, counter.staff, code), 403, "roles.own")
    assert (await accept(api, helper, code)).json()["merchant_id"] == merchant
    third = await make_person(runtime)
    assert_refused(await accept(api, third, code), 409, "appointments.accepted")
    second = await code_of(api, counter.staff, merchant)
    assert_refused(await accept(api, helper, second), 409, "roles.held")
    late = await show(api, counter.staff, merchant)
    end = f"UPDATE appointments SET expires_at = now() WHERE id = '{late['id']}'"  # noqa: S608
    await as_owner(runtime.settings, end)
    assert_refused(await accept(api, third, late["code"]), 409, "appointments.expired")
    assert (await inbox(api, runtime, helper))[0]["kind"] == "role_moved"
    admin = await make_administrator(runtime, org.id)
    for subject, verbs in {
        f"appointment:{shown['id']}": ["accepted", "created"],
        f"person:{helper.id}": ["appointed"],
    }.items():
        written = await entries(api, admin, org, subject=subject)
        assert [one["verb"] for one in written] == verbs

    path = f"{MERCHANTS}/{merchant}/staff"
    listed = await api.get(path, headers=helper.headers)
    assert [one["person_id"] for one in listed.json()["items"]] == [
        str(counter.staff.id),
        str(helper.id),
    ]
    body = REASON | {"person_id": str(helper.id)}
    gone = await api.post(f"{path}/removals", headers=keyed(counter.staff), json=body)
    assert [one["person_id"] for one in gone.json()["items"]] == [str(counter.staff.id)]
    assert_refused(await api.get(path, headers=helper.headers), 403, "auth.forbidden")
    again = await api.post(f"{path}/removals", headers=keyed(counter.staff), json=body)
    assert_refused(again, 404, "merchants.staff_not_found")
    await enlist(api, counter.staff, helper, merchant)


async def test_a_code_for_staff_dies_with_the_work_of_who_made_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, (helper, third) = await make_counter(runtime), await make_people(runtime, 2)
    merchant = str(counter.merchant.id)
    await enlist(api, counter.staff, helper, merchant)
    code = await code_of(api, helper, merchant)
    body = REASON | {"person_id": str(helper.id)}
    path = f"{MERCHANTS}/{merchant}/staff/removals"
    gone = await api.post(path, headers=keyed(counter.staff), json=body)
    assert gone.status_code == 200, gone.text

    assert_refused(await accept(api, third, code), 422, "appointments.code_invalid")


async def test_staff_until_some_day_adds_nobody_for_longer(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, (helper, third) = await make_counter(runtime), await make_people(runtime, 2)
    merchant = str(counter.merchant.id)
    admin = await make_administrator(runtime, counter.merchant.org_id)
    until = (now() + timedelta(days=9)).isoformat()
    place = {"role": "merchant_staff", "merchant_id": merchant}
    made = await offer(api, admin, **place, until=until)
    held = (await accept(api, helper, made["code"])).json()
    shown = await show(api, helper, merchant)
    assert shown["ends_at"] == held["ends_at"] is not None
    sooner = f"UPDATE role_grants SET ends_at = now() + interval '1 day' WHERE id = '{held['id']}'"  # noqa: S608
    as_told = f"UPDATE role_grants SET ends_at = '{held['ends_at']}' WHERE id = '{held['id']}'"  # noqa: S608
    await as_owner(runtime.settings, sooner)
    assert_refused(await accept(api, third, shown["code"]), 422, "appointments.code_invalid")
    await as_owner(runtime.settings, as_told)
    taken = await accept(api, third, shown["code"])
    assert (taken.status_code, taken.json()["ends_at"]) == (201, held["ends_at"])


async def test_staff_is_added_to_a_suspended_merchant_and_not_to_an_application(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, (owner, helper) = await make_org(runtime), await make_people(runtime, 2)
    counter, admin = await make_counter(runtime, org=org), await make_administrator(runtime, org.id)
    made = await apply(api, owner, {"org_id": str(org.id), "name": "面馆"})
    refused = await api.post(f"{MERCHANTS}/{made['id']}/staff", headers=keyed(admin))
    assert_refused(refused, 409, "merchants.wrong_state")

    merchant = str(counter.merchant.id)
    assert (await move(api, admin, merchant, MerchantState.suspended)).status_code == 200
    await enlist(api, counter.staff, helper, merchant)


async def test_two_who_edit_a_profile_do_not_overwrite_each_other(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    counter = await make_counter(runtime, org=org)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    path, headers = f"{MERCHANTS}/{counter.merchant.id}", {"If-Match": '"1"'}
    done = await api.put(path, headers=organizer.headers | headers, json=PROFILE)
    late = await api.put(path, headers=counter.staff.headers | headers, json={})
    assert done.json()["merchant"].items() >= (PROFILE | {"version": 2}).items()
    assert [one["field"] for one in done.json()["changes"]] == ["description", "hours", "phone"]
    assert_refused(late, 412, "request.precondition_failed")
    again, named = {"If-Match": '"2"'}, PROFILE | {"name": "江洲书店"}
    done = await api.put(path, headers=counter.staff.headers | again, json=named)
    assert done.json()["merchant"].items() >= named.items()
    assert [one["field"] for one in done.json()["changes"]] == ["name"]
    admin = await make_administrator(runtime, org.id)
    newest = next(one for one in await entries(api, admin, org) if one["verb"] == "changed")
    assert (newest["verb"], newest["fields"]) == ("changed", ["name"])
    without = await api.put(path, headers=counter.staff.headers, json=PROFILE)
    assert_refused(without, 428, "request.precondition_required")


@pytest.mark.parametrize("day", ["2019-12-31", "2099-01-01"])
async def test_a_visit_lies_in_the_past(api: httpx.AsyncClient, runtime: Runtime, day: str) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    path = f"{MERCHANTS}/{counter.merchant.id}/visits"
    refused = await api.post(
        path, headers=keyed(organizer), json=visit_body(date.fromisoformat(day))
    )
    assert_refused(refused, 422, "request.invalid")
