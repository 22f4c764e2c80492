"""An organizer signs a group up by the numbers of their cards."""

import httpx

from app.models.cards import card_number
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_people
from tests.factories.signup_terms import cancel_by, counters, describe, make_sessions
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation    rule    nobody alice bob  counter rival sibling parent auditor admin outsider
signUpGroup  person  401    403   403  403     403   404     201+   403     201+  404       404=activities.not_found
"""  # noqa: E501 - a table


async def card_no(api: httpx.AsyncClient, person: TestPerson) -> str:
    found: str = (await api.get(f"{API}/me/card", headers=person.headers)).json()["card_no"]
    return found


async def _ask(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    number = await card_no(world.api, world.alice)
    return Ask({"activity_id": str(activity.id)}, {"card_nos": [number]})


REQUESTS = {"signUpGroup": _ask}


async def known(setup: Setup) -> Known:
    made = [await make_activity(setup.runtime, org=setup.org) for _ in range(FEW)]
    return {"activity_id": [str(one.id) for one in made]}


async def test_each_member_has_an_outcome_and_may_cancel(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_sessions(runtime, 2, org=org, eligibility={"min_age": 16}, title="夜校")
    people = await make_people(runtime, 4)
    for one in people[:3]:
        await describe(runtime, one, birth_year=1990)
    numbers = [await card_no(api, one) for one in people]
    nobody = card_number(2**31 - 1)
    body = {"session": 1, "card_nos": [*numbers, nobody, numbers[0]]}
    path, headers = f"{API}/activities/{activity.id}/signups/batches", keyed(organizer)

    reply = await api.post(path, headers=headers, json=body)
    again = await api.post(path, headers=headers, json=body)
    later = await api.post(path, headers=keyed(organizer), json=body)

    assert (reply.status_code, again.text) == (201, reply.text)
    items = reply.json()["items"]
    shown = [(one["outcome"], (one["signup"] or {}).get("status"), one["code"]) for one in items]
    assert [one["card_no"] for one in items] == [*numbers, nobody]
    assert shown == [
        ("signed_up", "confirmed", None),
        ("signed_up", "confirmed", None),
        ("signed_up", "waitlisted", None),
        ("refused", None, "signups.not_eligible"),
        ("unknown", None, None),
    ]
    assert [one["outcome"] for one in later.json()["items"]][:3] == ["there"] * 3
    assert await counters(runtime, activity) == [(2, 1), (2, 1)]
    [told] = await inbox(api, runtime, people[2])
    assert told["kind"] == "signup_by_leader"
    assert "夜校" in told["text"]
    admin = await make_administrator(runtime, org.id)
    [entry] = await entries(api, admin, org, subject=f"signup:{items[0]['signup']['id']}")
    assert (entry["verb"], entry["facts"]["person"]) == ("created", str(people[0].id))

    assert (await cancel_by(api, people[0], items[0]["signup"]["id"])).status_code == 204
    [moved] = await walk(api, f"{API}/me/signups", people[2].headers)
    assert moved["status"] == "confirmed"
    await assert_ledger_verifies(runtime)


async def test_a_batch_has_from_one_to_two_hundred_members(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org)
    path = f"{API}/activities/{activity.id}/signups/batches"
    for numbers in ([], [card_number(1)] * 201):
        refused = await api.post(path, headers=keyed(organizer), json={"card_nos": numbers})
        assert_refused(refused, 422, "request.invalid")
