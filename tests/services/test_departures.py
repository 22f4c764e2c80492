"""What waits for a decision about a person ends with the account, and nothing new is written."""

from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.models.activities import ActivityStatus
from app.models.orgs import Org
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.attachments import attach
from tests.factories.awards import approve, award_body, propose
from tests.factories.deductions import deduct, deduction_body
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    appoint,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.routers.test_audit import entries
from tests.routers.test_closures import ME, erase

API = "/api/v1"


async def _close(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson) -> None:
    assert (await api.delete(ME, headers=keyed(person))).status_code == 200
    assert await erase(runtime) >= 1  # others may be due, of other tests


async def _post(
    api: httpx.AsyncClient, who: TestPerson, path: str, body: Any = None
) -> dict[str, Any]:
    reply = await api.post(f"{API}{path}", headers=keyed(who), json=body)
    assert reply.is_success, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_awards_that_wait_end_with_the_account(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """In review and in public notice; the objection of another to the latter ends too."""
    org = await make_org(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    administrator = await make_administrator(runtime, org.id)
    person, other = await make_person(runtime), await make_person(runtime)
    waiting, kept = await propose(api, organizer, org, person, other)
    [noticed] = await propose(
        api, organizer, org, person, evidence={"document": "二", "public_notice": "已公示"}
    )
    assert (await approve(api, reviewer, noticed)).json()["state"] == "notice"
    await _post(api, other, f"/awards/{noticed['id']}/objections", {"reason": "不是她"})

    await _close(api, runtime, person)

    assert_refused(await approve(api, reviewer, waiting), 409, "awards.not_pending")
    shown = await walk(api, f"{API}/awards", organizer.headers, org_id=str(org.id))
    states = {one["award"]["id"]: one["award"]["state"] for one in shown}
    assert states == {
        waiting["id"]: "rejected",
        noticed["id"]: "rejected",
        kept["id"]: "pending",
    }
    assert await _names(api, organizer, org, "en") == {"王*四", "Closed account"}
    assert await _names(api, organizer, org, "zh-CN") == {"王*四", "已注销用户"}
    trail = await entries(api, administrator, org)
    ended = {one["subject"]["id"] for one in trail if one["verb"] == "lapsed"}
    assert ended == {waiting["id"], noticed["id"]}
    await assert_ledger_verifies(runtime)


async def _names(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, language: str
) -> set[str]:
    """Return the names in the list of awards."""
    headers = organizer.headers | {"Accept-Language": language}
    shown = await walk(api, f"{API}/awards", headers, org_id=str(org.id))
    return {one["display_name"] for one in shown}


async def test_an_erased_person_gets_nothing_new(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    card_no = (await api.get(f"{API}/me/card", headers=person.headers)).json()["card_no"]
    activity = await make_activity(runtime, org=org)
    await _close(api, runtime, person)
    named = {"person_id": str(person.id)}
    by_card = award_body(org, [], card_nos=[card_no])
    del by_card["person_ids"]
    for path, body in (
        ("/awards", award_body(org, [person])),
        ("/awards", by_card),
        ("/deductions", deduction_body(org, person)),
        (f"/activities/{activity.id}/co-organizers", named),
    ):
        refused = await api.post(f"{API}{path}", headers=keyed(organizer), json=body)
        assert_refused(refused, 404, "people.not_found")
    proposed = award_body(org, [])
    batch = {name: proposed[name] for name in ("rule_key", "org_id")}
    batch["rows"] = [named | {"evidence": proposed["evidence"]}]
    told = await api.post(f"{API}/awards/batches", headers=keyed(organizer), json=batch)
    assert_refused(told, 422, "awards.rows_wrong")
    await assert_ledger_verifies(runtime)


async def test_cases_and_rights_end_with_the_account(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """An appeal, an objection to the award of another, and co-organizing a draft."""
    org = await make_org(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    person, other = await make_person(runtime), await make_person(runtime)
    deduction = await deduct(api, organizer, org, person)
    await _post(api, person, f"/deductions/{deduction['id']}/appeal", {"reason": "我去了"})
    [award] = await propose(api, organizer, org, other)
    assert (await approve(api, reviewer, award)).is_success
    objection = await _post(api, person, f"/awards/{award['id']}/objections", {"reason": "不是"})
    draft = await make_activity(runtime, org=org, status=ActivityStatus.draft)
    helpers = f"/activities/{draft.id}/co-organizers"
    await _post(api, organizer, helpers, {"person_id": str(person.id)})

    await _close(api, runtime, person)

    appealed = {"org_id": str(org.id), "state": "appealed"}
    assert await walk(api, f"{API}/deductions", organizer.headers, **appealed) == []
    path = f"{API}/awards/objections/{objection['id']}/decision"
    decision = {"upheld": True, "reason": "是的"}
    administrator = await make_administrator(runtime, org.id)
    refused = await api.post(path, headers=keyed(administrator), json=decision)
    assert_refused(refused, 409, "awards.objection_decided")
    [shown] = await walk(api, f"{API}/awards/notices", {}, org_id=str(org.id))
    assert (shown["award"]["id"], shown["has_objection"]) == (award["id"], False)
    assert await walk(api, f"{API}{helpers}", organizer.headers) == []
    await assert_ledger_verifies(runtime)


async def test_applications_are_emptied_and_what_is_in_business_stays(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    administrator, person = await make_administrator(runtime, org.id), await make_person(runtime)
    colleague = await make_person(runtime)
    body = {"org_id": str(org.id), "name": "卡娜丽的店", "kind": "shop", "phone": "13900008888"}
    made = [await _post(api, person, "/merchants", body) for _ in range(3)]
    undecided, alone, staffed = [one["id"] for one in made]
    picture = await attach(api, administrator, ("merchant", undecided))
    for merchant in made:
        visit = {"visited_on": now().date().isoformat(), "note": "已走访"}
        await _post(api, administrator, f"/merchants/{merchant['id']}/visits", visit)
    move = {"approved": True, "reason": "符合条件"}
    for merchant_id in (alone, staffed):
        await _post(api, administrator, f"/merchants/{merchant_id}/decision", move)
    async with runtime.database.transaction() as tx:
        await appoint(tx, colleague.id, Role.merchant_staff, merchant=UUID(staffed))

    await _close(api, runtime, person)

    shown = {
        one["id"]: (one["state"], one["phone"], one["name"] == body["name"])
        for one in await walk(api, f"{API}/merchants", administrator.headers, org_id=str(org.id))
    }
    assert shown[undecided] == ("declined", None, False)
    assert shown[alone] == ("active", None, True)
    assert shown[staffed] == ("active", body["phone"], True)
    assert (await api.get(picture["url"], headers=administrator.headers)).status_code == 404
    path = f"{API}/merchants/{undecided}/decision"
    refused = await api.post(path, headers=keyed(administrator), json=move)
    assert_refused(refused, 409, "merchants.wrong_state")
