"""Co-organizers edit one activity and show its code; they are never paid for it at once."""

from typing import Any

import httpx
import pytest

from app.models.activities import ActivityStatus
from app.models.cards import card_number
from app.runtime import Runtime
from tests.factories.activities import current_code, edit, edit_body, make_activity, sign_up
from tests.factories.attachments import attach
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation          rule       nobody alice bob  counter rival sibling parent auditor admin outsider
addCoOrganizer     organizer  401    403   403  403     403   404     201+   403     201+  404       404=activities.not_found
listCoOrganizers   reader     401    403   403  403     403   404     200+   200+    200+  404       404=activities.not_found
removeCoOrganizer  organizer  401    403   403  403     403   404     204+   403     204+  404       404=activities.not_found
"""  # noqa: E501 - a table
HERS = {"co_organizers": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    "body",  # either of two names
    "people.not_found",
    "co_organizers.there",
    "co_organizers.oneself",
    "activities.wrong_state",
}


async def _add(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    return Ask({"activity_id": str(activity.id)}, {"person_id": str(world.alice.id)})


async def _added(world: World) -> Ask:
    ask = await _add(world)
    organizer = await make_organizer(world.runtime, world.home.id)
    made = await add(world.api, organizer, ask.ids["activity_id"], world.alice)
    return Ask(ask.ids | {"co_organizer_id": made["id"]})


REQUESTS = {"addCoOrganizer": _add, "listCoOrganizers": _added, "removeCoOrganizer": _added}


async def add(
    api: httpx.AsyncClient, organizer: TestPerson, activity: object, person: TestPerson
) -> dict[str, Any]:
    path, body = f"{API}/activities/{activity}/co-organizers", {"person_id": str(person.id)}
    reply = await api.post(path, headers=keyed(organizer), json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def known(setup: Setup) -> Known:
    activity = await make_activity(setup.runtime, org=setup.org)
    made = [await add(setup.api, setup.organizer, activity.id, one) for one in setup.others[:FEW]]
    return {"co_organizer_id": [one["id"] for one in made], "activity_id": [str(activity.id)]}


async def completion(setup: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        body.pop("card_no", None)
        body["person_id"] = str(setup.organizer.id)

    return complete


async def _add_too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    activity = await make_activity(runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    *some, one = await make_people(runtime, 21)
    for person in some:
        await add(api, organizer, activity.id, person)
    path, body = f"/activities/{activity.id}/co-organizers", {"person_id": str(one.id)}
    return Refused(organizer, "POST", path, {"limit": 20, "used": 20}, body)


REFUSED = {"co_organizers.too_many": _add_too_many}


async def test_a_co_organizer_does_what_this_activity_needs_and_no_more(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, helper = await make_organizer(runtime, org.id), await make_person(runtime)
    draft = await make_activity(runtime, org=org, status=ActivityStatus.draft)
    other = await make_activity(runtime, org=org)
    await add(api, organizer, draft.id, helper)
    path = f"{API}/activities/{draft.id}"

    assert (await api.get(path, headers=helper.headers)).status_code == 200
    edited = await edit(api, helper, draft, edit_body(draft, title="夏至植树"))
    await attach(api, helper, ("activity", draft.id))
    refused = [
        await api.post(f"{path}/publish", headers=helper.headers),
        await api.post(f"{path}/cancel", headers=helper.headers, json={"reason": "x"}),
        await api.delete(path, headers=helper.headers),
        await edit(api, helper, other, edit_body(other, title="x")),
        await api.get(f"{API}/activities/{other.id}/checkin-code", headers=helper.headers),
    ]
    await api.post(f"{path}/publish", headers=organizer.headers)
    shown = await api.get(f"{path}/checkin-code", headers=helper.headers)

    assert (edited.status_code, shown.status_code) == (200, 200)
    for one in refused:
        assert_refused(one, 403, "auth.forbidden")
    [mine] = await walk(api, f"{API}/me/activities", helper.headers)
    assert (mine["id"], mine["part"]) == (str(draft.id), "co_organizer")
    [notice] = await inbox(api, runtime, helper)
    assert notice["kind"] == "co_organizer_added"
    assert_refused(
        await api.get(path.replace(str(draft.id), str(helper.id)), headers=helper.headers),
        *(404, "activities.not_found"),
    )


@pytest.mark.parametrize("published_after", [True, False])
@pytest.mark.parametrize("removed", ["never", "at last", "at once"])
async def test_points_of_a_co_organizer_wait_for_somebody_else(
    api: httpx.AsyncClient, runtime: Runtime, *, published_after: bool, removed: str
) -> None:
    """An organizer who edits it, even as a draft, waits too."""
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    editor = await make_organizer(runtime, org.id)
    helper, guest = await make_people(runtime, 2)
    status = ActivityStatus.draft if published_after else ActivityStatus.published
    activity = await make_activity(runtime, org=org, status=status)
    made = await add(api, organizer, activity.id, helper)
    edited = await edit(api, editor, activity, edit_body(activity, title="夏至植树"))
    assert edited.status_code == 200, edited.text

    async def remove() -> None:
        path = f"{API}/activities/{activity.id}/co-organizers/{made['id']}"
        assert (await api.delete(path, headers=organizer.headers)).status_code == 204

    if removed == "at once":
        await remove()
    if published_after:
        path = f"{API}/activities/{activity.id}/publish"
        assert (await api.post(path, headers=organizer.headers)).status_code == 200
    if removed == "at last":
        await remove()
    await sign_up(runtime, activity, editor, helper, guest)

    states = []
    for person in (editor, helper, guest):
        code = {"code": current_code(runtime, activity)}
        reply = await api.post(f"{API}/checkins", headers=person.headers, json=code)
        states.append(reply.json()["award"]["state"])

    assert states == ["pending", "pending", "available"]
    await assert_ledger_verifies(runtime)


async def test_who_was_removed_may_do_nothing_more(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity, helper = await make_activity(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    made = await add(api, organizer, activity.id, helper)
    path = f"{API}/activities/{activity.id}/co-organizers"
    assert [one["id"] for one in await walk(api, path, organizer.headers)] == [made["id"]]

    await api.delete(f"{path}/{made['id']}", headers=organizer.headers)

    assert await walk(api, path, organizer.headers) == []
    refused = await edit(api, helper, activity, edit_body(activity, title="x"))
    assert_refused(refused, 403, "auth.forbidden")
    gone = await api.delete(f"{path}/{made['id']}", headers=organizer.headers)
    assert_refused(gone, 404, "co_organizers.not_found")


async def test_a_draft_with_co_organizers_is_deleted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, status=ActivityStatus.draft)
    organizer = await make_organizer(runtime, activity.org_id)
    await add(api, organizer, activity.id, await make_person(runtime))
    path = f"{API}/activities/{activity.id}"
    assert (await api.delete(path, headers=organizer.headers)).status_code == 204
    await assert_ledger_verifies(runtime)


async def test_a_person_is_named_by_card_and_added_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity, helper = await make_activity(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, activity.org_id)
    path = f"{API}/activities/{activity.id}/co-organizers"
    card = (await api.get(f"{API}/me/card", headers=helper.headers)).json()["card_no"]

    async def asked(**body: object) -> httpx.Response:
        return await api.post(path, headers=keyed(organizer), json=body)

    made = await asked(card_no=card)
    assert made.status_code == 201, made.text
    assert (made.json()["person_id"], made.json()["display_name"]) == (str(helper.id), helper.name)
    assert_refused(await asked(person_id=str(helper.id)), 409, "co_organizers.there")
    assert_refused(await asked(person_id=str(organizer.id)), 403, "co_organizers.oneself")
    assert_refused(await asked(card_no=card_number(99_999_999)), 404, "people.not_found")
    assert_refused(await asked(card_no="mistyped"), 404, "people.not_found")
    assert_refused(await asked(), 422, "request.invalid")
    ended = await make_activity(runtime, org=None, status=ActivityStatus.cancelled)
    boss = await make_organizer(runtime, ended.org_id)
    late = await api.post(
        f"{API}/activities/{ended.id}/co-organizers",
        headers=keyed(boss),
        json={"person_id": str(helper.id)},
    )
    assert_refused(late, 409, "activities.wrong_state")


async def test_adding_and_removing_is_on_record(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    activity, helper = await make_activity(runtime, org=org), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    made = await add(api, organizer, activity.id, helper)
    path = f"{API}/activities/{activity.id}/co-organizers/{made['id']}"
    await api.delete(path, headers=organizer.headers)

    admin = await make_administrator(runtime, org.id)
    told = [
        one
        for one in await entries(api, admin, org)
        if one["subject"] == {"type": "co_organizer", "id": made["id"]}
    ]
    assert [one["verb"] for one in told] == ["deleted", "created"]
    assert all(one["facts"]["person"] == str(helper.id) for one in told)
