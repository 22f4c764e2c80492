"""Real names: confirmed by an organizer of the community, until they change."""

from typing import Any

import httpx

from app.models.orgs import Level, Org
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.routers.test_audit import entries
from tests.security.world import Ask, World

ME = "/api/v1/me"
MATRIX = """
operation    rule       nobody alice bob  counter rival sibling parent auditor admin outsider
confirmName  organizer  401    403   403  403     403   404     201+   403     201+  404       404=people.not_found
"""  # noqa: E501 - a table
HERS = {"name_confirmations": "person_id = :alice"}
BESIDE_POINTS = {"name_confirmations"}
BEYOND_THE_SCHEMA = {
    "name_confirmations.another_name",
    "name_confirmations.own",
    "name_confirmations.confirmed",
}


async def _lives(api: httpx.AsyncClient, person: TestPerson, org: Org, **changes: Any) -> None:
    body = {"display_name": person.name, "community_id": str(org.id)} | changes
    reply = await api.put(ME, headers=person.headers, json=body)
    assert reply.status_code == 200, reply.text


async def _confirmed(world: World) -> Ask:
    await _lives(world.api, world.alice, world.home, display_name="曾用名")
    await _lives(world.api, world.alice, world.home)
    return Ask({"person_id": str(world.alice.id)}, {"display_name": world.alice.name})


REQUESTS = {"confirmName": _confirmed}


async def test_a_name_is_confirmed_by_somebody_else_until_it_changes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime, level=Level.community)
    person, organizer = await make_person(runtime, "李雷"), await make_organizer(runtime, org.id)
    path = f"/api/v1/people/{person.id}/name-confirmation"

    async def confirm(name: str = "李雷", to: str = path) -> httpx.Response:
        return await api.post(to, headers=keyed(organizer), json={"display_name": name})

    assert_refused(await confirm(), 404, "people.not_found")
    await _lives(api, person, org)
    assert_refused(await confirm("韩梅梅"), 409, "name_confirmations.another_name")
    assert (await confirm()).status_code == 201
    assert_refused(await confirm(), 409, "name_confirmations.confirmed")
    await _lives(api, organizer, org)
    own = path.replace(str(person.id), str(organizer.id))
    assert_refused(await confirm(organizer.name, own), 403, "name_confirmations.own")

    async def confirmed_at() -> object:
        return (await api.get(ME, headers=person.headers)).json()["name_confirmed_at"]

    assert await confirmed_at() is not None
    await _lives(api, person, org, shows_name=True)
    assert await confirmed_at() is not None
    await _lives(api, person, org, display_name="李雷雷")
    assert await confirmed_at() is None
    told = [
        one["verb"] for one in await entries(api, await make_administrator(runtime, org.id), org)
    ]
    assert told.count("confirmed") == 1
