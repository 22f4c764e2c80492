"""Hand-over notes: written by who holds a shift, read by the next one of the post."""

from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused
from tests.factories.organizing import Desk
from tests.factories.people import make_organizer, make_people, make_person
from tests.factories.sessions import DAY, HOUR, add_post, add_sessions, take, times
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation      rule    nobody alice bob  counter rival sibling parent auditor admin outsider
writeShiftNote  person  401    200   403  403     403   403     200    403     200   403       403=sessions.not_on_shift
getShiftNote    person  401    200   403  403     403   403     200    200     200   403       403=sessions.not_on_shift
"""  # noqa: E501 - a table
HERS = {"shift_notes": "written_by = :alice"}
BESIDE_POINTS = {"shift_notes"}
BEYOND_THE_SCHEMA = {"sessions.not_on_shift"}
API = "/api/v1"


async def _held(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home, starts_at=now() + DAY)
    organizer = await make_organizer(world.runtime, world.home.id)
    post = await add_post(world.api, organizer, activity.id)
    wanted = times(world.free_time()) | {"post_id": post["id"], "capacity": 2}
    [shift] = await add_sessions(world.api, organizer, activity.id, wanted)
    await take(world.runtime, shift, world.alice)
    return Ask({"shift_id": shift["id"]}, {"text": "冰袋已用完"})


async def _written(world: World) -> Ask:
    ask = await _held(world)
    path = f"{API}/shifts/{ask.ids['shift_id']}/note"
    await world.api.put(path, headers=world.alice.headers, json=ask.body)
    return Ask(ask.ids)


REQUESTS = {"writeShiftNote": _held, "getShiftNote": _written}


async def known(setup: Setup) -> Known:
    activity = await make_activity(setup.runtime, org=setup.org, starts_at=now() + DAY)
    post = await add_post(setup.api, setup.organizer, activity.id)
    wanted = times(DAY) | {"post_id": post["id"], "capacity": 5}
    [shift] = await add_sessions(setup.api, setup.organizer, activity.id, wanted)
    await take(setup.runtime, shift, setup.caller)
    return {"shift_id": [shift["id"]]}


@pytest.fixture
def desk(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    return Desk(api, runtime)


async def test_a_note_goes_to_the_next_shift_of_the_post(desk: Desk) -> None:
    await desk.open(starts_at=now() + DAY)
    api, runtime, organizer = desk.api, desk.runtime, desk.organizer
    gate = await add_post(api, organizer, desk.activity.id, "入口")
    aid = await add_post(api, organizer, desk.activity.id, "急救")
    wanted = [
        times(DAY + n * HOUR) | {"post_id": post["id"], "capacity": 2}
        for n, post in enumerate((gate, gate, gate, aid))
    ]
    shifts = await add_sessions(api, organizer, desk.activity.id, *wanted)
    holders = await make_people(runtime, 4)
    for shift, person in zip(shifts, holders, strict=True):
        await take(runtime, shift, person)
    path = f"{API}/shifts/{shifts[0]['id']}/note"

    async def write(person: Any, text: str) -> httpx.Response:
        return await api.put(path, headers=person.headers, json={"text": text})

    empty = await api.get(path, headers=holders[0].headers)
    assert (empty.status_code, empty.json()["text"]) == (200, None)
    for text in ("冰袋已用完", "冰袋已补"):
        written = await write(holders[0], text)
        assert (written.status_code, written.json()["is_mine"]) == (200, True)
    for reader in (holders[0], holders[1], organizer):
        assert (await api.get(path, headers=reader.headers)).json()["text"] == "冰袋已补"
    others = (*holders[2:], await make_person(runtime))
    for reader in others:
        unread = await api.get(path, headers=reader.headers)
        assert_refused(unread, 403, "sessions.not_on_shift")
    for writer in (holders[1], *others):
        assert_refused(await write(writer, "x"), 403, "sessions.not_on_shift")
    assert (await write(organizer, "十点换班")).status_code == 200
    assert_refused(await write(holders[0], "x" * 1001), 422, "request.invalid")
    [evening] = await add_sessions(api, organizer, desk.activity.id, times(2 * DAY))
    bare = f"{API}/shifts/{evening['id']}/note"
    assert_refused(await api.get(bare, headers=organizer.headers), 404, "sessions.not_found")
