"""Where an organizer approves sign-ups, they hold no place until then."""

from types import SimpleNamespace
from typing import Any

import httpx

from app.models.activities import Activity
from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_people
from tests.factories.signup_terms import (
    cancel_by,
    counters,
    decide_by,
    make_sessions,
    sign_up_by,
)
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation     rule    nobody alice bob  counter rival sibling parent auditor admin outsider
decideSignup  person  401    403   403  403     403   404     200+   403     200+  404       404=signups.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {
    "body",  # a reason, if it is declined
    "signups.decided",
    "signups.own",
    "signups.clash",
    "activities.not_open",
}
APPROVED = {"needs_approval": True}


async def _ask(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home, signup_terms=APPROVED)
    made = await sign_up_by(world.api, activity, world.alice)
    return Ask({"signup_id": made.json()["id"]}, {"approved": True, "reason": None})


REQUESTS = {"decideSignup": _ask}


async def known(setup: Setup) -> Known:
    activity = await make_activity(setup.runtime, org=setup.org, signup_terms=APPROVED)
    made = [await sign_up_by(setup.api, activity, one) for one in setup.others[:FEW]]
    return {"signup_id": [one.json()["id"] for one in made]}


async def make(
    runtime: Runtime, people: int, **activity: Any
) -> tuple[Activity, TestPerson, list[TestPerson]]:
    org = activity.pop("org", None) or await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    made = await make_activity(runtime, org=org, **{"signup_terms": APPROVED} | activity)
    return made, organizer, await make_people(runtime, people)


async def test_who_is_approved_gets_a_place_or_waits(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity, organizer, people = await make(runtime, 3, capacity=1)
    made = [(await sign_up_by(api, activity, one)).json() for one in people]
    assert [(one["status"], one["position"]) for one in made] == [("pending", None)] * 3
    assert await counters(runtime, activity) == [(0, 0)]
    code = {"code": current_code(runtime, activity)}
    early = await api.post(f"{API}/checkins", headers=people[0].headers, json=code)
    assert_refused(early, 403, "checkins.not_signed_up")
    assert early.json()["facts"] == {"status": "pending", "position": None}

    one, two = [await decide_by(api, organizer, signup["id"], approved=True) for signup in made[:2]]
    three = await decide_by(api, organizer, made[2]["id"], approved=False, reason="名额留给新居民")

    assert [(d.json()["status"], d.json()["position"]) for d in (one, two, three)] == [
        ("confirmed", None),
        ("waitlisted", 1),
        ("declined", None),
    ]
    assert await counters(runtime, activity) == [(1, 1)]
    told = [(await inbox(api, runtime, one))[0] for one in people]
    kinds = [one["kind"] for one in told]
    assert kinds == ["signup_approved", "signup_approved", "signup_declined"]
    assert "候补" in told[1]["text"]
    assert "候补" not in told[0]["text"]
    assert "名额留给新居民" in told[2]["text"]
    admin = await make_administrator(runtime, activity.org_id)
    org = SimpleNamespace(id=activity.org_id)
    [entry] = await entries(api, admin, org, subject=f"signup:{made[2]['id']}")
    assert (entry["verb"], entry["reason"]) == ("rejected", "名额留给新居民")

    again = await decide_by(api, organizer, made[0]["id"], approved=False, reason="x")
    assert_refused(again, 409, "signups.decided")
    back = await sign_up_by(api, activity, people[2])
    assert (back.status_code, back.json()["status"]) == (200, "declined")
    refused = await cancel_by(api, people[2], made[2]["id"])
    assert_refused(refused, 409, "signups.declined")
    assert (await walk(api, f"{API}/me/signups", people[2].headers))[0]["status"] == "declined"
    await assert_ledger_verifies(runtime)


async def test_nobody_approves_oneself_nor_what_is_over_nor_a_clash(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    activity, _, [person] = await make(runtime, 1, org=org)
    organizer = await make_organizer(runtime, org.id)
    own = (await sign_up_by(api, activity, organizer)).json()["id"]
    assert_refused(await decide_by(api, organizer, own, approved=True), 403, "signups.own")
    bare = await decide_by(api, organizer, own, approved=False)
    assert_refused(bare, 422, "request.invalid")

    gate = await make_sessions(runtime, 1, shifts=True, org=org, signup_terms=APPROVED)
    aid = await make_sessions(runtime, 1, shifts=True, starts_at=gate.starts_at)
    asked = (await sign_up_by(api, gate, person, session=1)).json()["id"]
    assert (await sign_up_by(api, aid, person, session=1)).json()["status"] == "confirmed"
    assert_refused(await decide_by(api, organizer, asked, approved=True), 409, "signups.clash")

    gone = (await sign_up_by(api, activity, person)).json()["id"]
    path = f"{API}/activities/{activity.id}/cancel"
    await api.post(path, headers=keyed(organizer), json={"reason": "台风"})
    late = await decide_by(api, organizer, gone, approved=True)
    assert_refused(late, 409, "activities.not_open")
