"""One read of all jobs that somebody started, for who started them."""

from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from app.schemas.started_jobs import JobKind
from app.services import verifications
from tests.factories.http import assert_refused, in_process, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person, make_with_role
from tests.routers import test_org_imports as imports
from tests.routers.test_policy_simulations import SIMULATIONS, period
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

JOBS, EXPORTS = "/api/v1/jobs", "/api/v1/me/exports"
MATRIX = """
operation  rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getJob     person  401    200+  404  404     404   404     404    404     404   404  404=jobs.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {"policy_simulations.not_found"}


async def _copy(world: World) -> Ask:
    await world.api.post(EXPORTS, headers=keyed(world.alice))
    [copy] = (await world.api.get(EXPORTS, headers=world.alice.headers)).json()["items"]
    return Ask({"job_id": copy["id"]})


REQUESTS = {"getJob": _copy}


async def known(setup: Setup) -> Known:
    return {"job_id": [(await setup.post(setup.others[1], "/me/exports"))["id"]]}


async def told(api: httpx.AsyncClient, person: TestPerson, job: str) -> dict[str, Any]:
    reply = await api.get(f"{JOBS}/{job}", headers=person.headers)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_every_kind_of_job_is_read_by_who_started_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime, level=Level.street)
    below = await make_org(runtime, parent=street, level=Level.community)
    admin, other = [await make_administrator(runtime, street.id) for _ in "ab"]
    content = imports.csv_of((below.code, "新名", street.code, "community"))
    digest = (await imports.preview(api, admin, street, content)).json()["digest"]
    body = period(org_id=str(street.id))
    started = {
        JobKind.data_copy: await api.post(EXPORTS, headers=keyed(admin)),
        JobKind.policy_simulation: await api.post(SIMULATIONS, headers=keyed(admin), json=body),
        JobKind.org_import: await imports.apply(api, admin, street, content, digest),
    }
    for kind, reply in started.items():
        job = reply.json()["id"]
        found = await told(api, admin, job)
        assert (found["id"], found["kind"]) == (job, kind)
        is_done = kind == JobKind.org_import
        assert (found["state"], found["progress"]) == (("done", 100) if is_done else ("waiting", 0))
        assert (found["result"] is not None) is is_done
        for who in (other, await make_person(runtime)):
            refused = await api.get(f"{JOBS}/{job}", headers=who.headers)
            assert_refused(refused, 404, "jobs.not_found")
    assert found["result"] == {"org_id": str(street.id), "inserted": 0, "updated": 1}
    cancelled = f"{SIMULATIONS}/{started[JobKind.policy_simulation].json()['id']}"
    assert (await api.post(f"{cancelled}/cancel", headers=keyed(admin))).status_code == 200
    found = await told(api, admin, cancelled.rpartition("/")[2])
    assert (found["state"], found["result"]["state"]) == ("failed", "cancelled")


async def test_a_verification_that_was_interrupted_has_failed(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    async with in_process(alone) as api:
        org = await make_org(runtime, level=Level.city)
        auditor = await make_with_role(runtime, Role.auditor, org=org.id)
        made = await api.post("/api/v1/ledger/verifications", headers=keyed(auditor))
        job = made.json()["id"]
        assert (await told(api, auditor, job))["state"] == "waiting"
        async with runtime.database.transaction() as tx:
            await verifications.claim(tx)
        assert (await told(api, auditor, job))["state"] == "running"
        async with runtime.database.transaction() as tx:
            await verifications.interrupt(tx, timedelta(seconds=-60))
        found = await told(api, auditor, job)
        assert (found["state"], found["kind"], found["progress"]) == ("failed", "verification", 0)
        assert found["result"]["state"] == "interrupted"
