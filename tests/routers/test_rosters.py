"""Rosters: read by one device, fetched by who organizes the activity, on record."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core import base64url
from app.core.clock import now
from app.core.sealed_rosters import unseal
from app.models.activities import Activity, ActivityStatus
from app.models.cards import card_number
from app.models.orgs import Level
from app.runtime import Runtime
from app.services import rosters
from tests.factories.activities import make_activity, sign_up
from tests.factories.devices import TestDevice, register, revoke
from tests.factories.http import assert_refused
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
)
from tests.routers.test_audit import entries
from tests.routers.test_co_organizers import add
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation  rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getRoster  person  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {
    *("sessions.not_found", "devices.wrong_state", "rosters.no_key", "activities.not_open"),
    *("offline_codes.too_early", "devices.not_found"),
}


async def _roster(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home)
    await sign_up(world.runtime, activity, world.alice)
    organizer = await make_organizer(world.runtime, world.home.id)
    device = await register(world.api, organizer, world.home)
    return Ask({"activity_id": str(activity.id)}, query={"device_id": device.id})


REQUESTS = {"getRoster": _roster}


async def known(setup: Setup) -> Known:
    device = await register(setup.api, setup.organizer, setup.org)
    activity = await make_activity(setup.runtime, org=setup.org)
    return {"device_id": [device.id], "activity_id": [str(activity.id)]}


async def fetch(
    api: httpx.AsyncClient,
    caller: TestPerson,
    activity: Activity,
    device: TestDevice,
    **more: Any,
) -> httpx.Response:
    path = f"/api/v1/activities/{activity.id}/roster"
    return await api.get(path, headers=caller.headers, params={"device_id": device.id} | more)


async def test_a_device_reads_who_is_expected(api: httpx.AsyncClient, runtime: Runtime) -> None:
    street = await make_org(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    organizer, above = [await make_organizer(runtime, one.id) for one in (community, street)]
    admin = await make_administrator(runtime, street.id)
    helper, *people = await make_people(runtime, 4)
    activity = await make_activity(runtime, org=community, capacity=2)
    assert await sign_up(runtime, activity, *people) == ["confirmed", "confirmed", "waitlisted"]
    await add(api, organizer, activity.id, helper)
    device = await register(api, above, street)  # of the organisation above

    reply = await fetch(api, helper, activity, device)

    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    told = reply.json()
    assert (told["people"], told["activity_serial"]) == (2, activity.serial)
    sealed = base64url.decode(told["sealed"], len(told["sealed"]) * 3 // 4)
    assert sealed is not None
    private = device.roster_key.private_bytes_raw()
    found = unseal(private, UUID(device.id), activity.serial, 0, sealed)
    cards = [await api.get("/api/v1/me/card", headers=one.headers) for one in people[:2]]
    numbers = [one.json()["card_no"] for one in cards]
    expected = {(one.name, card) for one, card in zip(people, numbers, strict=False)}
    assert {(one.name, card_number(one.card)) for one in found} == expected
    viewed = next(one for one in await entries(api, admin, street) if one["verb"] == "viewed")
    assert viewed["actor"]["id"] == str(helper.id)
    assert viewed["subject"] == {"type": "activity", "id": str(activity.id)}
    facts = {"about": f"device:{device.id}", "list": "roster", "rows": 2, "session": 0}
    assert viewed["facts"] == facts
    assert (await fetch(api, above, activity, device)).status_code == 200
    organizes = [one for one in await entries(api, admin, street) if one["verb"] == "organizes"]
    assert {one["facts"]["person"] for one in organizes} == {str(helper.id), str(above.id)}
    await assert_ledger_verifies(runtime)


async def test_what_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, elsewhere = await make_org(runtime), await make_org(runtime)
    organizer, other = [await make_organizer(runtime, one.id) for one in (org, elsewhere)]
    activity = await make_activity(runtime, org=org)
    await sign_up(runtime, activity, *await make_people(runtime, 2))
    device, lost = [await register(api, organizer, org) for _ in "ab"]
    keyless = await register(api, organizer, org, roster_key=None)
    foreign = await register(api, other, elsewhere)
    assert (await revoke(api, organizer, lost.id)).status_code == 204
    draft = await make_activity(runtime, org=org, status=ActivityStatus.draft)
    over = await make_activity(runtime, org=org, starts_at=now() - timedelta(hours=3), hours=2)
    later = await make_activity(runtime, org=org, starts_at=now() + timedelta(days=8))
    cases: list[tuple[Activity, TestDevice, dict[str, str], int, str]] = [
        (activity, lost, {}, 409, "devices.wrong_state"),
        (activity, keyless, {}, 409, "rosters.no_key"),
        (activity, foreign, {}, 404, "devices.not_found"),
        (draft, device, {}, 409, "activities.not_open"),
        (over, device, {}, 409, "activities.not_open"),
        (later, device, {}, 409, "offline_codes.too_early"),
        (activity, device, {"session": "1"}, 404, "sessions.not_found"),
    ]
    for one, by, more, status, code in cases:
        assert_refused(await fetch(api, organizer, one, by, **more), status, code)
    assert_refused(await fetch(api, other, activity, device), 404, "activities.not_found")
    monkeypatch.setattr(rosters, "MOST", 1)
    assert_refused(await fetch(api, organizer, activity, device), 409, "rosters.too_large")
    monkeypatch.setattr(rosters, "MOST", 2)
    assert (await fetch(api, organizer, activity, device)).status_code == 200
