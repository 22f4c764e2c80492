"""Verifications over the API: who may ask, one at a time, results, and killed workers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.clock import local_date, now
from app.jobs import seals
from app.jobs import verifications as job
from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from app.services import verifications
from app.services.ledger import verification
from app.services.ledger.verification import Report
from tests.engines import as_owner
from tests.factories.http import assert_refused, in_process, keyed
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person, make_with_role
from tests.factories.refusals import Ask as Refused
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

VERIFICATIONS = "/api/v1/ledger/verifications"
NOW = timedelta(seconds=-60)  # as if every beat were a minute old
MATRIX = """
operation          rule     nobody alice bob  counter rival sibling parent auditor admin outsider
startVerification  auditor  401    403   403  403     403   403     403    202     202   403
listVerifications  auditor  401    403   403  403     403   403     403    200     200   403
getVerification    auditor  401    403   403  403     403   403     403    200     200   403
"""
HERS = {"verifications": "created_by = :alice"}
BESIDE_POINTS = {"verifications"}
BEYOND_THE_SCHEMA = {"verifications.active"}


async def _end_all(runtime: Runtime) -> None:
    async with runtime.database.transaction() as tx:
        await verifications.claim(tx)
        await verifications.interrupt(tx, NOW)


async def asked(api: httpx.AsyncClient, reader: TestPerson) -> dict[str, Any]:
    reply = await api.post(VERIFICATIONS, headers=keyed(reader))
    assert reply.status_code == 202, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def result(api: httpx.AsyncClient, reader: TestPerson, one: dict[str, Any]) -> dict[str, Any]:
    reply = await api.get(f"{VERIFICATIONS}/{one['id']}", headers=reader.headers)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def _none_waits(world: World) -> Ask:
    await _end_all(world.runtime)
    return Ask()


async def _waits(world: World) -> Ask:
    await _end_all(world.runtime)
    admin = world.everybody["admin"]
    assert admin is not None
    return Ask({"verification_id": (await asked(world.api, admin))["id"]})


REQUESTS = {"startVerification": _none_waits, "getVerification": _waits}


async def _active(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    await _end_all(runtime)
    reader = await make_administrator(runtime, (await make_org(runtime)).id)
    waits = await asked(api, reader)
    facts = {"verification_id": waits["id"], "status": "waiting"}
    return Refused(reader, "POST", "/ledger/verifications", facts)


REFUSED = {"verifications.active": _active}


async def known(setup: Setup) -> Known:
    await _end_all(setup.runtime)
    reader = await make_administrator(setup.runtime, setup.org.id)
    waits = await asked(setup.api, reader)
    await _end_all(setup.runtime)
    return {"verification_id": [waits["id"]]}


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest_asyncio.fixture
async def api(alone: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(alone) as client:
        yield client


@pytest.mark.usefixtures("at_noon")
async def test_the_result_is_that_of_the_command(api: httpx.AsyncClient, runtime: Runtime) -> None:
    root = await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=root.id)
    person = await make_person(runtime)
    await give_points(runtime, person.id, 10, at=now() - timedelta(days=1), org=root.id)
    await seals.seal(runtime)
    good, waits = await asked(api, auditor), await api.post(VERIFICATIONS, headers=keyed(auditor))
    assert_refused(waits, 409, "verifications.active")
    assert await job.run(runtime) == 1
    assert await job.run(runtime) == 0
    await as_owner(runtime.settings, "UPDATE ledger_accounts SET balance = balance + 1")
    bad = await asked(api, auditor)
    await job.run(runtime)

    good, bad = [await result(api, auditor, one) for one in (good, bad)]

    async with runtime.database.read() as tx:
        [sealed] = await tx.fetch("SELECT encode(seal, 'hex') AS seal FROM ledger_seals", {})
    assert (good["state"], good["findings"]) == ("ok", [])
    assert (good["head"], good["sealed_to"]) == (
        sealed.seal,
        (local_date(now()) - timedelta(days=1)).isoformat(),
    )
    assert good["checks"] == bad["checks"] > 90
    assert good["rows_read"]["transfers"] == 1
    assert good["duration_s"] > 0
    assert bad["state"] == "findings"
    async with runtime.database.snapshot() as tx:
        report = await verification.verify(tx)
    assert {one["check"]: one["count"] for one in bad["findings"]} == {
        name: sum(one.check == name for one in report.differences)
        for name in {one.check for one in report.differences}
    }
    trail = await api.get(
        "/api/v1/audit",
        headers=auditor.headers,
        params={"org_id": str(root.id), "subject_type": "verification"},
    )
    told = [(one["verb"], one["to"], one["actor"] is None) for one in trail.json()["items"]]
    assert told == [
        ("moved", "findings", True),
        ("created", None, False),
        ("moved", "ok", True),
        ("created", None, False),
    ]


async def test_a_role_below_the_root_reads_no_verification(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    root = await make_org(runtime)
    below = await make_org(runtime, parent=root, level=Level.community)
    auditor = await make_with_role(runtime, Role.auditor, org=below.id)
    above = await make_with_role(runtime, Role.auditor, org=root.id)
    made = await asked(api, above)
    for path in ("", f"/{made['id']}"):
        refused = await api.get(VERIFICATIONS + path, headers=auditor.headers)
        assert_refused(refused, 403, "auth.forbidden")
    refused = await api.post(VERIFICATIONS, headers=keyed(auditor))
    assert_refused(refused, 403, "auth.forbidden")
    unknown = await api.get(f"{VERIFICATIONS}/{root.id}", headers=above.headers)
    assert_refused(unknown, 404, "verifications.not_found")


async def test_what_a_killed_worker_left_is_interrupted_and_never_ok(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = await make_with_role(runtime, Role.auditor, org=(await make_org(runtime)).id)
    left = await asked(api, auditor)
    begun, go_on = asyncio.Event(), asyncio.Event()
    whole = verification.verify_on

    async def slow(*args: Any) -> Report:
        begun.set()
        await go_on.wait()
        return await whole(*args)

    monkeypatch.setattr(verification, "verify_on", slow)
    running = asyncio.create_task(job.run(runtime))
    await begun.wait()
    seen = await result(api, auditor, left)
    async with runtime.database.transaction() as tx:
        early = await verifications.interrupt(tx)
        late = await verifications.interrupt(tx, NOW)  # its worker is frozen for a minute
    again = await asked(api, auditor)
    go_on.set()
    await running  # the frozen worker goes on, and finds no difference

    assert (seen["state"], seen["duration_s"]) == ("running", None)
    assert (early, late) == (0, 1)
    assert (await result(api, auditor, left))["state"] == "interrupted"
    assert await job.run(runtime) == 1
    assert (await result(api, auditor, again))["state"] == "ok"


async def test_a_beat_tells_the_progress_and_ends_what_was_interrupted(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = await make_with_role(runtime, Role.auditor, org=(await make_org(runtime)).id)
    left = await asked(api, auditor)
    monkeypatch.setattr(job, "BEAT_S", 0.01)

    async def never(_: Any, tell: verification.Tell) -> Report:
        tell("lots", 3, 40)
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(verification, "verify_on", never)
    running = asyncio.create_task(job.run(runtime))
    seen: dict[str, Any] = {}
    while seen.get("steps_total") != 40:
        seen = await result(api, auditor, left)
        await asyncio.sleep(0)
    async with runtime.database.transaction() as tx:
        await verifications.interrupt(tx, NOW)
    assert await running == 1

    assert (seen["step"], seen["steps_done"]) == ("lots", 3)
    assert (await result(api, auditor, left))["state"] == "interrupted"


async def test_one_that_raises_has_failed_and_old_ones_are_forgotten(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = await make_with_role(runtime, Role.auditor, org=(await make_org(runtime)).id)
    made = await asked(api, auditor)

    async def broken(*_: Any) -> Report:
        raise ValueError

    monkeypatch.setattr(verification, "verify_on", broken)
    await job.run(runtime)
    assert (await result(api, auditor, made))["state"] == "failed"
    for after, left in ((verifications.KEPT - timedelta(days=1), 1), (verifications.KEPT, 0)):
        async with runtime.database.transaction() as tx:
            await verifications.forget(tx, now() + after + timedelta(minutes=1))
        reply = await api.get(VERIFICATIONS, headers=auditor.headers)
        assert len(reply.json()["items"]) == left
