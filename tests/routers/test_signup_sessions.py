"""Sign-ups to single sessions, and to shifts, of which no two of one person overlap."""

from datetime import datetime, timedelta

import httpx
import time_machine

from app.core.clock import now
from app.models.activities import SignupFor
from app.runtime import Runtime
from tests.factories.activities import edit, edit_body, make_activity
from tests.factories.http import assert_refused, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_people, make_person
from tests.factories.signup_terms import cancel_by, counters, make_sessions, sign_up_by

API = "/api/v1"
AN_HOUR = timedelta(hours=1)


async def test_each_session_has_places_and_a_waiting_list_of_its_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_sessions(runtime, 1, 2)
    one, two, three = await make_people(runtime, 3)

    first = [(await sign_up_by(api, activity, who, session=1)).json() for who in (one, two, three)]
    second = (await sign_up_by(api, activity, one, session=2)).json()
    again = await sign_up_by(api, activity, one, session=2)

    assert [(s["session"], s["status"], s["position"]) for s in (*first, second)] == [
        (1, "confirmed", None),
        (1, "waitlisted", 1),
        (1, "waitlisted", 2),
        (2, "confirmed", None),
    ]
    assert (again.status_code, again.json()) == (200, second)
    assert await counters(runtime, activity) == [(2, 2), (1, 2), (1, 0)]

    assert (await cancel_by(api, one, first[0]["id"])).status_code == 204

    assert await counters(runtime, activity) == [(2, 1), (1, 1), (1, 0)]
    [listed] = await walk(api, f"{API}/me/signups", two.headers)
    assert (listed["session"], listed["status"]) == (1, "confirmed")
    assert datetime.fromisoformat(listed["session_starts_at"]) == activity.starts_at
    mine = (await api.get(f"{API}/activities/{activity.id}", headers=one.headers)).json()["mine"]
    assert [(s["session"], s["status"]) for s in mine["signups"]] == [(2, "confirmed")]
    assert (mine["may_sign_up"], mine["reason"]) == (True, None)
    assert (await inbox(api, runtime, two))[0]["kind"] == "promoted"
    await assert_ledger_verifies(runtime)


async def test_an_activity_bounds_its_sessions_and_passes_a_place_to_another_one(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_sessions(runtime, 2, 2, org=org, capacity=2)
    people = await make_people(runtime, 4)
    wanted = zip(people, (1, 1, 2, 2), strict=True)

    made = [(await sign_up_by(api, activity, who, session=n)).json() for who, n in wanted]
    assert [one["status"] for one in made] == ["confirmed"] * 2 + ["waitlisted"] * 2
    assert (await cancel_by(api, people[0], made[0]["id"])).status_code == 204
    assert await counters(runtime, activity) == [(2, 1), (1, 0), (1, 1)]

    body = edit_body(activity, capacity=1, waitlist_latest=True)
    assert (await edit(api, organizer, activity, body)).status_code == 200
    assert await counters(runtime, activity) == [(1, 2), (1, 0), (0, 2)]
    body = edit_body(activity, capacity=4)
    assert (await edit(api, organizer, activity, body, 2)).status_code == 200
    assert await counters(runtime, activity) == [(3, 0), (1, 0), (2, 0)]
    await assert_ledger_verifies(runtime)


async def test_who_leaves_the_waiting_list_keeps_no_place_free(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """One place is free, and the first who waits needs two."""
    activity = await make_sessions(runtime, 2, signup_terms={"friends": 1})
    people = await make_people(runtime, 4)
    friends = (0, 0, 1, 0)
    made = [
        (await sign_up_by(api, activity, who, session=1, friends=n)).json()["id"]
        for who, n in zip(people, friends, strict=True)
    ]
    await cancel_by(api, people[0], made[0])
    assert await counters(runtime, activity) == [(1, 2), (1, 2)]

    assert (await cancel_by(api, people[2], made[2])).status_code == 204

    assert await counters(runtime, activity) == [(2, 0), (2, 0)]
    assert (await inbox(api, runtime, people[3]))[0]["kind"] == "promoted"


async def test_what_is_signed_up_for_must_be_named(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    sessions = await make_sessions(runtime, 1, 1)
    whole = await make_activity(runtime)
    walk_in = await make_activity(runtime, signup_for=SignupFor.nothing)
    person = await make_person(runtime)

    for activity, body in ((sessions, {}), (sessions, {"session": 3}), (whole, {"session": 1})):
        refused = await sign_up_by(api, activity, person, **body)
        assert_refused(refused, 409, "signups.session_unknown")
        assert refused.json()["facts"] == {"signup_for": activity.signup_for}
    assert_refused(await sign_up_by(api, walk_in, person), 409, "signups.not_needed")
    for wrong in ({"session": -1}, {"session": "1"}, {"seat": 1}):
        assert_refused(await sign_up_by(api, sessions, person, **wrong), 422, "request.invalid")

    with time_machine.travel(sessions.starts_at, tick=False):
        begun = await sign_up_by(api, sessions, person, session=1)
        later = await sign_up_by(api, sessions, person, session=2)
    assert_refused(begun, 409, "signups.closed")
    assert datetime.fromisoformat(begun.json()["facts"]["closes_at"]) == sessions.starts_at
    assert later.status_code == 201


async def test_a_place_is_given_back_until_its_session_begins(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_sessions(runtime, 1, 1)
    holder, waiting = await make_people(runtime, 2)
    made = [(await sign_up_by(api, activity, holder, session=n)).json()["id"] for n in (1, 2)]
    await sign_up_by(api, activity, waiting, session=1)

    with time_machine.travel(activity.starts_at, tick=False):
        assert_refused(await cancel_by(api, holder, made[0]), 409, "signups.too_late_to_cancel")
        assert (await cancel_by(api, holder, made[1])).status_code == 204


async def test_no_two_shifts_of_one_person_overlap(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    gate = await make_sessions(runtime, 2, 2, shifts=True, title="入口")
    aid = await make_sessions(runtime, 2, shifts=True, starts_at=gate.starts_at + AN_HOUR / 2)
    free = await make_sessions(
        runtime, 2, shifts=True, starts_at=gate.starts_at, signup_terms={"no_clash": False}
    )
    person = await make_person(runtime)
    held = (await sign_up_by(api, gate, person, session=1)).json()["id"]

    refused = await sign_up_by(api, aid, person, session=1)

    assert_refused(refused, 409, "signups.clash")
    facts = refused.json()["facts"]
    assert (facts["activity_id"], facts["activity"], facts["session"]) == (str(gate.id), "入口", 1)
    assert datetime.fromisoformat(facts["starts_at"]) == gate.starts_at
    assert (await counters(runtime, aid))[0] == (0, 0)
    assert (await sign_up_by(api, gate, person, session=2)).status_code == 201
    assert (await sign_up_by(api, free, person, session=1)).status_code == 201
    assert (await cancel_by(api, person, held)).status_code == 204
    assert (await sign_up_by(api, aid, person, session=1)).status_code == 201
    await assert_ledger_verifies(runtime)


async def test_who_has_another_shift_by_then_is_passed_over(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    gate = await make_sessions(runtime, 1, shifts=True, title="入口")
    aid = await make_sessions(runtime, 1, shifts=True, starts_at=gate.starts_at)
    holder, busy, idle = await make_people(runtime, 3)
    place = (await sign_up_by(api, gate, holder, session=1)).json()["id"]
    waits = [(await sign_up_by(api, gate, one, session=1)).json() for one in (busy, idle)]
    assert [one["position"] for one in waits] == [1, 2]
    other = (await sign_up_by(api, aid, busy, session=1)).json()
    assert other["status"] == "confirmed"

    await cancel_by(api, holder, place)

    assert (await walk(api, f"{API}/me/signups", idle.headers))[0]["status"] == "confirmed"
    assert await counters(runtime, gate) == [(1, 1), (1, 1)]
    assert now() < gate.starts_at
