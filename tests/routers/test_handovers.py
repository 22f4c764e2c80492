"""Hand-overs: a child leaves with the guardian, a named person, or alone if allowed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.models.activities import Activity
from app.models.checkouts import Departure
from app.models.orgs import Org
from app.runtime import Runtime
from app.services import checkouts
from app.services.checkouts import Leave, Left
from tests.concurrency import rushes
from tests.conftest import ScratchFactory
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_card_codes
from tests.routers.test_audit import entries
from tests.routers.test_card_guesses import card_no
from tests.routers.test_children import (
    CHILDREN,
    child_body,
    edit_body,
    make_child,
    make_class,
    make_pickup,
    sign_up_child,
)
from tests.routers.test_limits import limited
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation           rule    nobody alice bob  counter rival sibling parent auditor admin outsider
makeHandoverCode    person  401    201+  404  404     404   404     404    404     404   404       404=children.not_found
listChildHandovers  person  401    200+  404  404     404   404     404    404     404   404       404=children.not_found
handOver            person  401    403   403  403     403   404     201+   403     201+  404       404=activities.not_found
"""  # noqa: E501 - a table
_OF_ALICE = "child_id IN (SELECT person_id FROM children WHERE guardian_id = :alice)"
HERS = {"handover_codes": _OF_ALICE, "handovers": _OF_ALICE}
BESIDE_POINTS = {"handover_codes", "handovers"}
BEYOND_THE_SCHEMA = {"body", "body.session", "children.pickup_not_found", "signups.not_found"}


async def came(
    api: httpx.AsyncClient, steward: TestPerson, activity: Activity, child: str, **body: Any
) -> httpx.Response:
    """Let a steward check a child in, or out."""
    path = f"/api/v1/activities/{activity.id}/attendance"
    asked = {"action": "check_in", "person_id": child} | body
    return await api.post(path, headers=keyed(steward), json=asked)


async def fetch(
    api: httpx.AsyncClient, steward: TestPerson, activity: Activity, child: str, **proof: Any
) -> httpx.Response:
    path = f"/api/v1/activities/{activity.id}/handovers"
    return await api.post(path, headers=keyed(steward), json={"child_id": child} | proof)


async def make_code(
    api: httpx.AsyncClient, guardian: TestPerson, activity: Activity, child: str, pickup: str
) -> str:
    path = f"{CHILDREN}/{child}/handover-codes"
    body = {"activity_id": str(activity.id), "pickup_id": pickup}
    made = await api.post(path, headers=guardian.headers, json=body)
    assert made.status_code == 201, made.text
    code: str = made.json()["code"]
    return code


async def present(
    api: httpx.AsyncClient, runtime: Runtime, guardian: TestPerson, org: Org, **activity: Any
) -> tuple[Activity, str, TestPerson]:
    """Let a child of a guardian come to a class; return both and a steward."""
    steward = await make_organizer(runtime, org.id)
    course, child = await make_class(api, runtime, guardian, org, **activity)
    assert (await came(api, steward, course, child)).status_code == 200
    return course, child, steward


async def _present(world: World) -> tuple[Activity, str]:
    mine = (await world.api.get(CHILDREN, headers=world.alice.headers)).json()["items"]
    for one in mine[:3]:
        await world.api.delete(f"{CHILDREN}/{one['id']}", headers=world.alice.headers)
    starts_at = now() - timedelta(minutes=1)
    course, child, _ = await present(
        world.api, world.runtime, world.alice, world.home, starts_at=starts_at
    )
    return course, child


async def _code(world: World) -> Ask:
    course, child = await _present(world)
    pickup = await make_pickup(world.api, world.alice, child)
    return Ask({"child_id": child}, {"activity_id": str(course.id), "pickup_id": pickup})


async def _fetched(world: World) -> Ask:
    course, child = await _present(world)
    [code] = await make_card_codes(world.runtime, world.alice, 1)
    return Ask({"activity_id": str(course.id)}, {"child_id": child, "card_code": code})


async def _listed(world: World) -> Ask:
    ask = await _fetched(world)
    steward = await make_organizer(world.runtime, world.home.id)
    path = f"/api/v1/activities/{ask.ids['activity_id']}/handovers"
    assert (await world.api.post(path, headers=keyed(steward), json=ask.body)).is_success
    return Ask({"child_id": ask.body["child_id"]})


REQUESTS = {"makeHandoverCode": _code, "listChildHandovers": _listed, "handOver": _fetched}


async def known(setup: Setup) -> Known:
    mine = await setup.post(setup.others[0], "/me/children", **child_body())
    return {"child_id": [mine["id"]]}


async def _over(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    guardian, org = await make_person(runtime), await make_org(runtime)
    course, child, steward = await present(api, runtime, guardian, org)
    first, second = await make_card_codes(runtime, guardian, 2)
    done = (await fetch(api, steward, course, child, card_code=first)).json()
    facts = {"handed_over_at": done["handed_over_at"]}
    body = {"child_id": child, "card_code": second}
    return Refused(steward, "POST", f"/activities/{course.id}/handovers", facts, body)


async def _spent(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    guardian, org = await make_person(runtime), await make_org(runtime)
    course, child, steward = await present(api, runtime, guardian, org)
    code = await make_code(api, guardian, course, child, await make_pickup(api, guardian, child))
    async with runtime.database.transaction() as tx:
        [row] = await tx.fetch(
            "UPDATE handover_codes SET used_at = now() WHERE child_id = :id RETURNING used_at",
            {"id": child},
        )
    facts = {"used_at": row.used_at.isoformat().replace("+00:00", "Z")}
    body = {"child_id": child, "handover_code": code}
    return Refused(steward, "POST", f"/activities/{course.id}/handovers", facts, body)


async def _late(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    guardian, org = await make_person(runtime), await make_org(runtime)
    course, child, steward = await present(api, runtime, guardian, org)
    code = await make_code(api, guardian, course, child, await make_pickup(api, guardian, child))
    async with runtime.database.transaction() as tx:
        [row] = await tx.fetch(
            "UPDATE handover_codes SET expires_at = now() WHERE child_id = :id"
            " RETURNING expires_at",
            {"id": child},
        )
    facts = {"expires_at": row.expires_at.isoformat().replace("+00:00", "Z")}
    body = {"child_id": child, "handover_code": code}
    return Refused(steward, "POST", f"/activities/{course.id}/handovers", facts, body)


REFUSED = {
    "handovers.done": _over,
    "handovers.code_used": _spent,
    "handovers.code_expired": _late,
}


async def test_the_guardian_fetches_the_child_with_a_card(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, stranger, org = (
        await make_person(runtime),
        await make_person(runtime),
        await make_org(runtime),
    )
    course, child, steward = await present(
        api, runtime, guardian, org, checks_out=True, starts_at=now() - timedelta(minutes=40)
    )
    [theirs] = await make_card_codes(runtime, stranger, 1)
    first, second = await make_card_codes(runtime, guardian, 2)

    left = await came(api, steward, course, child, action="check_out")
    removed = await api.delete(f"{CHILDREN}/{child}", headers=guardian.headers)
    alone = await fetch(api, steward, course, child, alone=True)
    foreign = await fetch(api, steward, course, child, card_code=theirs)
    fetched = await fetch(api, steward, course, child, card_code=first)
    again = await fetch(api, steward, course, child, card_code=second)

    assert_refused(left, 409, "stewards.handover_needed")
    assert_refused(removed, 409, "children.inside")
    assert_refused(alone, 403, "handovers.not_alone")
    assert_refused(foreign, 403, "handovers.not_named")
    assert fetched.status_code == 201, fetched.text
    assert (fetched.json()["proof"], fetched.json()["fetcher"]) == ("guardian_card", None)
    assert_refused(again, 409, "handovers.done")
    [told] = await inbox(api, runtime, guardian)
    assert told["kind"] == "handover_recorded"
    async with runtime.database.read() as tx:
        [row] = await tx.fetch(
            "SELECT departure, recorded_by FROM checkouts WHERE person_id = :id", {"id": child}
        )
    assert (row.departure, row.recorded_by) == ("steward", steward.id)
    [entry] = [one for one in await _audited(api, runtime, org) if one["verb"] == "handed_over"]
    assert entry["subject"] == {"type": "child", "id": child}
    await assert_ledger_verifies(runtime)


async def test_a_child_at_the_door_is_not_removed_once_the_class_is_over(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Nor once the job has checked it out as forgotten."""
    guardian, org = await make_person(runtime), await make_org(runtime)
    course, child, steward = await present(
        api, runtime, guardian, org, checks_out=True, starts_at=now() - timedelta(minutes=40)
    )
    async with runtime.database.transaction() as tx:
        await tx.fetch(
            "UPDATE activities SET ends_at = :at WHERE id = :id",
            {"at": now() - timedelta(seconds=2), "id": course.id},
        )
    path = f"{CHILDREN}/{child}"
    assert_refused(await api.delete(path, headers=guardian.headers), 409, "children.inside")
    async with runtime.database.transaction() as tx:
        leave = Leave(course.serial, UUID(child), Departure.forgotten)
        [left] = await checkouts.record(tx, [leave], now())
    assert isinstance(left, Left)
    assert_refused(await api.delete(path, headers=guardian.headers), 409, "children.inside")
    [card] = await make_card_codes(runtime, guardian, 1)
    assert (await fetch(api, steward, course, child, card_code=card)).is_success
    assert (await api.delete(path, headers=guardian.headers)).status_code == 204


async def _audited(api: httpx.AsyncClient, runtime: Runtime, org: Org) -> list[dict[str, Any]]:
    return await entries(api, await make_administrator(runtime, org.id), org)


async def test_a_named_person_fetches_the_child_by_card_or_code(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, aunt, org = (
        await make_person(runtime),
        await make_person(runtime),
        await make_org(runtime),
    )
    course, child, steward = await present(api, runtime, guardian, org)
    sister = await make_child(api, guardian, display_name="张小雪")
    assert (await sign_up_child(api, guardian, course, sister)).is_success
    assert (await came(api, steward, course, sister)).is_success
    grandmother = await make_pickup(api, guardian, child)
    await make_pickup(
        api, guardian, sister, name="张姨", relation="姨", card_no=await card_no(api, aunt)
    )
    old = await make_code(api, guardian, course, child, grandmother)
    code = await make_code(api, guardian, course, child, grandmother)
    [card] = await make_card_codes(runtime, aunt, 1)

    replaced = await fetch(api, steward, course, child, handover_code=old)
    elsewhere = await fetch(api, steward, course, sister, handover_code=code)
    not_hers = await fetch(api, steward, course, child, card_code=card)
    by_code = await fetch(api, steward, course, child, handover_code=f"{code[:4]} {code[4:]}")
    hers = await fetch(api, steward, course, sister, card_code=card)

    assert_refused(replaced, 422, "handovers.code_invalid")
    assert_refused(elsewhere, 422, "handovers.code_invalid")
    assert_refused(not_hers, 403, "handovers.not_named")
    assert by_code.json()["fetcher"] == {"name": "李秀英", "relation": "外婆"}
    assert (hers.json()["proof"], hers.json()["fetcher"]["name"]) == ("pickup_card", "张姨")
    listed = await api.get(f"{CHILDREN}/{child}/handovers", headers=guardian.headers)
    assert [one["fetcher"]["name"] for one in listed.json()["items"]] == ["李秀英"]


async def test_five_wrong_codes_lock_those_of_a_child(scratch: ScratchFactory) -> None:
    """Whoever enters them; who has a card fetches the child all the same."""
    async with limited(scratch) as (api, runtime):
        guardian, org = await make_person(runtime), await make_org(runtime)
        course, child, steward = await present(api, runtime, guardian, org)
        pickup = await make_pickup(api, guardian, child)
        code = await make_code(api, guardian, course, child, pickup)
        colleague = await make_organizer(runtime, org.id)
        wrong = f"{(int(code) + 1) % 10**8:08}"
        for one in (steward, colleague, steward, colleague, steward):
            refused = await fetch(api, one, course, child, handover_code=wrong)
            assert_refused(refused, 422, "handovers.code_invalid")
        locked = await fetch(api, colleague, course, child, handover_code=code)
        assert_refused(locked, 429, "request.rate_limited")
        [card] = await make_card_codes(runtime, guardian, 1)
        assert (await fetch(api, steward, course, child, card_code=card)).status_code == 201


async def test_nobody_hands_a_child_to_himself_and_some_may_leave_alone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    guardian = await make_organizer(runtime, org.id)
    course, child, steward = await present(api, runtime, guardian, org)
    await make_pickup(api, guardian, child, card_no=await card_no(api, steward))
    [own] = await make_card_codes(runtime, guardian, 1)
    [stewards] = await make_card_codes(runtime, steward, 1)
    assert_refused(await fetch(api, guardian, course, child, card_code=own), 403, "handovers.own")
    assert_refused(
        await fetch(api, steward, course, child, card_code=stewards), 403, "handovers.own"
    )
    body = edit_body(may_leave_alone=True)
    await api.put(f"{CHILDREN}/{child}", headers=guardian.headers, json=body)
    left = await fetch(api, steward, course, child, alone=True)
    assert left.json()["proof"] == "alone"


async def test_of_two_stewards_one_hands_over_and_who_was_removed_gets_nobody(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, org = await make_person(runtime), await make_org(runtime)
    course, child, steward = await present(api, runtime, guardian, org, checks_out=True)
    other = await make_organizer(runtime, org.id)
    codes = await make_card_codes(runtime, guardian, 4)
    replies = await rushes.at_once(
        fetch(api, one, course, child, card_code=code)
        for one, code in zip((steward, other, steward, other), codes, strict=True)
    )
    assert sorted(one.status_code for one in replies) == [201, 409, 409, 409]
    sister = await make_child(api, guardian)
    assert (await sign_up_child(api, guardian, course, sister)).is_success
    assert (await came(api, steward, course, sister)).is_success
    pickup = await make_pickup(api, guardian, sister)
    code = await make_code(api, guardian, course, sister, pickup)
    path = f"{CHILDREN}/{sister}/pickups/{pickup}"
    gone, late = await rushes.at_once(
        [
            api.delete(path, headers=guardian.headers),
            fetch(api, steward, course, sister, handover_code=code),
        ]
    )
    assert gone.status_code == 204
    assert late.status_code in {201, 422}  # whoever locked the child first
    after = await fetch(api, steward, course, sister, handover_code=code)
    assert_refused(
        after, *((409, "handovers.done") if late.is_success else (422, "handovers.code_invalid"))
    )
