"""Messages to the participants of an activity: few, on record, and to those who signed up."""

from datetime import timedelta

import httpx
import time_machine

from app.core.clock import local_date, midnight, now
from app.runtime import Runtime
from app.schemas.activity_messages import ActivityMessageIn
from app.services import activity_messages
from tests.factories.activities import make_activity, sign_up
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.organizing import Desk
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.routers.test_co_organizers import add
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation             rule    nobody alice bob  counter rival sibling parent auditor admin outsider
sendActivityMessage   person  401    403   403  403     403   404     201    403     201   404       404=activities.not_found
listActivityMessages  person  401    403   403  403     403   404     200    200     200   404       404=activities.not_found
"""  # noqa: E501 - a table
HERS = {"activity_messages": "created_by = :alice"}
BESIDE_POINTS = {"activity_messages"}
BEYOND_THE_SCHEMA = {"activity_messages.nobody", "activity_messages.too_many"}
TEXT = {"text": "集合点改到东门，请带伞"}


async def _signed_up(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    await sign_up(world.runtime, activity, world.alice)
    return Ask({"activity_id": str(activity.id)}, TEXT)


REQUESTS = {"sendActivityMessage": _signed_up, "listActivityMessages": _signed_up}


async def known(setup: Setup) -> Known:
    made = [await make_activity(setup.runtime, org=setup.org) for _ in range(FEW)]
    for activity in made:
        await sign_up(setup.runtime, activity, *setup.others)
    return {"activity_id": [str(one.id) for one in made]}


async def send(desk: Desk, caller: TestPerson, key: str | None = None) -> httpx.Response:
    path = f"{API}/activities/{desk.activity.id}/messages"
    return await desk.api.post(path, headers=keyed(caller, key), json=TEXT)


async def _three_sent(api: httpx.AsyncClient, runtime: Runtime) -> Desk:
    desk = await Desk(api, runtime).open()
    await sign_up(runtime, desk.activity, await make_person(runtime))
    for _ in range(3):
        assert (await send(desk, desk.organizer)).status_code == 201
    return desk


async def _send_again(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    desk = await _three_sent(api, runtime)
    path = f"/activities/{desk.activity.id}/messages"
    opens_at = midnight(local_date(now()) + timedelta(days=1))
    facts = {"limit": 3, "used": 3, "opens_at": opens_at}
    return Refused(desk.organizer, "POST", path, facts, TEXT)


REFUSED = {"activity_messages.too_many": _send_again}


async def test_who_signed_up_gets_it_and_it_is_on_record(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    desk = await Desk(api, runtime).open(capacity=1)
    helper, placed, waits, left, stranger = [await make_person(runtime) for _ in range(5)]
    await add(api, desk.organizer, desk.activity.id, helper)
    assert_refused(await send(desk, helper), 409, "activity_messages.nobody")
    await sign_up(runtime, desk.activity, placed)
    await sign_up(runtime, desk.activity, waits, left)
    [gone] = await walk(api, f"{API}/me/signups", left.headers)
    await api.delete(f"{API}/signups/{gone['id']}", headers=left.headers)

    sent = await send(desk, helper, "once")
    again = await send(desk, helper, "once")

    assert sent.status_code == 201, sent.text
    assert again.json() == sent.json()
    assert (sent.json()["recipients"], sent.json()["created_by"]) == (2, str(helper.id))
    for person in (placed, waits):
        [notice] = await inbox(api, runtime, person)
        assert notice["kind"] == "activity_message"
        assert notice["text"] == f"「清明植树」主办方：{TEXT['text']}"
    for person in (left, stranger):
        assert await inbox(api, runtime, person) == []
    assert_refused(await send(desk, placed), 403, "auth.forbidden")
    path = f"{API}/activities/{desk.activity.id}/messages"
    assert await walk(api, path, desk.organizer.headers) == [sent.json()]
    admin = await make_administrator(runtime, desk.org.id)
    [entry] = [
        one
        for one in await entries(api, admin, desk.org)
        if one["subject"] == {"type": "activity_message", "id": sent.json()["id"]}
    ]
    assert (entry["verb"], entry["facts"]["recipients"]) == ("created", 2)
    assert TEXT["text"] not in str(entry)


async def test_three_a_day_whoever_sends(api: httpx.AsyncClient, runtime: Runtime) -> None:
    desk = await _three_sent(api, runtime)
    other = await make_administrator(runtime, desk.org.id)
    assert_refused(await send(desk, other), 409, "activity_messages.too_many")
    with time_machine.travel(now() + timedelta(days=1), tick=True):
        async with runtime.database.transaction() as tx:
            body = ActivityMessageIn.model_validate(TEXT)
            made = await activity_messages.send(tx, other.id, desk.activity.id, body)
    assert made.recipients == 1
