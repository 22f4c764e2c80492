"""Devices: registered by their public keys, which are taken once, and revoked for good."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.models.devices import DeviceState
from app.models.orgs import Level
from app.runtime import Runtime
from app.services import devices
from tests.engines import as_owner
from tests.factories.devices import DEVICES, device_body, new_key, register, revoke
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation       rule       nobody alice bob  counter rival sibling parent auditor admin outsider
registerDevice  organizer  401    403   403  403     403   403     201+   403     201+  403
listDevices     reader     401    403   403  403     403   403     200+   200+    200+  403
getDevice       reader     401    403   403  403     403   404     200+   200+    200+  404       404=devices.not_found
revokeDevice    organizer  401    403   403  403     403   404     204+   403     204+  404       404=devices.not_found
"""  # noqa: E501 - a table
HERS = {"devices": "org_id = :home"}
BESIDE_POINTS = {"devices"}
BEYOND_THE_SCHEMA = {"body.public_key", "body.roster_key", "devices.key_taken"}


async def _register(world: World) -> Ask:
    return Ask(body=device_body(world.home))


async def _registered(world: World) -> Ask:
    organizer = await make_organizer(world.runtime, world.home.id)
    made = await register(world.api, organizer, world.home)
    return Ask({"device_id": made.id})


async def _listed(world: World) -> Ask:
    return replace(await _registered(world), query={"org_id": str(world.home.id)})


async def _lost(world: World) -> Ask:
    return replace(await _registered(world), query={"reason": "丢失"})


REQUESTS = {
    "registerDevice": _register,
    "listDevices": _listed,
    "getDevice": _registered,
    "revokeDevice": _lost,
}


async def known(setup: Setup) -> Known:
    made = [await register(setup.api, setup.organizer, setup.org) for _ in range(FEW)]
    return {"device_id": [one.id for one in made]}


async def completion(setup: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        body |= {k: v for k, v in device_body(setup.org).items() if k.endswith("_key")}

    return complete


async def _too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    many = f"""
    INSERT INTO devices (org_id, created_by, name, kind, public_key)
    SELECT '{org.id}', '{organizer.id}', 'x', 'counter', sha256(CAST('{org.id}' || n AS bytea))
    FROM generate_series(1, {devices.MOST}) n
    """  # noqa: S608 - ids of our own
    await as_owner(runtime.settings, many)
    facts = {"limit": 200, "used": 200}
    return Refused(organizer, "POST", "/devices", facts, device_body(org))


REFUSED = {"devices.too_many": _too_many}


async def test_a_device_is_registered_and_revoked_for_good(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    organizer, admin = (
        await make_organizer(runtime, community.id),
        await make_administrator(runtime, street.id),
    )
    body = device_body(community, name="门口 1", roster_key=None)
    made = (await api.post(DEVICES, headers=keyed(organizer), json=body)).json()
    path = f"{DEVICES}/{made['id']}"

    assert {name: made[name] for name in body} == body
    assert (made["state"], made["last_sequence"], made["last_seen_at"]) == ("active", 0, None)
    assert (await api.get(path, headers=admin.headers)).json() == made
    gone = await revoke(api, organizer, made["id"], "  手机丢失  ")
    assert gone.status_code == 204
    assert_refused(await revoke(api, organizer, made["id"]), 409, "devices.wrong_state")
    told = (await api.get(path, headers=admin.headers)).json()
    assert (told["state"], told["reason"]) == ("revoked", "手机丢失")
    assert told["revoked_at"] is not None
    found = {
        state: await walk(api, DEVICES, admin.headers, org_id=str(street.id), state=state)
        for state in DeviceState
    }
    assert found == {DeviceState.active: [], DeviceState.revoked: [told]}
    moved, created = (await entries(api, admin, street))[:2]
    assert (created["verb"], created["facts"]) == ("created", {"kind": "counter"})
    assert (moved["verb"], moved["to"], moved["reason"]) == ("moved", "revoked", "手机丢失")
    unreasoned = await api.delete(path, headers=organizer.headers)
    assert_refused(unreasoned, 422, "request.invalid")


async def test_a_key_is_taken_once_for_ever_and_by_one_of_many_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, elsewhere = await make_org(runtime), await make_org(runtime)
    organizers = [await make_organizer(runtime, one.id) for one in (org, elsewhere)]
    body = device_body(org)
    bodies = [body | {"org_id": str(one.id)} for one in (org, elsewhere)]
    replies = await asyncio.gather(
        *[
            api.post(DEVICES, headers=keyed(who), json=one)
            for who, one in zip(organizers * 3, bodies * 3, strict=True)
        ]
    )
    assert sorted(one.status_code for one in replies) == [201, *[409] * 5]
    [made] = [one.json() for one in replies if one.status_code == 201]
    who = organizers[0] if made["org_id"] == str(org.id) else organizers[1]
    assert (await revoke(api, who, made["id"])).status_code == 204
    again = await api.post(DEVICES, headers=keyed(organizers[1]), json=bodies[1])
    assert_refused(again, 409, "devices.key_taken")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("public_key", "A" * 43),  # y = 0: a point of order 4
        ("public_key", "AQ" + "A" * 41),  # y = 1: the neutral element
        ("public_key", "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1x"),  # bits after the last byte
        ("public_key", "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="),
        ("public_key", "AAAA"),
        ("roster_key", "A" * 43),
        ("roster_key", "AQ" + "A" * 41),
        ("kind", "drone"),
        ("name", "\n"),
    ],
)
async def test_weak_and_wrongly_written_keys_are_refused(
    api: httpx.AsyncClient, runtime: Runtime, field: str, value: str
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = device_body(org) | {field: value}
    refused = await api.post(DEVICES, headers=keyed(organizer), json=body)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == [f"body.{field}"]


async def test_revoked_devices_make_room(api: httpx.AsyncClient, runtime: Runtime) -> None:
    ask = await _too_many(api, runtime)
    gone = f"""
    UPDATE devices SET state = 'revoked', reason = 'x', revoked_at = now() WHERE id = (
        SELECT id FROM devices WHERE org_id = '{ask.body["org_id"]}' LIMIT 1)
    """  # noqa: S608 - an id of our own
    await as_owner(runtime.settings, gone)
    bodies = [ask.body, *(ask.body | {"public_key": new_key()} for _ in range(3))]
    replies = await asyncio.gather(
        *[api.post(DEVICES, headers=keyed(ask.person), json=one) for one in bodies]
    )
    assert sorted(one.status_code for one in replies) == [201, 409, 409, 409]
