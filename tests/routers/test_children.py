"""Children: entered by a guardian, signed up to classes, masked to others, erased."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import local_date, now
from app.models.activities import Activity
from app.models.cards import card_number
from app.models.checkins import CheckinMethod
from app.models.consents import ConsentDocument
from app.models.orgs import Org
from app.models.scans import ScanReason
from app.runtime import Runtime
from app.services import checkins
from app.services.checkins import Scan
from app.services.consents import texts
from app.services.scans import settling
from app.services.signup_terms import NotAClass
from tests.factories.activities import activity_body, edit, make_activity
from tests.factories.activities import edit_body as edit_of
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.scans import card_serial
from tests.routers.test_card_guesses import card_no
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation          rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listMyChildren     person  401    200+  200  200     200   200     200    200     200   200
addChild           person  401    201   201  201     201   201     201    201     201   201
updateChild        person  401    200+  404  404     404   404     404    404     404   404       404=children.not_found
removeChild        person  401    204   404  404     404   404     404    404     404   404       404=children.not_found
addPickup          person  401    201+  404  404     404   404     404    404     404   404       404=children.not_found
removePickup       person  401    204   404  404     404   404     404    404     404   404       404=children.not_found
listChildSignups   person  401    200   404  404     404   404     404    404     404   404       404=children.not_found
signUpChild        person  401    200   404  404     404   404     404    404     404   404       404=children.not_found
cancelChildSignup  person  401    204   404  404     404   404     404    404     404   404       404=children.not_found
"""  # noqa: E501 - a table
HERS = {
    "children": "guardian_id = :alice",
    "pickups": "child_id IN (SELECT person_id FROM children WHERE guardian_id = :alice)",
}
BESIDE_POINTS = {"children", "pickups"}
BEYOND_THE_SCHEMA = {
    "body",
    "body.birth_date",
    "children.too_many",
    "children.not_found",
    "consents.outdated",
}
CHILDREN = "/api/v1/me/children"
GRANDMOTHER = {"name": "李秀英", "relation": "外婆"}


def child_body(**changes: Any) -> dict[str, Any]:
    """Return a valid body of POST /me/children: a child of eight."""
    born = local_date(now()) - timedelta(days=8 * 366)
    return {
        "display_name": "张小雨",
        "birth_date": born.isoformat(),
        "text_version": texts()[ConsentDocument.guardian].version,
        "guardian": {"name": "张爱丽", "relation": "parent"},
    } | changes


def edit_body(**changes: Any) -> dict[str, Any]:
    edited = {"display_name", "birth_date", "may_leave_alone"}
    return {name: one for name, one in (child_body() | changes).items() if name in edited}


async def make_child(api: httpx.AsyncClient, guardian: TestPerson, **changes: Any) -> str:
    """Enter a child; return its id."""
    made = await api.post(CHILDREN, headers=keyed(guardian), json=child_body(**changes))
    assert made.status_code == 201, made.text
    child: str = made.json()["id"]
    return child


async def make_pickup(
    api: httpx.AsyncClient, guardian: TestPerson, child: str, **changes: Any
) -> str:
    """Name somebody who may fetch a child; return the id of the entry."""
    path = f"{CHILDREN}/{child}/pickups"
    made = await api.post(path, headers=keyed(guardian), json=GRANDMOTHER | changes)
    assert made.status_code == 201, made.text
    pickup: str = made.json()["id"]
    return pickup


async def sign_up_child(
    api: httpx.AsyncClient, guardian: TestPerson, activity: Activity, child: str
) -> httpx.Response:
    path = f"/api/v1/activities/{activity.id}/children/{child}/signup"
    return await api.post(path, headers=keyed(guardian))


async def make_class(
    api: httpx.AsyncClient, runtime: Runtime, guardian: TestPerson, org: Org, **activity: Any
) -> tuple[Activity, str]:
    """Create a class at which a new child has a place."""
    made = await make_activity(runtime, org=org, for_minors=True, **activity)
    child = await make_child(api, guardian)
    assert (await sign_up_child(api, guardian, made, child)).status_code == 200
    return made, child


async def _child(world: World) -> Ask:
    """Alice has one child at a time, with somebody who may fetch it."""
    mine = (await world.api.get(CHILDREN, headers=world.alice.headers)).json()["items"]
    for one in mine:
        await world.api.delete(f"{CHILDREN}/{one['id']}", headers=world.alice.headers)
    child = await make_child(world.api, world.alice)
    pickup = await make_pickup(world.api, world.alice, child)
    return Ask({"child_id": child, "pickup_id": pickup}, edit_body(display_name="张大雨"))


async def _new(_: World) -> Ask:
    return Ask(body=child_body())


async def _named(world: World) -> Ask:
    return Ask((await _child(world)).ids, GRANDMOTHER)


async def _to_sign_up(world: World) -> Ask:
    made = await make_activity(world.runtime, org=world.home, for_minors=True)
    return Ask((await _child(world)).ids | {"activity_id": str(made.id)}, {})


async def _signed_up(world: World) -> Ask:
    starts_at = now() + timedelta(hours=1)
    made = await make_activity(world.runtime, org=world.home, for_minors=True, starts_at=starts_at)
    ids = (await _child(world)).ids
    assert (await sign_up_child(world.api, world.alice, made, ids["child_id"])).is_success
    return Ask(ids | {"activity_id": str(made.id)})


REQUESTS = {
    "listMyChildren": _child,
    "addChild": _new,
    "updateChild": _child,
    "removeChild": _child,
    "addPickup": _named,
    "removePickup": _child,
    "listChildSignups": _signed_up,
    "signUpChild": _to_sign_up,
    "cancelChildSignup": _signed_up,
}


async def known(setup: Setup) -> Known:
    mine = await setup.post(setup.caller, "/me/children", **child_body())
    pickup = await setup.post(setup.caller, f"/me/children/{mine['id']}/pickups", **GRANDMOTHER)
    version = texts()[ConsentDocument.guardian].version
    return {"child_id": [mine["id"]], "pickup_id": [pickup["id"]], "text_version": [version]}


async def _sixth(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    guardian = await make_person(runtime)
    for _ in range(6):
        await make_child(api, guardian)
    return Refused(guardian, "POST", "/me/children", {"limit": 6}, child_body())


async def _fourth(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    guardian = await make_person(runtime)
    child = await make_child(api, guardian)
    for _ in range(4):
        await make_pickup(api, guardian, child)
    path = f"/me/children/{child}/pickups"
    return Refused(guardian, "POST", path, {"limit": 4}, GRANDMOTHER)


REFUSED = {"children.too_many": _sixth, "children.too_many_pickups": _fourth}


async def test_children_alone_sign_up_to_a_class_and_to_nothing_else(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian = await make_person(runtime)
    other = await make_activity(runtime)
    child = await make_child(api, guardian)
    course = await make_activity(runtime, for_minors=True, capacity=1)
    second = await make_child(api, guardian, display_name="张小雪")
    path = f"/api/v1/activities/{course.id}/signups"
    adult = await api.post(path, headers=guardian.headers, json={})
    assert_refused(adult, 409, "signups.only_children")
    assert_refused(await sign_up_child(api, guardian, other, child), 409, "classes.not_a_class")
    first, again, waits = [
        (await sign_up_child(api, guardian, course, one)).json() for one in (child, child, second)
    ]
    assert (first["id"], first["status"]) == (again["id"], "confirmed")
    assert (waits["status"], waits["position"]) == ("waitlisted", 1)
    mine = (await api.get(f"{CHILDREN}/{child}/signups", headers=guardian.headers)).json()
    assert [one["id"] for one in mine["items"]] == [first["id"]]
    async with runtime.database.transaction() as tx:  # it has not begun
        await tx.fetch(
            "UPDATE activities SET starts_at = starts_at + interval '1 hour' WHERE id = :id",
            {"id": course.id},
        )
    path = f"/api/v1/activities/{course.id}/children/{child}/signup"
    assert (await api.delete(path, headers=guardian.headers)).status_code == 204
    assert_refused(await api.delete(path, headers=guardian.headers), 404, "signups.not_found")
    kinds = [one["kind"] for one in await inbox(api, runtime, guardian)]
    assert kinds == ["promoted"]  # the second child's, which has no inbox of its own


async def test_nobody_brings_a_child_into_an_activity_that_is_no_class(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Nobody would hand it over there: a group, a steward, a walk-in and a device are refused."""
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    guardian = await make_person(runtime)
    child = await make_child(api, guardian)
    number = card_number(await card_serial(runtime, UUID(child)))
    plain = await make_activity(runtime, org=org)
    free = await make_activity(runtime, org=org, signup_for="nothing")
    path = f"/api/v1/activities/{plain.id}/signups/batches"
    batch = await api.post(path, headers=keyed(organizer), json={"card_nos": [number]})
    assert [one["code"] for one in batch.json()["items"]] == ["classes.not_a_class"]
    for activity, walk_in in ((plain, True), (free, False)):
        path = f"/api/v1/activities/{activity.id}/attendance"
        body = {"action": "check_in", "card_no": number, "walk_in": walk_in}
        reply = await api.post(path, headers=keyed(organizer), json=body)
        assert_refused(reply, 409, "classes.not_a_class")
    async with runtime.database.transaction() as tx:
        scan = Scan(free.serial, UUID(child), method=CheckinMethod.device, came_at=now())
        [refused] = await checkins.record(tx, [scan], now())
    assert isinstance(refused, NotAClass)
    assert settling.REASONS[refused.code] == ScanReason.not_eligible


async def test_a_class_has_sign_up(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    course = await make_activity(runtime, org=org, for_minors=True)
    for signup_for in ("nothing", "session"):  # guardians sign up to the whole
        body = activity_body(org, for_minors=True, signup_for=signup_for)
        drafted = await api.post("/api/v1/activities", headers=keyed(organizer), json=body)
        assert_refused(drafted, 422, "request.invalid")
        edited = await edit(api, organizer, course, edit_of(course, signup_for=signup_for))
        assert_refused(edited, 422, "request.invalid")


async def test_a_child_is_kept_with_consent_and_its_name_is_sealed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, named = await make_person(runtime), await make_person(runtime)
    old = child_body(birth_date=(local_date(now()) - timedelta(days=19 * 366)).isoformat())
    grown = await api.post(CHILDREN, headers=keyed(guardian), json=old)
    assert_refused(grown, 422, "request.invalid")
    outdated = child_body(text_version="2020-01-01")
    refused = await api.post(CHILDREN, headers=keyed(guardian), json=outdated)
    assert_refused(refused, 409, "consents.outdated")
    child = await make_child(api, guardian)
    own = GRANDMOTHER | {"card_no": await card_no(api, guardian)}
    path = f"{CHILDREN}/{child}/pickups"
    reply = await api.post(path, headers=keyed(guardian), json=own)
    assert_refused(reply, 409, "children.own_pickup")
    await make_pickup(api, guardian, child, card_no=await card_no(api, named))
    assert [one["kind"] for one in await inbox(api, runtime, named)] == ["child_pickup_named"]
    body = edit_body(display_name="张大雨", may_leave_alone=True)
    await api.put(f"{CHILDREN}/{child}", headers=guardian.headers, json=body)
    [shown] = (await api.get(CHILDREN, headers=guardian.headers)).json()["items"]
    assert (shown["display_name"], shown["may_leave_alone"]) == ("张大雨", True)
    assert [(one["name"], one["has_card"]) for one in shown["pickups"]] == [("李秀英", True)]
    async with runtime.database.read() as tx:
        [row] = await tx.fetch(
            "SELECT p.display_name, length(p.openid_sealed) AS sealed, c.version, c.given,"
            " guardian_sealed IS NOT NULL AS named"
            " FROM people p JOIN consents c ON c.person_id = p.id WHERE p.id = :id",
            {"id": child},
        )
    assert (row.display_name, row.sealed, row.given, row.named) == ("张*雨", 0, True, True)
