"""Appointments by code: shown by an administrator, accepted once on the person's own phone."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text

from app.api.guesses import CODE_GUESS
from app.core.clock import now
from app.models.people import Role
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.engines import as_owner
from tests.factories.activities import make_activity, sign_up
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_people, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter
from tests.routers.test_audit import entries
from tests.routers.test_limits import limited
from tests.routers.test_roles import at_an_organisation
from tests.security.schema_world import MANY, Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
OFFERS = f"{API}/appointments"
MATRIX = """
operation           rule           nobody alice bob  counter rival sibling parent auditor admin outsider
offerAppointment    administrator  401    403   403  403     403   403     403    403     201   403
previewAppointment  person         401    200   200  200     200   200     200    200     200   200
listAppointments    auditor        401    403   403  403     403   403     403    200+    200+  403
acceptAppointment   person         401    201+  201  201     201   201     201    201     403   201  403=roles.own
"""  # noqa: E501 - a table
HERS = {"appointments": "accepted_by = :alice"}
BEYOND_THE_SCHEMA = {
    *("body.org_id", "body.merchant_id", "body.from", "body.until"),
    "appointments.code_invalid",
}


async def offer(api: httpx.AsyncClient, admin: TestPerson, **body: Any) -> dict[str, Any]:
    made = await api.post(OFFERS, headers=keyed(admin), json={"role": "organizer"} | body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def accept(api: httpx.AsyncClient, person: TestPerson, code: str) -> httpx.Response:
    return await api.post(f"{OFFERS}/acceptance", headers=keyed(person), json={"code": code})


async def _offer(world: World) -> Ask:
    return Ask(body={"org_id": str(world.home.id), "role": "organizer"})


async def _accept(world: World) -> Ask:
    admin = world.everybody["admin"]
    assert admin is not None
    made = await offer(world.api, admin, org_id=str(world.home.id))
    return Ask(body={"code": made["code"]})


async def _appointments(world: World) -> Ask:
    await accept(world.api, world.alice, (await _accept(world)).body["code"])
    return Ask(query={"org_id": str(world.home.id)})


REQUESTS = {
    "listAppointments": _appointments,
    "offerAppointment": _offer,
    "previewAppointment": _accept,
    "acceptAppointment": _accept,
}


async def _expired(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    made = await offer(api, await make_administrator(runtime, org.id), org_id=str(org.id))
    at = now() - timedelta(seconds=1)
    aged = f"UPDATE appointments SET expires_at = '{at.isoformat()}' WHERE id = '{made['id']}'"  # noqa: S608
    await as_owner(runtime.settings, aged)
    return Refused(
        person, "POST", "/appointments/acceptance", {"expires_at": at}, {"code": made["code"]}
    )


async def _accepted(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, (first, second) = await make_org(runtime), await make_people(runtime, 2)
    made = await offer(api, await make_administrator(runtime, org.id), org_id=str(org.id))
    assert (await accept(api, first, made["code"])).status_code == 201
    used = text("SELECT accepted_at FROM appointments WHERE id = :id")
    async with runtime.database.read() as tx:
        at = (await tx.execute(used, {"id": made["id"]})).scalar_one()
    return Refused(
        second, "POST", "/appointments/acceptance", {"used_at": at}, {"code": made["code"]}
    )


REFUSED = {"appointments.expired": _expired, "appointments.accepted": _accepted}


async def known(setup: Setup) -> Known:
    admin = await make_administrator(setup.runtime, setup.org.id)
    made = [await offer(setup.api, admin, org_id=str(setup.org.id)) for _ in range(MANY)]
    return {"code": [one["code"] for one in made]}


async def completion(_: Setup) -> Completion:
    return at_an_organisation


async def test_a_code_appoints_once_in_the_name_of_who_made_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_org(runtime), await make_people(runtime, 3)
    counter = await make_counter(runtime, org=org)
    admin = await make_administrator(runtime, org.id)
    made = await offer(api, admin, org_id=str(org.id), role="auditor")
    staff = await offer(api, admin, role="merchant_staff", merchant_id=str(counter.merchant.id))

    seen = await api.post(
        f"{OFFERS}/preview", headers=people[0].headers, json={"code": made["code"]}
    )
    assert seen.json() | {"role": "auditor", "org_name": org.name, "offered_by": "王*四"} == (
        seen.json()
    )
    spelled = f"{made['code'][:6]} {made['code'][6:]}"
    replies = await asyncio.gather(*(accept(api, one, spelled) for one in people))
    at_counter = await accept(api, people[0], staff["code"])

    statuses = sorted(one.status_code for one in replies)
    assert statuses == [201, 409, 409]
    [told] = [one.json() for one in replies if one.status_code == 201]
    assert (told["role"], told["org_id"], told["org_name"]) == ("auditor", str(org.id), org.name)
    assert (at_counter.status_code, at_counter.json()["merchant_id"]) == (
        201,
        str(counter.merchant.id),
    )
    of_holder = await entries(api, admin, org, subject=f"person:{told['person_id']}")
    assert (of_holder[-1]["verb"], of_holder[-1]["actor"]["id"]) == ("appointed", str(admin.id))
    verbs = [e["verb"] for e in await entries(api, admin, org, subject=f"appointment:{made['id']}")]
    assert verbs == ["accepted", "created"]
    async with runtime.database.read() as tx:
        kept = (await tx.execute(text("SELECT appointments::text FROM appointments"))).scalars()
        assert not any(made["code"] in row for row in kept)


async def test_a_code_dies_with_the_office_of_who_made_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    admin = await make_administrator(runtime, org.id)
    await make_administrator(runtime, org.id)
    made = await offer(api, admin, org_id=str(org.id), role="administrator")
    own = (await api.get(f"{API}/me", headers=admin.headers)).json()["roles"][0]["id"]
    assert_refused(await accept(api, admin, made["code"]), 403, "roles.own")
    assert (await api.delete(f"{API}/me/roles/{own}", headers=admin.headers)).status_code == 204

    assert_refused(await accept(api, person, made["code"]), 422, "appointments.code_invalid")


async def test_a_code_dies_with_the_suspension_of_who_made_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    admin, other = [await make_administrator(runtime, org.id) for _ in range(2)]
    made = await offer(api, admin, org_id=str(org.id), role="administrator")
    await sign_up(runtime, await make_activity(runtime, org=org), admin)
    path = f"{API}/people/{admin.id}/suspension"
    done = await api.post(path, headers=keyed(other), json={"reason": "冒用他人身份"})
    assert done.status_code == 200, done.text

    assert_refused(await accept(api, person, made["code"]), 422, "appointments.code_invalid")


async def test_guesses_run_out(scratch: ScratchFactory) -> None:
    async with limited(scratch) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        admin = await make_administrator(runtime, org.id)
        made = await offer(api, admin, org_id=str(org.id), role=Role.auditor)
        for place in range(CODE_GUESS.burst):
            wrong = await accept(api, person, f"{place:018}")
            assert_refused(wrong, 422, "appointments.code_invalid")
        assert_refused(await accept(api, person, made["code"]), 429, "request.rate_limited")
