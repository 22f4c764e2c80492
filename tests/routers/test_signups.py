"""Sign-ups: a place, or one in the waiting list."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine

from app.core.clock import now
from app.jobs.outbox import relay
from app.models.activities import Activity, ActivityStatus
from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity
from tests.factories.http import assert_refused, walk
from tests.factories.people import TestPerson, make_people, make_person
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation      rule    nobody alice bob  counter rival sibling parent auditor admin outsider
signUp         person  401    201+  201  201     201   201     201    201     201   201
cancelSignup   person  401    204   404  404     404   404     404    404     404   404       404=signups.not_found
listMySignups  person  401    200+  200  200     200   200     200    200     200   200
"""  # noqa: E501 - a table
HERS = dict.fromkeys(("signups", "shift_holds", "no_shows", "signup_pauses"), "person_id = :alice")
BESIDE_POINTS = {"no_shows", "signup_pauses"}
# A new activity is a draft, of which nobody is told who would sign up: it is not found yet.
HIDDEN_AT_FIRST = {"signUp"}


async def _sign_up(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    return Ask({"activity_id": str(activity.id)})


async def _signed_up(world: World) -> Ask:
    path = f"activities/{(await _sign_up(world)).ids['activity_id']}/signups"
    return Ask({"signup_id": (await world.post("alice", path, {}))["id"]})


async def _my_signups(world: World) -> Ask:
    await _signed_up(world)
    return Ask()


REQUESTS = {"signUp": _sign_up, "cancelSignup": _signed_up, "listMySignups": _my_signups}


async def known(setup: Setup) -> Known:
    made = [await make_activity(setup.runtime, org=setup.org) for _ in range(FEW)]
    signups = [await setup.post(setup.caller, f"/activities/{one.id}/signups") for one in made]
    return {"signup_id": [signup["id"] for signup in signups]}


async def sign_up(api: httpx.AsyncClient, activity: Activity, person: TestPerson) -> httpx.Response:
    return await api.post(
        f"{API}/activities/{activity.id}/signups", headers=person.headers, json={}
    )


async def cancel(
    api: httpx.AsyncClient, person: TestPerson, signup: dict[str, Any]
) -> httpx.Response:
    return await api.delete(f"{API}/signups/{signup['id']}", headers=person.headers)


async def mine(api: httpx.AsyncClient, person: TestPerson) -> list[dict[str, Any]]:
    return await walk(api, f"{API}/me/signups", person.headers)


async def counters(api: httpx.AsyncClient, activity: Activity) -> tuple[int, int]:
    body = (await api.get(f"{API}/activities/{activity.id}")).json()
    return body["signups_confirmed"], body["signups_waitlisted"]


async def test_with_room_a_sign_up_is_confirmed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)

    response = await sign_up(api, activity, person)

    assert response.status_code == 201
    body = response.json()
    assert (body["status"], body["position"]) == ("confirmed", None)
    assert body["activity_id"] == str(activity.id)
    [listed] = await mine(api, person)
    assert body.items() <= listed.items()


async def test_without_room_people_wait_in_order(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime, capacity=1)
    people = await make_people(runtime, 4)

    replies = [await sign_up(api, activity, person) for person in people]

    assert [(r.status_code, r.json()["status"], r.json()["position"]) for r in replies] == [
        (201, "confirmed", None),
        (201, "waitlisted", 1),
        (201, "waitlisted", 2),
        (201, "waitlisted", 3),
    ]
    assert await counters(api, activity) == (1, 3)


async def test_a_repeat_returns_the_same_sign_up(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime, capacity=1)
    first, second = await make_people(runtime, 2)

    for person in (first, second):
        made = await sign_up(api, activity, person)
        again = await sign_up(api, activity, person)
        assert (made.status_code, again.status_code) == (201, 200)
        assert again.json() == made.json()

    assert await counters(api, activity) == (1, 1)


async def test_a_place_given_back_goes_to_the_first_who_waits_and_they_are_told(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, capacity=2, title="夜校插花课")
    people = await make_people(runtime, 5)
    signups = [(await sign_up(api, activity, person)).json() for person in people]

    assert (await cancel(api, people[0], signups[0])).status_code == 204
    await relay(runtime)

    states = [(await mine(api, person))[0] for person in people]
    assert [(s["status"], s["position"]) for s in states] == [
        ("cancelled", None),
        ("confirmed", None),
        ("confirmed", None),
        ("waitlisted", 1),
        ("waitlisted", 2),
    ]
    assert await counters(api, activity) == (2, 2)
    notices = await walk(api, f"{API}/me/notices", people[2].headers)
    assert [notice["kind"] for notice in notices] == ["promoted"]
    assert "夜校插花课" in notices[0]["text"]
    assert await walk(api, f"{API}/me/notices", people[3].headers) == []


async def test_places_are_passed_on_in_the_order_of_the_list(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, capacity=1)
    people = await make_people(runtime, 4)
    signups = [(await sign_up(api, activity, person)).json() for person in people]

    for leaving, next_one in ((0, 1), (1, 2), (2, 3)):
        await cancel(api, people[leaving], signups[leaving])
        assert (await mine(api, people[next_one]))[0]["status"] == "confirmed"
        assert (await counters(api, activity))[0] == 1


async def test_who_stops_waiting_is_not_promoted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime, capacity=1)
    people = await make_people(runtime, 3)
    signups = [(await sign_up(api, activity, person)).json() for person in people]

    await cancel(api, people[1], signups[1])
    moved_up = (await mine(api, people[2]))[0]
    await cancel(api, people[0], signups[0])

    assert moved_up["position"] == 1
    assert (await mine(api, people[1]))[0]["status"] == "cancelled"
    assert (await mine(api, people[2]))[0]["status"] == "confirmed"
    assert await counters(api, activity) == (1, 0)


async def test_cancelling_twice_frees_one_place(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime, capacity=2)
    people = await make_people(runtime, 2)
    signups = [(await sign_up(api, activity, person)).json() for person in people]

    first = await cancel(api, people[0], signups[0])
    second = await cancel(api, people[0], signups[0])

    assert (first.status_code, second.status_code) == (204, 204)
    assert await counters(api, activity) == (1, 0)


async def test_who_comes_back_goes_to_the_end_of_the_line(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, capacity=1)
    people = await make_people(runtime, 3)
    signups = [(await sign_up(api, activity, person)).json() for person in people]
    await cancel(api, people[0], signups[0])

    back = await sign_up(api, activity, people[0])

    assert back.status_code == 201
    assert back.json()["id"] != signups[0]["id"]
    assert (back.json()["status"], back.json()["position"]) == ("waitlisted", 2)
    assert (await mine(api, people[1]))[0]["status"] == "confirmed"


async def test_anothers_sign_up_cannot_be_cancelled(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime)
    alice, bob = await make_people(runtime, 2)
    signup = (await sign_up(api, activity, alice)).json()

    response = await cancel(api, bob, signup)

    assert_refused(response, 404, "signups.not_found")
    assert (await mine(api, alice))[0]["status"] == "confirmed"


async def test_who_has_checked_in_keeps_the_place(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)
    signup = (await sign_up(api, activity, person)).json()
    await api.post(
        f"{API}/checkins", headers=person.headers, json={"code": current_code(runtime, activity)}
    )

    assert_refused(await cancel(api, person, signup), 409, "signups.checked_in")
    assert (await mine(api, person))[0]["status"] == "confirmed"


@pytest.mark.parametrize(
    "begun", [timedelta(0), timedelta(minutes=10)], ids=["at the start", "after the end"]
)
async def test_after_the_start_a_place_stays_and_nobody_is_promoted(
    api: httpx.AsyncClient, runtime: Runtime, begun: timedelta
) -> None:
    activity = await make_activity(runtime, capacity=1, hours=0.1)
    holder, waiting = await make_people(runtime, 2)
    place, queued = [(await sign_up(api, activity, one)).json() for one in (holder, waiting)]

    with time_machine.travel(activity.starts_at + begun, tick=False):
        refused = await cancel(api, holder, place)
        left = await cancel(api, waiting, queued)

    assert_refused(refused, 409, "signups.too_late_to_cancel")
    assert datetime.fromisoformat(refused.json()["facts"]["closes_at"]) == activity.starts_at
    assert left.status_code == 204, "who only waits may leave"
    assert (await mine(api, holder))[0]["status"] == "confirmed"
    assert await counters(api, activity) == (1, 0)


async def test_what_was_cancelled_in_time_stays_so(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)
    signup = (await sign_up(api, activity, person)).json()
    await cancel(api, person, signup)

    with time_machine.travel(activity.starts_at, tick=False):
        assert (await cancel(api, person, signup)).status_code == 204


async def test_nobody_is_promoted_into_a_cancelled_activity(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, capacity=1)
    people = await make_people(runtime, 2)
    signups = [(await sign_up(api, activity, one)).json() for one in people]
    async with runtime.database.transaction() as tx:
        await tx.fetch(
            "UPDATE activities SET status = 'cancelled' WHERE id = :id", {"id": activity.id}
        )

    assert (await cancel(api, people[0], signups[0])).status_code == 204
    assert (await mine(api, people[1]))[0]["status"] == "waitlisted"
    assert await counters(api, activity) == (0, 1)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (
            {"signup_opens_at": timedelta(minutes=5), "signup_closes_at": timedelta(hours=1)},
            "报名尚未开始",
        ),
        (
            {"signup_opens_at": timedelta(hours=-3), "signup_closes_at": timedelta(minutes=-1)},
            "报名已截止",
        ),
    ],
    ids=["before it opens", "after it closed"],
)
async def test_outside_its_time_sign_up_is_closed(
    api: httpx.AsyncClient, runtime: Runtime, times: dict[str, timedelta], said: str
) -> None:
    moment = now()
    activity = await make_activity(
        runtime,
        starts_at=moment + timedelta(hours=2),
        signup_opens_at=moment + times["signup_opens_at"],
        signup_closes_at=moment + times["signup_closes_at"],
    )

    response = await sign_up(api, activity, await make_person(runtime))

    assert_refused(response, 409, "signups.closed")
    assert response.json()["msg"] == said
    assert await counters(api, activity) == (0, 0)


async def test_only_a_published_activity_that_is_not_over_is_open(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    over = await make_activity(runtime, starts_at=now() - timedelta(hours=3), hours=2)
    cancelled = await make_activity(runtime, status=ActivityStatus.cancelled)

    for activity, said in ((over, "活动已结束"), (cancelled, "活动已取消")):
        refused = await sign_up(api, activity, person)
        assert_refused(refused, 409, "activities.not_open")
        assert refused.json()["msg"] == said


async def test_a_draft_does_not_exist_for_residents(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """GET says 404 of a draft: signing up must not tell that it is there."""
    activity = await make_activity(runtime, status=ActivityStatus.draft)

    response = await sign_up(api, activity, await make_person(runtime))

    assert_refused(response, 404, "activities.not_found")


async def test_an_unknown_activity_is_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)

    response = await api.post(
        f"{API}/activities/{person.id}/signups", headers=person.headers, json={}
    )

    assert_refused(response, 404, "activities.not_found")


async def test_a_raised_capacity_is_for_those_who_wait_not_for_who_comes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Nobody overtakes, even while a seat is free for a moment."""
    activity = await make_activity(runtime, capacity=1)
    people = await make_people(runtime, 3)
    for person in people[:2]:
        await sign_up(api, activity, person)
    async with runtime.database.transaction() as tx:
        row = await tx.get(Activity, activity.id)
        assert row is not None
        row.capacity = 2
        tx.add(row)

    late = (await sign_up(api, activity, people[2])).json()

    assert (late["status"], late["position"]) == ("waitlisted", 2)


async def test_my_signups_are_paged_newest_first(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    made = []
    for _ in range(5):
        activity = await make_activity(runtime)
        made.append((await sign_up(api, activity, person)).json())

    found = await walk(api, f"{API}/me/signups", person.headers, limit=2)

    assert [one["id"] for one in found] == [one["id"] for one in made[::-1]]


async def test_a_login_is_needed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime)

    response = await api.post(f"{API}/activities/{activity.id}/signups", json={})

    assert_refused(response, 401, "auth.login_required")
    assert await counters(api, activity) == (0, 0)
