"""Posts and rotas: shifts by weekday, what they need and have, and names for organizers."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.core.clock import local_date, midnight, now
from app.models.activities import ActivityStatus
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused, walk
from tests.factories.organizing import Desk
from tests.factories.people import make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.sessions import ACTIVITIES, DAY, add_post, add_sessions, take, times
from tests.routers.test_co_organizers import add as add_co_organizer
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation     rule    nobody alice bob  counter rival sibling parent auditor admin outsider
createPost    person  401    403   403  403     403   404     201+   403     201+  404       404=activities.not_found
listPosts     anyone  200    200   200  200     200   200     200    200     200   200
editPost      person  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
deletePost    person  401    403   403  403     403   404     204+   403     204+  404       404=activities.not_found
createShifts  person  401    403   403  403     403   404     201+   403     201+  404       404=activities.not_found
getRota       anyone  200    200+  200  200     200   200     200+   200+    200+  200
"""  # noqa: E501 - a table
BESIDE_POINTS = {"posts"}
BEYOND_THE_SCHEMA = {
    "request.precondition_failed",
    "body",  # one day before another, a post twice
    "body.posts",  # of the activity
    "body.weekdays",
    "body.since",
    "body.until",
    "query.since",
    "query.until",
    "activities.wrong_state",
    "sessions.too_many",
    "posts.there",
    "posts.used",
}


def rota(*posts: str, **changes: Any) -> dict[str, Any]:
    """Return a rota of two weeks from tomorrow on, on all days."""
    first = local_date(now()) + DAY
    body = {
        "weekdays": [*range(1, 8)],
        "since": first.isoformat(),
        "until": (first + timedelta(days=13)).isoformat(),
        "starts_at": "08:30",
        "ends_at": "11:30",
        "posts": [{"post_id": post, "needed": 2} for post in posts],
    }
    return body | changes


async def _draft(world: World) -> Ask:
    activity = await make_activity(
        world.runtime, org=world.home, status=ActivityStatus.draft, starts_at=now() + DAY
    )
    return Ask({"activity_id": str(activity.id)}, {"name": "入口"})


async def _with_post(world: World) -> Ask:
    ask = await _draft(world)
    organizer = await make_organizer(world.runtime, world.home.id)
    post = await add_post(world.api, organizer, ask.ids["activity_id"])
    matched = {"If-Match": f'"{post["version"]}"'}
    return Ask(ask.ids | {"post_id": post["id"]}, {"name": "出口"}, headers=matched)


async def _rota(world: World) -> Ask:
    ask = await _with_post(world)
    return Ask(ask.ids, rota(ask.ids["post_id"]))


async def _held(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home, starts_at=now() + DAY)
    organizer = await make_organizer(world.runtime, world.home.id)
    post = await add_post(world.api, organizer, activity.id)
    shift = times(world.free_time()) | {"post_id": post["id"], "capacity": 2}
    [made] = await add_sessions(world.api, organizer, activity.id, shift)
    await take(world.runtime, made, world.alice)
    return Ask({"activity_id": str(activity.id)})


REQUESTS = {
    "createPost": _draft,
    "listPosts": _held,
    "editPost": _with_post,
    "deletePost": _with_post,
    "createShifts": _rota,
    "getRota": _held,
}


async def known(setup: Setup) -> Known:
    made = [
        await make_activity(setup.runtime, org=setup.org, status=ActivityStatus.draft)
        for _ in range(FEW)
    ]
    posts = [await add_post(setup.api, setup.organizer, one.id) for one in made]
    return {"activity_id": [str(one.id) for one in made], "post_id": [one["id"] for one in posts]}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        if "weekdays" in body:
            given = body.get("posts")
            posts = (
                [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
            )
            body.update(rota(*(one["post_id"] for one in posts[:1] if "post_id" in one)))

    return complete


@pytest.fixture
def desk(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    return Desk(api, runtime)


async def _too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open(starts_at=now() + DAY)
    for n in range(50):
        await add_post(api, desk.organizer, desk.activity.id, f"{n}")
    path, facts = f"/activities/{desk.activity.id}/posts", {"limit": 50, "used": 50}
    return Refused(desk.organizer, "POST", path, facts, {"name": "出口"})


async def _used(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await Desk(api, runtime).open(starts_at=now() + DAY)
    post = await add_post(api, desk.organizer, desk.activity.id)
    shift = times(DAY) | {"post_id": post["id"], "capacity": 2}
    await add_sessions(api, desk.organizer, desk.activity.id, shift)
    path = f"/activities/{desk.activity.id}/posts/{post['id']}"
    return Refused(desk.organizer, "DELETE", path, {"used": 1})


REFUSED = {"posts.too_many": _too_many, "posts.used": _used}


async def test_a_rota_makes_the_shifts_of_its_weekdays(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY, signup_for="session")
    gate, aid = [
        await add_post(desk.api, desk.organizer, desk.activity.id, name)
        for name in ("入口", "急救")
    ]
    first = local_date(now()) + DAY
    weekend = rota(gate["id"], aid["id"], weekdays=[6, 7], starts_at="22:00", ends_at="06:00")

    made = await desk.post("shifts", weekend)

    assert made.status_code == 201, made.text
    assert made.json() | {"activity_id": None} == {
        "activity_id": None,
        "created": 8,
        "first_number": 1,
        "last_number": 8,
    }
    days = [first + timedelta(days=n) for n in range(14)]
    starts = [midnight(day) + timedelta(hours=22) for day in days if day.isoweekday() > 5]
    shown = await desk.read()
    listed = await walk(desk.api, f"{ACTIVITIES}/{desk.activity.id}/sessions", post_id=gate["id"])
    assert shown["sessions"] == 8
    assert [one["starts_at"] for one in listed] == [
        one.isoformat().replace("+00:00", "Z") for one in starts
    ]
    assert shown["ends_at"] == listed[-1]["ends_at"]
    helper, other = await make_person(desk.runtime), await make_person(desk.runtime, "李小五")
    for person in (helper, other):
        await take(desk.runtime, listed[0], person)
    organizes = await make_person(desk.runtime)
    await add_co_organizer(desk.api, desk.organizer, desk.activity.id, organizes)
    path = f"{ACTIVITIES}/{desk.activity.id}/rota"
    query = {"since": first.isoformat(), "until": days[-1].isoformat()}
    seen = {
        who: (await desk.api.get(path, headers=headers, params=query)).json()["days"]
        for who, headers in (
            ("organizer", organizes.headers),
            ("helper", helper.headers),
            ("nobody", {}),
            ("resident", (await make_person(desk.runtime)).headers),
        )
    }
    for rows in seen.values():
        assert [one["day"] for one in rows] == [
            day.isoformat() for day in days if day.isoweekday() > 5
        ]
        assert [(one["needed"], one["confirmed"]) for one in rows] == [(4, 2), *[(4, 0)] * 3]
    by_post = {one["post_name"]: one["holders"] for one in seen["organizer"][0]["shifts"]}
    named = {name: [one["display_name"] for one in held] for name, held in by_post.items()}
    assert {name: len(held) for name, held in named.items()} == {"入口": 2, "急救": 0}
    [masked] = [one["holders"] for one in seen["helper"][0]["shifts"] if one["holders"]]
    assert sorted(one["display_name"] for one in masked) == ["李*五", "王*四"]
    assert {one["person_id"] for one in masked} == {None}
    for who in ("resident", "nobody"):
        assert {one["holders"] for row in seen[who] for one in row["shifts"]} == {None}


async def test_rotas_that_make_no_sense_are_refused(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY)
    post = (await add_post(desk.api, desk.organizer, desk.activity.id))["id"]
    today = local_date(now())
    sunday = today + timedelta(days=14 - today.isoweekday())
    wrong: dict[str, dict[str, Any]] = {
        "body": {"until": today.isoformat()},
        "body.weekdays": {
            "weekdays": [1],
            "since": sunday.isoformat(),
            "until": sunday.isoformat(),
        },
        "body.since": {"since": (today - DAY).isoformat()},
        "body.until": {
            "weekdays": [today.isoweekday()],
            "since": (today + timedelta(days=700)).isoformat(),
            "until": (today + timedelta(days=760)).isoformat(),
        },
        "body.posts.0.post_id": {"posts": [{"post_id": str(uuid4()), "needed": 1}]},
        "body.posts": {"posts": []},
        "body.starts_at": {"starts_at": "24:00"},
    }
    for field, changes in wrong.items():
        refused = await desk.post("shifts", rota(post, **changes))
        assert_refused(refused, 422, "request.invalid")
        assert [one["field"] for one in refused.json()["errors"]] == [field]
    year = {"until": (today + timedelta(days=401)).isoformat()}
    too_many = await desk.post("shifts", rota(post, **year))
    assert_refused(too_many, 409, "sessions.too_many")
    path = f"{ACTIVITIES}/{desk.activity.id}/rota"
    for query in (
        {"since": str(today), "until": str(today + timedelta(days=31))},
        {"until": str(today - DAY)},
        {"since": str(date.max)},
        {"since": str(date.min)},
    ):
        assert_refused(await desk.api.get(path, params=query), 422, "request.invalid")


async def test_posts_are_edited_by_name_and_deleted_without_shifts(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY)
    gate = await add_post(desk.api, desk.organizer, desk.activity.id, "入口")
    aid = await add_post(desk.api, desk.organizer, desk.activity.id, "急救")
    path = f"{ACTIVITIES}/{desk.activity.id}/posts"
    assert_refused(await desk.post("posts", {"name": "入口"}), 409, "posts.there")

    async def renamed(name: str, version: int) -> httpx.Response:
        headers = desk.organizer.headers | {"If-Match": f'"{version}"'}
        body = {"name": name, "skills": ["AED"]}
        return await desk.api.put(f"{path}/{aid['id']}", headers=headers, json=body)

    assert_refused(await renamed("医疗", gate["version"]), 412, "request.precondition_failed")
    assert_refused(await renamed("入口", aid["version"]), 409, "posts.there")
    done = await renamed("医疗", aid["version"])
    assert (done.status_code, done.json()["skills"]) == (200, ["AED"])
    gone = await desk.api.delete(f"{path}/{gate['id']}", headers=desk.organizer.headers)
    assert gone.status_code == 204
    assert [one["name"] for one in await walk(desk.api, path)] == ["医疗"]
    again = await desk.api.delete(f"{path}/{gate['id']}", headers=desk.organizer.headers)
    assert_refused(again, 404, "posts.not_found")
