"""Offers: who moves up accepts the place in time, or it goes to the next."""

from datetime import datetime, timedelta
from uuid import UUID

import httpx

from app.core.clock import now
from app.jobs import signup_offers as jobs
from app.models.activities import Activity
from app.runtime import Runtime
from app.services import signups
from tests.factories.activities import make_activity
from tests.factories.clock import travel
from tests.factories.http import assert_refused, walk
from tests.factories.inbox import inbox
from tests.factories.people import TestPerson, make_people, make_person
from tests.factories.signup_terms import (
    accept_by,
    cancel_by,
    counters,
    make_sessions,
    sign_up_by,
)
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation    rule    nobody alice bob  counter rival sibling parent auditor admin outsider
acceptPlace  person  401    200+  404  404     404   404     404    404     404   404       404=signups.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {"signups.no_offer"}
OFFERS = {"offer_minutes": 10}
TEN_MINUTES = timedelta(minutes=10)


async def offered(runtime: Runtime, activity: Activity, holder: UUID, waiting: UUID) -> str:
    """Let a place be offered to who waits; return the sign-up."""
    async with runtime.database.transaction() as tx:
        made = await signups.claim(
            tx, [signups.Claim(activity.id, one) for one in (holder, waiting)], now()
        )
        first, second = [one.signup.id for one in made if isinstance(one, signups.Claimed)]
        await signups.cancel(tx, holder, first)
    return str(second)


async def _ask(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home, capacity=1, signup_terms=OFFERS)
    holder = await make_person(world.runtime)
    return Ask({"signup_id": await offered(world.runtime, activity, holder.id, world.alice.id)})


REQUESTS = {"acceptPlace": _ask}


async def known(setup: Setup) -> Known:
    found = []
    for holder in setup.others[:FEW]:
        activity = await make_activity(
            setup.runtime, org=setup.org, capacity=1, signup_terms=OFFERS
        )
        found.append(await offered(setup.runtime, activity, holder.id, setup.caller.id))
    return {"signup_id": found}


async def make_offered(
    api: httpx.AsyncClient, runtime: Runtime, people: list[TestPerson]
) -> tuple[Activity, list[str]]:
    """Let people sign up to one place in order; the first gives it back."""
    activity = await make_activity(
        runtime, capacity=1, signup_terms=OFFERS, starts_at=now() + timedelta(minutes=14)
    )
    made = [(await sign_up_by(api, activity, one)).json()["id"] for one in people]
    assert (await cancel_by(api, people[0], made[0])).status_code == 204
    return activity, made


async def status(api: httpx.AsyncClient, person: TestPerson) -> str:
    found: str = (await walk(api, f"{API}/me/signups", person.headers))[0]["status"]
    return found


async def test_a_place_is_offered_and_accepted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    people = await make_people(runtime, 3)
    activity, made = await make_offered(api, runtime, people)

    mine = (await api.get(f"{API}/activities/{activity.id}", headers=people[1].headers)).json()
    until = datetime.fromisoformat(mine["mine"]["signup"]["offer_until"])
    assert mine["mine"]["signup"]["status"] == "offered"
    assert TEN_MINUTES - timedelta(minutes=1) < until - now() <= TEN_MINUTES
    assert await counters(runtime, activity) == [(1, 1)]
    [told] = await inbox(api, runtime, people[1])
    assert told["kind"] == "signup_offered"

    accepted = await accept_by(api, people[1], made[1])
    again = await accept_by(api, people[1], made[1])

    assert (accepted.status_code, accepted.json()["status"]) == (200, "confirmed")
    assert again.json() == accepted.json()
    assert_refused(await accept_by(api, people[2], made[2]), 409, "signups.no_offer")
    assert_refused(await accept_by(api, people[2], made[1]), 404, "signups.not_found")
    with travel(until):
        await jobs.pass_on(runtime)
    assert await status(api, people[1]) == "confirmed"


async def test_an_offer_that_lapses_goes_to_the_next(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    people = await make_people(runtime, 4)
    activity, made = await make_offered(api, runtime, people)

    with travel(now() + TEN_MINUTES):
        refused = await accept_by(api, people[1], made[1])
        assert await jobs.pass_on(runtime) >= 1
    assert_refused(refused, 409, "signups.offer_over")
    states = [await status(api, one) for one in people[1:]]
    assert states == ["cancelled", "offered", "waitlisted"]
    assert await counters(runtime, activity) == [(1, 1)]
    assert [one["kind"] for one in await inbox(api, runtime, people[1])] == [
        "signup_offer_lapsed",
        "signup_offered",
    ]

    assert (await cancel_by(api, people[2], made[2])).status_code == 204
    assert await status(api, people[3]) == "offered"
    with travel(activity.starts_at):
        assert await jobs.pass_on(runtime) >= 1
    assert await counters(runtime, activity) == [(0, 0)]


async def test_an_offer_lasts_until_the_start_at_most(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_sessions(
        runtime,
        1,
        starts_at=now() + timedelta(minutes=5),
        signup_terms=OFFERS,
    )
    holder, waiting = await make_people(runtime, 2)
    made = [
        (await sign_up_by(api, activity, one, session=1)).json()["id"] for one in (holder, waiting)
    ]
    await cancel_by(api, holder, made[0])
    [offer] = await walk(api, f"{API}/me/signups", waiting.headers)
    assert datetime.fromisoformat(offer["offer_until"]) == activity.starts_at


async def test_a_shift_whose_first_were_busy_is_filled_later(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    gate = await make_sessions(runtime, 1, shifts=True)
    aid = await make_sessions(runtime, 1, shifts=True, starts_at=gate.starts_at)
    holder, busy = await make_people(runtime, 2)
    place = (await sign_up_by(api, gate, holder, session=1)).json()["id"]
    await sign_up_by(api, gate, busy, session=1)
    other = (await sign_up_by(api, aid, busy, session=1)).json()["id"]
    await cancel_by(api, holder, place)
    assert await counters(runtime, gate) == [(0, 1), (0, 1)]

    assert await jobs.fill_shifts(runtime) == 0
    await cancel_by(api, busy, other)
    assert await jobs.fill_shifts(runtime) >= 1

    assert await counters(runtime, gate) == [(1, 0), (1, 0)]
