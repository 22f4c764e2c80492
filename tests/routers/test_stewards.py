"""Stewards check others in and out: by card, by name, as a list; never themselves."""

from datetime import timedelta
from typing import Any

import httpx

from app.core.clock import now
from app.models.checkins import CheckinMethod
from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.activities import make_activity, make_attended, sign_up
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.rewards import make_card_codes
from tests.routers.test_card_guesses import card_no
from tests.security.world import Ask, World

MATRIX = """
operation               rule    nobody alice bob  counter rival sibling parent auditor admin outsider
recordAttendance        person  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
recordAttendanceOfMany  person  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
"""  # noqa: E501 - a table


async def _one(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    body = {"action": "check_in", "person_id": str(world.alice.id)}
    return Ask({"activity_id": str(activity.id)}, body)


async def _many(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    body = {"action": "check_in", "card_nos": [await card_no(world.api, world.alice)]}
    return Ask({"activity_id": str(activity.id)}, body)


# One of three names; a card number that is there; 3.0 is no whole number to us.
BEYOND_THE_SCHEMA = {"body", "body.session", "body.card_no", "body.card_nos"}
REQUESTS = {"recordAttendance": _one, "recordAttendanceOfMany": _many}


async def ask(
    api: httpx.AsyncClient, steward: TestPerson, activity: Any, path: str = "", **body: Any
) -> httpx.Response:
    return await api.post(
        f"/api/v1/activities/{activity.id}/attendance{path}",
        headers=keyed(steward),
        json={"action": "check_in"} | body,
    )


async def desk(runtime: Runtime) -> tuple[Org, TestPerson]:
    org = await make_org(runtime)
    return org, await make_organizer(runtime, org.id)


async def test_a_scanned_card_checks_in_and_out(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, steward = await desk(runtime)
    person, starts_at = await make_person(runtime), now() - timedelta(hours=1)
    activity = await make_attended(
        runtime, person, org=org, starts_at=starts_at, hours=3, checks_out=True
    )
    [first, second] = await make_card_codes(runtime, person, 2)

    came = await ask(api, steward, activity, card_code=first)
    spent = await ask(api, steward, activity, card_code=first)
    left = await ask(api, steward, activity, action="check_out", card_code=second)

    assert came.status_code == 200
    assert came.json()["state"] is None
    assert_refused(spent, 409, "cards.code_used")
    assert left.json()["checked_out_at"] is not None
    assert left.json()["points"] == 0
    async with runtime.database.read() as tx:
        [row] = await tx.fetch(
            "SELECT method, recorded_by, is_walk_in FROM checkins WHERE activity_id = :id",
            {"id": activity.id},
        )
    assert (row.method, row.recorded_by, row.is_walk_in) == (
        CheckinMethod.steward,
        steward.id,
        False,
    )


async def test_who_has_no_place_is_let_in_as_a_marked_walk_in_alone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward = await desk(runtime)
    stranger, activity = await make_person(runtime), await make_activity(runtime, org=org)
    card = await card_no(api, stranger)

    by_id = await ask(api, steward, activity, person_id=str(stranger.id), walk_in=True)
    unmarked = await ask(api, steward, activity, card_no=card)
    marked = await ask(api, steward, activity, card_no=card, walk_in=True)

    assert_refused(by_id, 404, "people.not_found")
    assert_refused(unmarked, 403, "checkins.not_signed_up")
    assert marked.json()["is_new"]
    listed = await api.get(f"/api/v1/activities/{activity.id}/checkins", headers=steward.headers)
    assert [one["is_walk_in"] for one in listed.json()["items"]] == [True]
    assert await balance(runtime, stranger.id) == 4
    await assert_ledger_verifies(runtime)


async def test_nobody_checks_in_himself(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, steward = await desk(runtime)
    activity = await make_attended(runtime, steward, org=org)
    own = await card_no(api, steward)

    alone = await ask(api, steward, activity, card_no=own)
    listed = await ask(api, steward, activity, "/batches", card_nos=[own])

    assert_refused(alone, 403, "stewards.own")
    assert [one["refusal"]["code"] for one in listed.json()["items"]] == ["stewards.own"]


async def test_a_list_has_an_outcome_for_each_member(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, leader = await desk(runtime)
    people = [await make_person(runtime) for _ in range(3)]
    activity = await make_activity(runtime, org=org)
    await sign_up(runtime, activity, *people[:2])
    cards = [await card_no(api, one) for one in people]
    assert (await ask(api, leader, activity, card_no=cards[0])).is_success

    body = {"card_nos": [*cards, "QX-0000-0000-0", cards[1]]}
    done = (await ask(api, leader, activity, "/batches", **body)).json()

    outcomes = [(one["outcome"], (one["refusal"] or {}).get("code")) for one in done["items"]]
    assert outcomes == [
        ("repeated", None),
        ("recorded", None),
        ("refused", "checkins.not_signed_up"),
        ("refused", "people.not_found"),
        ("recorded", None),
    ]
    await assert_ledger_verifies(runtime)
