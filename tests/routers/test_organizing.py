"""Organizing: activities are edited, cancelled, closed, deleted, copied and listed by their own."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.activities import Activity, ActivityStatus
from app.runtime import Runtime
from tests.factories.activities import (
    edit_body,
    make_activity,
    sign_up,
)
from tests.factories.attachments import attach
from tests.factories.clock import travel
from tests.factories.http import assert_refused, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.organizing import ACTIVITIES, API, Desk
from tests.factories.orgs import make_org
from tests.factories.people import (
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.refusals import Ask as Refused
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation         rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listMyActivities  person     401    200   200  200     200   200     200+   200     200+  200
editActivity      person     401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
deleteActivity    organizer  401    403   403  403     403   404     204+   403     204+  404       404=activities.not_found
cancelActivity    organizer  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
closeActivity     organizer  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
copyActivity      organizer  401    403   403  403     403   404     201+   403     201+  404       404=activities.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {
    "header.if-match",  # another version than the present one
    "request.precondition_failed",
    "body.eligibility",  # an organisation that is there, tiers of the policy, ages in order
    "body.starts_at",
    "body.ends_at",
    "body.signup_opens_at",
    "body.signup_closes_at",
    "body",
    "body.rule_key",  # of the policy in force
    "body.minimum_attendance",
    "body.checks_out",  # only by rules that pay by time
    "body.capacity",
    "body.cover_id",  # a picture of this activity
    "activities.wrong_state",
    "activities.not_begun",
    "activities.not_over",
}
REASON = {"reason": "台风红色预警"}


def begun(**changes: Any) -> dict[str, Any]:
    return {"starts_at": now() - timedelta(minutes=1)} | changes


async def _draft(world: World) -> Activity:
    return await make_activity(world.runtime, org=world.home, status=ActivityStatus.draft)


async def _list(world: World) -> Ask:
    await _draft(world)
    return Ask()


async def _edit(world: World) -> Ask:
    activity = await _draft(world)
    return Ask({"activity_id": str(activity.id)}, edit_body(activity, title="夏至植树"))


async def _delete(world: World) -> Ask:
    return Ask({"activity_id": str((await _draft(world)).id)})


async def _cancel(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home, **begun())
    return Ask({"activity_id": str(activity.id)}, REASON)


async def _close(world: World) -> Ask:
    return Ask((await _cancel(world)).ids)


async def _copy(world: World) -> Ask:
    later = now() + timedelta(days=7)
    return Ask((await _cancel(world)).ids, {"starts_at": later.isoformat()})


REQUESTS = {
    "listMyActivities": _list,
    "editActivity": _edit,
    "deleteActivity": _delete,
    "cancelActivity": _cancel,
    "closeActivity": _close,
    "copyActivity": _copy,
}


async def known(setup: Setup) -> Known:
    made = [await make_activity(setup.runtime, org=setup.org, **begun()) for _ in range(FEW)]
    return {"activity_id": [str(one.id) for one in made], "if-match": ['"1"']}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("rule_key") in known["rule_key"]:
            body["rule_key"] = "volunteer_hour"
        body.pop("cover_id", None)

    return complete


@pytest.fixture
def desk(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    return Desk(api, runtime)


async def _attended_desk(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    desk = await Desk(api, runtime).open(**begun())
    await desk.attended()
    return desk


def _put(desk: Desk, facts: dict[str, Any], version: int = 1, **changes: Any) -> Refused:
    path, headers = f"/activities/{desk.activity.id}", {"If-Match": f'"{version}"'}
    body = edit_body(desk.activity, **changes)
    return Refused(desk.organizer, "PUT", path, facts, body, headers=headers)


async def _retime_attended(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await _attended_desk(api, runtime)
    later = desk.activity.ends_at + timedelta(hours=1)
    return _put(desk, {"checkins": 1}, ends_at=later)


async def _cancel_attended(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await _attended_desk(api, runtime)
    path = f"/activities/{desk.activity.id}/cancel"
    return Refused(desk.organizer, "POST", path, {"checkins": 1}, REASON)


async def _change_rule(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open()
    await sign_up(runtime, desk.activity, *await make_people(runtime, 2))
    return _put(desk, {"used": 2}, rule_key="theme_study")


async def _shrink(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open(capacity=3)
    await sign_up(runtime, desk.activity, *await make_people(runtime, 3))
    return _put(desk, {"limit": 2, "used": 3}, capacity=2)


async def _edit_stale(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open()
    assert (await desk.edit(title="夏至植树")).status_code == 200
    return _put(desk, {"version": 2}, title="冬至植树")


async def _close_early(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open()
    path = f"/activities/{desk.activity.id}/close"
    return Refused(desk.organizer, "POST", path, {"starts_at": desk.activity.starts_at})


async def _close_attended(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await _attended_desk(api, runtime)
    path = f"/activities/{desk.activity.id}/close"
    return Refused(desk.organizer, "POST", path, {"ends_at": desk.activity.ends_at})


async def _retime_begun(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open(**begun())
    times = {name: getattr(desk.activity, name) for name in ("starts_at", "ends_at")}
    return _put(desk, times, **{name: at + timedelta(days=1) for name, at in times.items()})


REFUSED = {
    "activities.begun": _retime_begun,
    "activities.attended": _retime_attended,
    "activities.announced": _change_rule,
    "activities.capacity_taken": _shrink,
    "request.precondition_failed": _edit_stale,
    "activities.not_begun": _close_early,
    "activities.not_over": _close_attended,
}


async def test_a_cancelled_activity_gives_nothing_any_more(desk: Desk) -> None:
    await desk.open(**begun(capacity=1))
    people = await make_people(desk.runtime, 2)
    await sign_up(desk.runtime, desk.activity, *people)

    first = await desk.post("cancel", REASON)
    again = await desk.post("cancel", {"reason": "另有原因"})

    assert first.json()["status"] == "cancelled"
    assert first.json()["cancel_reason"] == REASON["reason"]
    assert again.json() == first.json()
    for person in people:
        notices = await inbox(desk.api, desk.runtime, person)
        assert [one["kind"] for one in notices] == ["activity_cancelled"]
    assert_refused(await desk.check_in(people[0]), 409, "activities.not_open")
    signup = await desk.post("signups", {})
    assert_refused(signup, 409, "activities.not_open")
    assert signup.json()["facts"]["status"] == "cancelled"
    assert_refused(await desk.edit(version=2, title="x"), 409, "activities.wrong_state")
    assert_refused(await desk.post("close"), 409, "activities.wrong_state")
    await assert_ledger_verifies(desk.runtime)


async def test_a_closed_activity_takes_nobody_and_keeps_what_was_earned(desk: Desk) -> None:
    await desk.open(**begun(hours=0.2))  # shorter than a login
    await desk.attended()
    late = await make_person(desk.runtime)
    await sign_up(desk.runtime, desk.activity, late)

    assert_refused(await desk.post("close"), 409, "activities.not_over")
    with travel(desk.activity.ends_at):  # check-ins would be taken for another half hour
        closed = await desk.post("close")
        assert (closed.status_code, closed.json()["status"]) == (200, "closed")
        assert (await desk.post("close")).json() == closed.json()
        assert_refused(await desk.check_in(late), 409, "activities.not_open")
    assert_refused(await desk.post("signups", {}), 409, "activities.not_open")
    assert_refused(await desk.post("cancel", REASON), 409, "activities.wrong_state")
    [signup] = await walk(desk.api, f"{API}/me/signups", late.headers)
    left = await desk.api.delete(f"{API}/signups/{signup['id']}", headers=late.headers)
    assert_refused(left, 409, "signups.too_late_to_cancel")
    everything = await walk(desk.api, ACTIVITIES, org_id=str(desk.activity.org_id))
    assert [one["status"] for one in everything] == ["closed"]
    await assert_ledger_verifies(desk.runtime)


async def test_an_activity_that_nobody_attends_is_closed_before_its_end(desk: Desk) -> None:
    await desk.open(**begun())
    assert (await desk.post("close")).json()["status"] == "closed"


async def test_an_attended_activity_is_not_cancelled(desk: Desk) -> None:
    await desk.open(**begun())
    await desk.attended()
    refused = await desk.post("cancel", REASON)
    assert_refused(refused, 409, "activities.attended")
    assert refused.json()["facts"] == {"checkins": 1}


async def test_a_draft_is_deleted_with_its_pictures_and_nothing_else_is(desk: Desk) -> None:
    await desk.open(status=ActivityStatus.draft)
    path = f"{ACTIVITIES}/{desk.activity.id}"
    picture = await attach(desk.api, desk.organizer, ("activity", desk.activity.id))
    assert (await desk.edit(cover_id=picture["id"])).status_code == 200

    gone = await desk.api.delete(path, headers=desk.organizer.headers)

    assert gone.status_code == 204
    for url in (path, f"{API}/attachments/{picture['id']}"):
        assert (await desk.api.get(url, headers=desk.organizer.headers)).status_code == 404
    await desk.open()
    path = f"{ACTIVITIES}/{desk.activity.id}"
    refused = await desk.api.delete(path, headers=desk.organizer.headers)
    assert_refused(refused, 409, "activities.wrong_state")


async def test_a_copy_has_the_content_and_the_times_after_its_start(desk: Desk) -> None:
    place = {"location_name": "江边", "latitude": 32.2, "longitude": 119.8, "radius_m": 50}
    await desk.open(capacity=7, **place)
    await sign_up(desk.runtime, desk.activity, await make_person(desk.runtime))
    source, week = await desk.read(), timedelta(days=7)
    starts_at = (desk.activity.starts_at + week).isoformat()

    made = (await desk.post("copies", {"starts_at": starts_at})).json()

    for name in ("title", "description", "category", "capacity", "rule_key", "location", "org_id"):
        assert made[name] == source[name]
    for name in ("starts_at", "ends_at", "signup_opens_at", "signup_closes_at"):
        shift = datetime.fromisoformat(made[name]) - datetime.fromisoformat(source[name])
        assert shift == week
    assert (made["status"], made["signups_confirmed"], made["version"]) == ("draft", 0, 1)


async def test_my_activities_are_those_of_my_organisations_in_every_state(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    community = await make_org(runtime, parent=street)
    organizer = await make_organizer(runtime, street.id)
    start = now() + timedelta(days=2)
    made = [
        await make_activity(
            runtime, org=org, status=status, starts_at=start + timedelta(hours=hours)
        )
        for hours, (org, status) in enumerate(
            [*((street, one) for one in ActivityStatus), (community, ActivityStatus.draft)]
        )
    ]
    await make_activity(runtime)

    for limit in (1, 2, 100):
        found = await walk(api, f"{API}/me/activities", organizer.headers, limit=limit)
        assert [one["id"] for one in found] == [str(one.id) for one in reversed(made)]
    assert {(one["part"], one["awards_waiting"]) for one in found} == {("organizer", 0)}
    drafts = await walk(api, f"{API}/me/activities", organizer.headers, status="draft")
    assert [one["id"] for one in drafts] == [str(made[-1].id), str(made[0].id)]


async def test_awards_that_wait_for_reviewers_are_counted(desk: Desk) -> None:
    await desk.open(**begun(rule_key="taskforce_emergency"))
    await desk.attended()
    [mine] = await walk(desk.api, f"{API}/me/activities", desk.organizer.headers)
    assert mine["awards_waiting"] == 1
