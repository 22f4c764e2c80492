"""Flags: check-ins that cannot be, and many at the very same spot; an organizer decides."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.jobs import flags as job
from app.models.checkins import Checkin
from app.runtime import Runtime
from app.services import flags
from app.services.flags import KEPT
from tests.factories.activities import current_code, make_activity, sign_up
from tests.factories.clock import travel
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_person
from tests.factories.quests import LATITUDE, LONGITUDE, position
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation   rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listFlags   organizer  401    403   403  403     403   403     200+   403     200+  403
decideFlag  organizer  401    403   403  403     403   404     200+   403     200+  404       404=flags.not_found
"""  # noqa: E501 - a table
HERS = {"flags": "person_id = :alice"}
BEYOND_THE_SCHEMA = {"body.annul"}  # of `confirmed` alone
BESIDE_POINTS = {"flags"}  # a flag changes nothing: who annuls, corrects
HERE: dict[str, Any] = {
    "location_name": "社区中心",
    "latitude": LATITUDE,
    "longitude": LONGITUDE,
    "radius_m": 100,
}


async def _flagged(world: World) -> str:
    first = await make_activity(world.runtime, org=world.home, **HERE)
    second = await make_activity(world.runtime, org=world.home, **HERE | {"latitude": LATITUDE + 1})
    for activity in (first, second):
        await check_in(world.api, world.runtime, activity, world.alice)
    await job.find(world.runtime)
    organizer = await make_organizer(world.runtime, world.home.id)
    listed = await listing(world.api, organizer, world.home, state="open")
    return str(listed[0]["id"])


async def _listed(world: World) -> Ask:
    await _flagged(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _decided(world: World) -> Ask:
    return Ask({"flag_id": await _flagged(world)}, {"outcome": "dismissed", "reason": "核实无误"})


REQUESTS = {"listFlags": _listed, "decideFlag": _decided}


async def check_in(
    api: httpx.AsyncClient,
    runtime: Runtime,
    activity: Any,
    person: TestPerson,
    location: Any = None,
) -> str:
    await sign_up(runtime, activity, person)
    body = {"code": current_code(runtime, activity), "location": location}
    reply = await api.post(f"{API}/checkins", headers=person.headers, json=body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["checkin"]["id"])


async def listing(
    api: httpx.AsyncClient, organizer: TestPerson, org: Any, **query: str
) -> list[dict[str, Any]]:
    params = {"org_id": str(org.id)} | query
    reply = await api.get(f"{API}/flags", headers=organizer.headers, params=params)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def decide(
    api: httpx.AsyncClient, organizer: TestPerson, flag: dict[str, Any], **body: Any
) -> httpx.Response:
    path = f"{API}/flags/{flag['id']}/decision"
    return await api.post(path, headers=keyed(organizer), json={"reason": "现场核实"} | body)


async def test_impossible_travel_is_flagged_and_annulled_by_an_organizer(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    person, slow = await make_people(runtime, 2)
    # The second begins when the first ends, so each pays for time of its own.
    near, far = [
        await make_activity(
            runtime,
            org=org,
            starts_at=now() + timedelta(minutes=start),
            hours=hours,
            **HERE | {"latitude": LATITUDE + north},
        )
        for north, start, hours in ((0, 1, 0.5), (0.2, 29, 2))  # 22 km apart
    ]
    beside = await make_activity(runtime, org=org, **HERE | {"latitude": LATITUDE + 0.002})
    first = await check_in(api, runtime, near, organizer)
    second = await check_in(api, runtime, far, organizer)
    before = await check_in(api, runtime, near, person)
    after = await check_in(api, runtime, far, person)
    for activity in (near, beside):  # 222 m apart: the radius of the two
        await check_in(api, runtime, activity, slow)

    assert await job.find(runtime) >= 2
    await job.find(runtime)

    listed = await listing(api, other, org)
    found = {one["checkin_id"]: one for one in listed}
    assert found.keys() == {second, after}
    assert len(listed) == 2, "a second run finds the same"
    flag, own = found[after], found[second]
    assert (flag["kind"], flag["state"], flag["other_id"]) == ("travel", "open", before)
    assert own["other_id"] == first
    assert 22_000 < flag["distance_m"] < 22_500
    assert (flag["people"], flag["seconds"] < 300) == (None, True)
    assert await queued(api, organizer) == 1, "not the own one"
    earned = [await balance(runtime, one.id) for one in (person, organizer)]
    assert earned == [4, 4]

    assert_refused(await decide(api, organizer, own, outcome="dismissed"), 403, "flags.own")
    wrong = await decide(api, organizer, flag, outcome="dismissed", annul=True)
    assert_refused(wrong, 422, "request.invalid")
    done = await decide(api, organizer, flag, outcome="confirmed", annul=True)
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["reason"]) == ("confirmed", "现场核实")
    again = await decide(api, organizer, flag, outcome="dismissed")
    assert_refused(again, 409, "flags.wrong_state")
    assert await balance(runtime, person.id) == 1
    kept = await decide(api, other, own, outcome="confirmed")
    assert kept.status_code == 200
    assert await balance(runtime, organizer.id) == 4, "a confirmed flag alone takes nothing"
    assert await queued(api, organizer) == 0
    await assert_ledger_verifies(runtime)
    # Without the limit of speed the slow one would be flagged too.
    monkeypatch.setattr(flags, "is_too_fast", lambda *_: True)
    assert await job.find(runtime) == 1


async def queued(api: httpx.AsyncClient, organizer: TestPerson) -> int:
    reply = await api.get(f"{API}/me/queues", headers=organizer.headers)
    [queue] = [one for one in reply.json()["items"] if one["kind"] == "flags"]
    assert queue["path"] == f"/api/v1/flags?state=open&org_id={queue['org_id']}"
    return int(queue["count"])


async def test_many_phones_at_one_spot_are_flagged_and_positions_forgotten(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity, calm = [await make_activity(runtime, org=org, **HERE) for _ in "ab"]
    same = [
        await check_in(api, runtime, activity, one, position(1))
        for one in await make_people(runtime, 5)
    ]
    beside = position(1)
    beside["latitude"] += 0.000001  # 11 cm
    await check_in(api, runtime, activity, await make_person(runtime), beside)
    late = await make_person(runtime)
    four = await make_people(runtime, 4)
    for one in four:
        await check_in(api, runtime, calm, one, position(1))
    with travel(now() + timedelta(minutes=11)):
        await check_in(api, runtime, calm, late, position(1))
        assert await job.find(runtime) >= 5

    found = await listing(api, organizer, org)
    assert {one["checkin_id"] for one in found} == {*same}
    assert {(one["kind"], one["people"], one["other_id"]) for one in found} == {
        ("coordinates", 5, None)
    }
    with travel(now() + KEPT + timedelta(days=1)):
        assert await job.forget_positions(runtime) >= 11
    async with runtime.database.read() as tx:
        stored = await tx.get(Checkin, found[0]["checkin_id"])
    assert stored is not None
    assert (stored.latitude, stored.longitude) == (None, None)
    assert stored.distance_m is not None
    await assert_ledger_verifies(runtime)
