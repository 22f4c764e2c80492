"""`qingxiang roles grant`: an appointment, once, on record."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner, Result

from app.cli import attached, roles
from app.core.settings import Settings
from app.models.people import Role
from app.runtime import Runtime
from app.services import roles as service
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_person, make_with_role
from tests.factories.rewards import make_counter
from tests.routers.test_audit import entries

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return how to run a command against the database of the tests."""
    monkeypatch.setattr(attached, "get_settings", lambda: settings)

    async def invoke(*words: object) -> Result:
        given = ["grant", *(str(word) for word in words)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(roles.cli, given))

    return invoke


async def test_an_appointment_at_an_organisation_is_on_record_once(
    api: httpx.AsyncClient, runtime: Runtime, run: Run
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)

    for _ in range(2):
        done = await run(person.id, Role.organizer, "--org", org.code)
        assert done.exit_code == 0, done.output

    [entry] = await entries(api, auditor, org)
    assert (entry["verb"], entry["actor"]) == ("appointed", None)
    assert entry["subject"] == {"type": "person", "id": str(person.id)}
    assert entry["facts"].keys() == {"role", "starts_at"}
    assert entry["facts"]["role"] == "organizer"
    me = (await api.get("/api/v1/me", headers=person.headers)).json()
    assert [one["role"] for one in me["roles"]] == ["organizer"]


async def test_an_appointment_at_a_counter_is_on_record_at_its_organisation(
    api: httpx.AsyncClient, runtime: Runtime, run: Run
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    merchant = (await make_counter(runtime, org=org)).merchant
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)

    done = await run(person.id, Role.merchant_staff, "--merchant", merchant.id)

    assert done.exit_code == 0, done.output
    [entry] = await entries(api, auditor, org, subject=f"person:{person.id}")
    facts = {"role": "merchant_staff", "merchant": str(merchant.id)}
    assert entry["facts"] | facts == entry["facts"]


async def test_whoever_appoints_is_named(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    admin = await make_administrator(runtime, org.id)
    async with runtime.database.transaction() as tx:
        await service.appoint_at_org(tx, admin.id, person.id, Role.auditor, org.id)
    [entry] = await entries(api, admin, org)
    assert entry["actor"]["id"] == str(admin.id)


async def test_nobody_is_appointed_who_or_where_nobody_is(runtime: Runtime, run: Run) -> None:
    person = await make_person(runtime)
    for words in (
        (uuid4(), Role.organizer, "--org", (await make_org(runtime)).code),
        (person.id, Role.organizer, "--org", "000"),
        (person.id, Role.merchant_staff, "--merchant", uuid4()),
    ):
        done = await run(*words)
        assert (done.exit_code, "There is no such" in done.output) == (1, True), done.output
