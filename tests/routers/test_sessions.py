"""Sessions: what they make of their activity, what stays, who is told, and running series."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.activities import ActivityStatus
from app.runtime import Runtime
from tests.factories.activities import edit_body, make_activity, sign_up
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.organizing import Desk
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.sessions import (
    ACTIVITIES,
    DAY,
    HOUR,
    add_post,
    add_sessions,
    attend,
    change,
    forget_attendance,
    moment,
    take,
    times,
)
from tests.factories.signup_terms import counters, make_sessions, sign_up_by
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation       rule    nobody alice bob  counter rival sibling parent auditor admin outsider
createSessions  person  401    403   403  403     403   404     201+   403     201+  404       404=activities.not_found
listSessions    anyone  200    200   200  200     200   200     200    200     200   200
editSession     person  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
deleteSession   person  401    403   403  403     403   404     204+   403     204+  404       404=activities.not_found
getMySeries     person  401    200   200  200     200   200     200    200     200   200
"""  # noqa: E501 - a table
# What people do there pays them: verification compares sessions where it compares check-ins.
BEYOND_THE_SCHEMA = {
    "request.precondition_failed",
    "body",  # one time before another, too long
    "body.sessions",
    "body.starts_at",
    "body.ends_at",
    "body.capacity",
    "activities.wrong_state",
    "activities.begun",
    "sessions.not_found",
    "sessions.too_many",
    "sessions.clash",
}


async def _draft(world: World) -> Ask:
    starts_at = now() + DAY
    activity = await make_activity(
        world.runtime, org=world.home, status=ActivityStatus.draft, starts_at=starts_at
    )
    return Ask({"activity_id": str(activity.id)}, {"sessions": [times(DAY), times(8 * DAY)]})


async def _with_sessions(world: World) -> Ask:
    ask = await _draft(world)
    organizer = await make_organizer(world.runtime, world.home.id)
    [one, _] = await add_sessions(
        world.api, organizer, ask.ids["activity_id"], *ask.body["sessions"]
    )
    return Ask(
        ask.ids | {"number": "1"}, times(DAY / 2), headers={"If-Match": f'"{one["version"]}"'}
    )


async def _published(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    return Ask({"activity_id": str(activity.id)})


REQUESTS = {
    "createSessions": _draft,
    "listSessions": _published,
    "editSession": _with_sessions,
    "deleteSession": _with_sessions,
    "getMySeries": _published,
}


async def known(setup: Setup) -> Known:
    made = [
        await make_activity(setup.runtime, org=setup.org, status=ActivityStatus.draft)
        for _ in range(FEW)
    ]
    for one in made:
        await add_sessions(setup.api, setup.organizer, one.id, times(DAY), times(2 * DAY))
    return {"activity_id": [str(one.id) for one in made], "number": ["1", "2"]}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        given = body.get("sessions", [body])
        for one in given if isinstance(given, list) else ():
            if isinstance(one, dict):
                one.pop("post_id", None)
                one.update(times(DAY))

    return complete


async def _too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open(starts_at=now() + DAY)
    lots = [[times(DAY)] * 100] * 4
    for lot in lots:
        await add_sessions(api, desk.organizer, desk.activity.id, *lot)
    path, facts = f"/activities/{desk.activity.id}/sessions", {"limit": 400, "used": 400}
    return Refused(desk.organizer, "POST", path, facts, {"sessions": [times(DAY)]})


async def _taken(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open(starts_at=now() + DAY)
    [one] = await add_sessions(api, desk.organizer, desk.activity.id, times(DAY))
    await take(runtime, one, await make_person(runtime))
    path = f"/activities/{desk.activity.id}/sessions/1"
    return Refused(desk.organizer, "DELETE", path, {"used": 1})


async def _retimed(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open(starts_at=now() + DAY)
    made = await add_sessions(api, desk.organizer, desk.activity.id, times(DAY), times(9 * DAY))
    facts = {"starts_at": moment(made[0]["starts_at"]), "ends_at": moment(made[1]["ends_at"])}
    body = edit_body(desk.activity) | times(2 * DAY)
    del body["signup_closes_at"]
    return Refused(
        desk.organizer,
        "PUT",
        f"/activities/{desk.activity.id}",
        facts,
        body,
        headers={"If-Match": '"2"'},
    )


async def _clash(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    """A person with two neighbouring shifts; the first one would move to the second one's time."""
    desk, first, second = await _two_shifts(api, runtime)
    person = await make_person(runtime)
    for one in (first, second):
        await take(runtime, one, person)
    body = {name: second[name] for name in ("starts_at", "ends_at", "capacity")}
    return Refused(
        desk.organizer,
        "PUT",
        f"/activities/{desk.activity.id}/sessions/1",
        {"used": 1},
        body,
        headers={"If-Match": f'"{second["version"]}"'},
    )


async def _two_shifts(
    api: httpx.AsyncClient, runtime: Runtime
) -> tuple[Desk, dict[str, Any], dict[str, Any]]:
    desk = await Desk(api, runtime).open(starts_at=now() + DAY, signup_for="session")
    post = await add_post(api, desk.organizer, desk.activity.id)
    shift = {"post_id": post["id"], "capacity": 1}
    wanted = [times(start) | shift for start in (DAY, DAY + HOUR)]
    first, second = await add_sessions(api, desk.organizer, desk.activity.id, *wanted)
    return desk, first, second


REFUSED = {
    "sessions.clash": _clash,
    "sessions.too_many": _too_many,
    "sessions.taken": _taken,
    "activities.in_sessions": _retimed,
}


@pytest.fixture
def desk(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    return Desk(api, runtime)


async def test_an_activity_lasts_as_long_as_its_sessions(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY, hours=3)
    api, organizer, path = desk.api, desk.organizer, f"{ACTIVITIES}/{desk.activity.id}"
    evenings = [times(n * 7 * DAY, 2 * HOUR) | {"title": f"第{n}课"} for n in (3, 1, 2)]

    made = await add_sessions(api, organizer, desk.activity.id, *evenings)

    assert [one["number"] for one in made] == [1, 2, 3]
    assert [one["title"] for one in made] == ["第1课", "第2课", "第3课"]
    shown = await desk.read()
    assert (shown["starts_at"], shown["ends_at"]) == (made[0]["starts_at"], made[2]["ends_at"])
    assert (shown["sessions"], shown["signup_closes_at"]) == (3, made[2]["ends_at"])
    assert shown["version"] == made[0]["version"] == 2
    listed = await walk(api, f"{path}/sessions", limit=2)
    assert [one["id"] for one in listed] == [one["id"] for one in made]

    earlier = await change(api, organizer, made[0], **times(6 * DAY))
    assert earlier.status_code == 200, earlier.text
    assert (await desk.read())["starts_at"] == earlier.json()["starts_at"]
    assert_refused(
        await change(api, organizer, made[1], title="x"), 412, "request.precondition_failed"
    )
    assert (await api.delete(f"{path}/sessions/3", headers=organizer.headers)).status_code == 204
    [again] = await add_sessions(api, organizer, desk.activity.id, times(30 * DAY))
    assert again["number"] == 4, "a number is not used again"
    assert (await desk.read())["sessions"] == 3
    admin = await make_administrator(desk.runtime, desk.org.id)
    told = await entries(api, admin, desk.org, subject_type="activity")
    assert [one["fields"] for one in told if one["verb"] == "edited"] == [["sessions"]] * 4


async def test_sessions_are_short_near_and_known(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY)
    for wrong, field in (
        (times(DAY, 25 * HOUR), "sessions.0"),
        (times(DAY, -HOUR), "sessions.0"),
        (times(732 * DAY), "sessions.0.ends_at"),
        (times(-HOUR), "sessions.0.starts_at"),
        (times(DAY) | {"post_id": str(desk.org.id)}, "sessions.0"),
        (times(DAY) | {"post_id": str(desk.org.id), "capacity": 2}, "sessions.0.post_id"),
    ):
        refused = await desk.post("sessions", {"sessions": [wrong]})
        assert_refused(refused, 422, "request.invalid")
        assert [one["field"] for one in refused.json()["errors"]] == [f"body.{field}"]
    for number in ([], [times(DAY)] * 101):
        assert_refused(await desk.post("sessions", {"sessions": number}), 422, "request.invalid")
    unknown = f"{ACTIVITIES}/{desk.activity.id}/sessions/7"
    gone = await desk.api.delete(unknown, headers=desk.organizer.headers)
    assert_refused(gone, 404, "sessions.not_found")


async def test_what_has_begun_or_was_attended_keeps_its_times(desk: Desk) -> None:
    """A session with a check-in keeps both; one that has begun gets another end alone."""
    await desk.open(status=ActivityStatus.draft, starts_at=now() + DAY)
    api, organizer = desk.api, desk.organizer
    wanted = (times(-HOUR / 2, 2 * HOUR), times(DAY), times(2 * DAY), times(-9 * DAY))
    over, begun, attended, ahead = await add_sessions(api, organizer, desk.activity.id, *wanted)
    assert (await desk.post("publish")).status_code == 200
    await attend(desk.runtime, attended, await make_person(desk.runtime))
    kept = {"version": 3}

    async def moved(one: dict[str, Any], **changes: Any) -> httpx.Response:
        return await change(api, organizer, one | kept, **changes)

    later = times(20 * DAY)
    for one, code in ((over, "begun"), (begun, "begun"), (attended, "attended")):
        assert_refused(await moved(one, **later), 409, f"activities.{code}")
        path = f"{ACTIVITIES}/{desk.activity.id}/sessions/{one['number']}"
        deleted = await api.delete(path, headers=organizer.headers)
        assert_refused(deleted, 409, f"activities.{code}")
    to_the_past = await moved(begun, ends_at=(now() - timedelta(minutes=1)).isoformat())
    assert_refused(to_the_past, 422, "request.invalid")
    for one, changes in (
        (attended, {"title": "书法"}),
        (begun, {"ends_at": (now() + HOUR).isoformat()}),
        (ahead, later),
    ):
        reply = await moved(one, **changes)
        assert reply.status_code == 200, reply.text
        kept["version"] += 1
    assert (await desk.read())["phase"] == "running"
    await forget_attendance(desk.runtime, desk.activity.id)


async def test_who_has_signed_up_hears_of_other_times(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY)
    api, organizer, activity = desk.api, desk.organizer, desk.activity
    whole, one_evening = await make_person(desk.runtime), await make_person(desk.runtime)
    await sign_up(desk.runtime, activity, whole)
    first, second = await add_sessions(api, organizer, activity.id, times(DAY), times(8 * DAY))
    await take(desk.runtime, first, one_evening)

    titled = await change(api, organizer, first, title="第一课")
    moved = await change(api, organizer, titled.json(), **times(2 * DAY))
    assert moved.status_code == 200
    too_few = await change(api, organizer, moved.json(), capacity=1)
    assert too_few.status_code == 200, "one place is taken"
    await take(desk.runtime, second, one_evening)
    path = f"{ACTIVITIES}/{activity.id}/sessions"
    assert_refused(await api.delete(f"{path}/2", headers=organizer.headers), 409, "sessions.taken")
    [third] = await add_sessions(api, organizer, activity.id, times(9 * DAY))
    gone = await api.delete(f"{path}/{third['number']}", headers=organizer.headers)
    assert gone.status_code == 204

    told = [one["kind"] for one in await inbox(api, desk.runtime, whole)]
    assert told == [
        *("session_removed", "activity_changed", "session_changed", "activity_changed"),
    ]
    heard = [one["kind"] for one in await inbox(api, desk.runtime, one_evening)]
    assert heard == ["session_changed"]


async def test_other_times_of_a_shift_are_held_by_who_has_a_place(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    desk, first, second = await _two_shifts(api, runtime)
    person = await make_person(runtime)
    for one in (first, second):
        await take(runtime, one, person)
    elsewhere, *_ = await _two_shifts(api, runtime)
    path = f"{ACTIVITIES}/{elsewhere.activity.id}/signups"

    async def signed_up(who: TestPerson, number: int) -> int:
        reply = await api.post(path, headers=who.headers, json={"session": number})
        return reply.status_code

    assert_refused(await change(api, desk.organizer, second, **times(DAY)), 409, "sessions.clash")
    moved = await change(api, desk.organizer, second, **times(DAY + 3 * HOUR))
    assert moved.status_code == 200, moved.text
    assert [await signed_up(person, n) for n in (1, 2)] == [409, 201]
    gone = await desk.post("cancel", {"reason": "暴雨"})
    assert gone.status_code == 200, gone.text
    assert await signed_up(person, 1) == 201, "a cancelled activity holds no time"
    await assert_ledger_verifies(runtime)


async def test_a_greater_capacity_of_a_session_is_given_to_who_waits(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_sessions(runtime, 1, 1, shifts=True, starts_at=now() + DAY, capacity=3)
    organizer = await make_organizer(runtime, activity.org_id)
    crowd = [await make_person(runtime) for _ in range(5)]
    for one in crowd[:4]:
        await sign_up_by(api, activity, one, session=1)
    path = f"{ACTIVITIES}/{activity.id}/sessions"
    shown = (await walk(api, path))[0]

    raised = await change(api, organizer, shown, capacity=3)

    seen = raised.json()
    assert (seen["signups_confirmed"], seen["signups_waitlisted"]) == (3, 1), raised.text
    assert await counters(runtime, activity) == [(3, 1), (3, 1), (0, 0)]
    states = [(await walk(api, "/api/v1/me/signups", one.headers))[0] for one in crowd[:4]]
    assert [one["position"] for one in states] == [None, None, None, 1]
    refused = await change(api, organizer, seen, capacity=2)
    assert_refused(refused, 409, "activities.capacity_taken")
    assert refused.json()["facts"] == {"limit": 2, "used": 3}
    same = await change(api, organizer, seen, capacity=4)
    assert same.json()["signups_waitlisted"] == 1, "the activity has 3 places"
    await assert_ledger_verifies(runtime)


async def test_what_people_signed_up_for_stays(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY, signup_for="session")
    same = {"signup_for": "session", "minimum_attendance": None}
    changes: list[dict[str, Any]] = [
        {"signup_for": "nothing"},
        {"checks_out": True},
        {"minimum_attendance": 2},
        {"rule_key": "theme_study"},
    ]
    [one] = await add_sessions(desk.api, desk.organizer, desk.activity.id, times(DAY))
    content = {name: one[name] for name in ("starts_at", "ends_at")} | same
    content |= {"signup_closes_at": one["ends_at"]}
    free = await desk.edit(version=2, **content | {"checks_out": True})
    assert (free.status_code, free.json()["checks_out"]) == (200, True)
    await desk.edit(version=3, **content)
    by_session = await desk.edit(
        version=4, **content | {"rule_key": "theme_study", "checks_out": True}
    )
    assert_refused(by_session, 422, "request.invalid")
    assert [one["field"] for one in by_session.json()["errors"]] == ["body.checks_out"]

    await take(desk.runtime, one, await make_person(desk.runtime))

    for change_ in changes:
        refused = await desk.edit(version=4, **content | change_)
        assert_refused(refused, 409, "activities.announced")
        assert refused.json()["facts"]["used"] == 1
    tagged = await desk.edit(version=4, **content | {"tags": ["ＡＩ　 Lab", "夜校", "ai lab"]})
    assert (tagged.status_code, tagged.json()["tags"]) == (200, ["ai lab", "夜校"])


async def test_a_running_series_is_still_to_come_and_found_by_its_tag(desk: Desk) -> None:
    """It began weeks ago. Without the series beside the list it would be missing."""
    await desk.open(
        status=ActivityStatus.draft,
        starts_at=now() - 20 * DAY,
        signup_opens_at=now() - 30 * DAY,
        tags="夜校\n书法",
        title="青年夜校",
    )
    api, organizer = desk.api, desk.organizer
    await add_sessions(
        api, organizer, desk.activity.id, times(-20 * DAY), times(2 * DAY), times(9 * DAY)
    )
    assert (await desk.post("publish")).status_code == 200
    soon = await make_activity(desk.runtime, org=desk.org, starts_at=now() + DAY)
    old = await make_activity(desk.runtime, org=desk.org, starts_at=now() - 20 * DAY, tags="书法")
    series = str(desk.activity.id)

    async def found(**query: Any) -> list[str]:
        items = await walk(api, ACTIVITIES, org_id=str(desk.org.id), **query)
        return [one["id"] for one in items]

    assert await found(upcoming="true") == [series, str(soon.id)]
    assert await found(upcoming="true", limit=1) == [series, str(soon.id)]
    assert await found(upcoming="true", q="夜校") == [series]
    assert await found(upcoming="true", q="植树") == [str(soon.id)]
    assert await found(upcoming="true", tag="夜校") == [series]
    assert await found(upcoming="true", sort="newest") == [str(soon.id), series]
    assert sorted(await found(tag="书法")) == sorted([series, str(old.id)])
    assert await found(tag="书法", q="植树") == [str(old.id)]
    assert await found(tag="书法", category="health") == await found(tag="没有") == []


async def test_a_copy_has_the_posts_and_sessions_at_the_new_time(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY)
    posted = await desk.post("posts", {"name": "入口", "skills": ["英语"]})
    shift = times(2 * DAY) | {"post_id": posted.json()["id"], "capacity": 2}
    first, _, third = await add_sessions(
        desk.api, desk.organizer, desk.activity.id, times(DAY), shift, times(40 * DAY)
    )
    path = f"{ACTIVITIES}/{desk.activity.id}/sessions/{first['number']}"
    await desk.api.delete(path, headers=desk.organizer.headers)
    start = now() + 100 * DAY

    copied = await desk.post("copies", {"starts_at": start.isoformat()})

    assert copied.status_code == 201, copied.text
    path = f"{ACTIVITIES}/{copied.json()['id']}"
    listed = await walk(desk.api, f"{path}/sessions", desk.organizer.headers)
    assert [one["number"] for one in listed] == [1, 2]
    assert moment(listed[0]["starts_at"]) == start
    shifted = moment(listed[1]["ends_at"]) - moment(third["ends_at"])
    assert shifted == start - moment(shift["starts_at"])
    [post] = await walk(desk.api, f"{path}/posts", desk.organizer.headers)
    assert (post["name"], post["skills"]) == ("入口", ["英语"])
    assert listed[0]["post_id"] == post["id"] != posted.json()["id"]
    assert (await desk.api.get(path, headers=desk.organizer.headers)).json()["sessions"] == 2
    assert (await desk.api.delete(path, headers=desk.organizer.headers)).status_code == 204


async def test_a_series_is_complete_with_enough_sessions(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY, minimum_attendance=2)
    person = await make_person(desk.runtime)
    made = await add_sessions(
        desk.api, desk.organizer, desk.activity.id, *(times(n * DAY) for n in (1, 2, 3))
    )
    path, seen = f"{ACTIVITIES}/{desk.activity.id}/my-series", []
    for one in made[:2]:
        await attend(desk.runtime, one, person)
        seen.append((await desk.api.get(path, headers=person.headers)).json())
    assert [(one["attended"], one["needed"], one["is_reached"]) for one in seen] == [
        *((1, 2, False), (2, 2, True)),
    ]
    await forget_attendance(desk.runtime, desk.activity.id)


async def test_drafts_keep_their_sessions_to_themselves(desk: Desk) -> None:
    await desk.open(status=ActivityStatus.draft, starts_at=now() + DAY)
    await add_sessions(desk.api, desk.organizer, desk.activity.id, times(DAY))
    person = await make_person(desk.runtime)
    for noun in ("sessions", "posts", "rota", "my-series"):
        path = f"{ACTIVITIES}/{desk.activity.id}/{noun}"
        unseen = await desk.api.get(path, headers=person.headers)
        assert_refused(unseen, 404, "activities.not_found")
    key = keyed(person)
    path = f"{ACTIVITIES}/{desk.activity.id}/sessions"
    refused = await desk.api.post(path, headers=key, json={"sessions": [times(DAY)]})
    assert_refused(refused, 403, "auth.forbidden")
