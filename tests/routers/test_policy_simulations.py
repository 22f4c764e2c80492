"""Simulations: asked for, run by a job, whole or not at all, and forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import BEGINNING, local_date, now
from app.jobs import policy_simulations as job
from app.jobs import retention as retention_job
from app.models.orgs import Org
from app.queries import policy_simulations as queries
from app.runtime import Runtime
from app.services import erasures
from app.services.policy_simulations import running
from app.services.retention import SIMULATIONS_KEPT
from tests.engines import as_owner
from tests.factories.attendance import in_force_since
from tests.factories.awards import give_award
from tests.factories.clock import TODAY, travel
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import Completion, Known, Setup
from tests.security.world import Ask, World
from tests.services.test_policies import SOURCE

SIMULATIONS = "/api/v1/policies/simulations"
MATRIX = """
operation               rule           nobody alice bob  counter rival sibling parent auditor admin outsider
simulatePolicy          administrator  401    403   403  403     403   403     403    403     202   403
listPolicySimulations   administrator  401    403   403  403     403   403     403    403     200   403
getPolicySimulation     administrator  401    403   403  403     403   403     403    403     200   404  404=policy_simulations.not_found
listSimulatedPeople     administrator  401    403   403  403     403   403     403    403     200+  404  404=policy_simulations.not_found
cancelPolicySimulation  administrator  401    403   403  403     403   403     403    403     200   404  404=policy_simulations.not_found
"""  # noqa: E501 - a table
BESIDE_POINTS = {"policy_simulations", "simulated_people"}
HERS = {"policy_simulations": "created_by = :alice", "simulated_people": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    *("policy_drafts.invalid", "policy_simulations.wrong_period", "request.invalid"),
}
HALF_A_CAP = "[rules.volunteer_hour]\ncap = { day = 4 }\n"


def period(since: int = 30, until: int = 0, **more: Any) -> dict[str, Any]:
    """Return the body of a simulation, from so many days ago to so many."""
    first, last = (TODAY - timedelta(days=one) for one in (since, until))
    days = {"first_day": first.isoformat(), "last_day": last.isoformat()}
    return {"document": HALF_A_CAP} | days | more


async def _ask(world: World) -> Ask:
    return Ask(body=period(org_id=str(world.home.id)))


async def _asked(world: World) -> Ask:
    admin = world.everybody["admin"]
    assert admin is not None
    path, ask = SIMULATIONS, await _ask(world)
    reply = await world.api.post(path, headers=keyed(admin), json=ask.body)
    if reply.status_code == 409:
        return Ask({"simulation_id": reply.json()["facts"]["simulation_id"]})
    return Ask({"simulation_id": reply.json()["id"]})


async def _done(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=8, minutes=240, days_ago=5)
    ask = await _asked(world)
    await job.simulate(world.runtime)
    return ask


async def _listed(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


REQUESTS = {
    "simulatePolicy": _ask,
    "listPolicySimulations": _listed,
    "getPolicySimulation": _asked,
    "listSimulatedPeople": _done,
    "cancelPolicySimulation": _asked,
}


async def _under_way(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, admin = await make_place(runtime)
    made = await ask(api, admin, org)
    facts = {"simulation_id": made["id"], "status": "waiting"}
    body = period(org_id=str(org.id))
    return Refused(admin, "POST", "/policies/simulations", facts, body)


async def _ten_years(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, admin = await make_place(runtime)
    facts = {"opens_at": BEGINNING, "limit": 366, "measure": "days"}
    body = period(since=3652, org_id=str(org.id))
    return Refused(admin, "POST", "/policies/simulations", facts, body)


async def _not_done(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, admin = await make_place(runtime)
    made = await ask(api, admin, org)
    path = f"/policies/simulations/{made['id']}/people"
    return Refused(admin, "GET", path, {"status": "waiting"})


REFUSED = {
    "policy_simulations.under_way": _under_way,
    "policy_simulations.wrong_period": _ten_years,
    "policy_simulations.not_done": _not_done,
}


async def known(setup: Setup) -> Known:
    admin = await make_administrator(setup.runtime, setup.org.id)
    made = await ask(setup.api, admin, setup.org)
    return {"simulation_id": [made["id"]]}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        if "first_day" in body:
            body.update(period())

    return complete


async def make_place(runtime: Runtime) -> tuple[Org, TestPerson]:
    """Return a street with its administrator."""
    org = await make_org(runtime)
    return org, await make_administrator(runtime, org.id)


async def ask(api: httpx.AsyncClient, person: TestPerson, org: Org, **more: Any) -> dict[str, Any]:
    body = period(**more) | {"org_id": str(org.id)}
    reply = await api.post(SIMULATIONS, headers=keyed(person), json=body)
    assert reply.status_code == 202, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def read(
    api: httpx.AsyncClient, person: TestPerson, made: dict[str, Any], language: str = "zh"
) -> dict[str, Any]:
    headers = person.headers | {"Accept-Language": language}
    reply = await api.get(f"{SIMULATIONS}/{made['id']}", headers=headers)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def earners(runtime: Runtime, org: Org, number: int) -> list[TestPerson]:
    """Let people earn 8 points each by half a day of service, under the rules of the place."""
    await in_force_since(runtime, org, SOURCE, BEGINNING)
    people = [await make_person(runtime, "欧阳小青") for _ in range(number)]
    for person in people:
        await give_award(runtime, person, org, points=8, minutes=240, days_ago=5)
    return people


async def test_a_committee_reads_who_would_have_earned_what(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PEOPLE_AT_ONCE", 2)
    org, admin = await make_place(runtime)
    people = await earners(runtime, org, 3)
    made = await ask(api, admin, org)
    assert (made["state"], made["people_done"], made["people_total"]) == ("waiting", 0, None)
    assert (await read(api, admin, made))["result"] is None

    assert await job.simulate(runtime) >= 1

    done = await read(api, admin, made, "en")
    assert (done["state"], done["people_done"], done["people_total"]) == ("done", 3, 3)
    total = done["result"]["total"]
    assert (total["now"]["points"], total["draft"]["points"]) == (24, 12)
    [rule] = done["result"]["rules"]
    assert (rule["key"], rule["name"], rule["draft"]["cut"]) == (
        "volunteer_hour",
        "Hours of volunteering",
        12,
    )
    [reason] = done["result"]["reasons"]
    assert (reason["reason"], reason["msg"], reason["draft"]) == (
        "cap_day",
        "Limited by the rule's daily cap.",
        3,
    )
    assert done["result"]["funds"][0]["org_name"] == org.name
    assert (done["result"]["less"], done["result"]["more"]) == (3, 0)
    most = done["most_changed"]
    assert {one["person_id"] for one in most} == {str(one.id) for one in people}
    assert {(one["display_name"], one["change"]) for one in most} == {("欧*青", -4)}

    path = f"{SIMULATIONS}/{made['id']}/people"
    listed = await walk(api, path, admin.headers, limit=2)
    assert [(one["points_now"], one["points_draft"], one["cap_hits"]) for one in listed] == [
        (8, 4, 1)
    ] * 3
    assert await walk(api, path, admin.headers, points="more") == []
    assert len(await walk(api, path, admin.headers, points="less")) == 3
    for form in FORMS:
        rows = await exported(api, f"/policies/simulations/{made['id']}/people", form, admin)
        assert [(row["姓名"], row["草案积分"]) for row in rows] == [("欧*青", "4")] * 3
    verbs = [one["verb"] for one in await entries(api, admin, org)]
    assert verbs[:3] == ["exported", "exported", "created"]
    params = {"org_id": str(org.id)}
    history = await walk(api, SIMULATIONS, admin.headers, **params)
    assert [one["id"] for one in history] == [made["id"]]


async def test_what_is_no_past_no_document_or_the_second_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    wrong = {
        "policy_simulations.wrong_period": (
            period(since=3652),
            period(since=367),
            period(since=-1, until=-2),
            period() | {"first_day": "0001-01-01", "last_day": "0001-01-02"},
        ),
        "request.invalid": (period(since=1, until=2), period(document="")),
        "policy_drafts.invalid": (period(document="[caps]\nday = 1000\n"),),
    }
    for code, bodies in wrong.items():
        for body in bodies:
            reply = await api.post(
                SIMULATIONS, headers=keyed(admin), json=body | {"org_id": str(org.id)}
            )
            assert_refused(reply, 422, code)
    # Part of a period that is not over yet goes up to today.
    made = await ask(api, admin, org, since=10, until=-20)
    assert made["last_day"] == local_date(now()).isoformat()
    body = period(org_id=str(org.id))
    replies = await asyncio.gather(
        *(api.post(SIMULATIONS, headers=keyed(admin), json=body) for _ in range(3))
    )
    for reply in replies:
        assert_refused(reply, 409, "policy_simulations.under_way")
    # Another organisation has its own; one for all is not for this administrator.
    other, boss = await make_place(runtime)
    await ask(api, boss, other)
    assert_refused(
        await api.post(SIMULATIONS, headers=keyed(boss), json=period()), 403, "auth.forbidden"
    )
    for path in ("", "/people"):
        reply = await api.get(f"{SIMULATIONS}/{made['id']}{path}", headers=boss.headers)
        assert_refused(reply, 404, "policy_simulations.not_found")


async def test_a_cancelled_one_has_no_result_and_makes_room(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    made = await ask(api, admin, org)
    path = f"{SIMULATIONS}/{made['id']}/cancel"
    cancelled = await api.post(path, headers=keyed(admin))
    assert cancelled.json()["state"] == "cancelled"
    again = await api.post(path, headers=keyed(admin))
    assert_refused(again, 409, "policy_simulations.wrong_state")
    assert again.json()["facts"] == {"status": "cancelled"}
    second = await ask(api, admin, org)
    await job.simulate(runtime)
    states = [(await read(api, admin, one))["state"] for one in (made, second)]
    assert states == ["cancelled", "done"]


Step = Callable[[], Awaitable[None]]


def before_the_second_write(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    """Do something when the second part of the people of a simulation is about to be written."""
    monkeypatch.setattr(running, "PEOPLE_AT_ONCE", 1)
    real, writes = running._Writer.write, 0

    async def write(self: Any, **end: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            await step()
        await real(self, **end)

    monkeypatch.setattr(running._Writer, "write", write)


class Killed(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


async def people_of(runtime: Runtime, made: dict[str, Any]) -> int:
    async with runtime.database.read() as tx:
        return len(await queries.people_page(tx, UUID(made["id"]), None, None, 100))


async def test_a_killed_worker_leaves_no_half_and_another_begins_again(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, admin = await make_place(runtime)
    await earners(runtime, org, 3)
    made = await ask(api, admin, org)

    async def die() -> None:
        raise Killed

    before_the_second_write(monkeypatch, die)
    with pytest.raises(Killed):
        await job.simulate(runtime)
    half = await read(api, admin, made)
    assert (half["state"], half["people_done"], half["result"]) == ("running", 1, None)
    assert await people_of(runtime, made) == 1
    reply = await api.get(f"{SIMULATIONS}/{made['id']}/people", headers=admin.headers)
    assert_refused(reply, 409, "policy_simulations.not_done")
    # It may still be at work: nobody begins again while it was heard of a moment ago.
    await job.simulate(runtime)
    assert (await read(api, admin, made))["state"] == "running"

    await silence(runtime, made)
    await job.simulate(runtime)
    whole = await read(api, admin, made)
    assert (whole["state"], whole["people_done"]) == ("done", 3)
    assert whole["result"]["total"]["draft"]["points"] == 12
    assert await people_of(runtime, made) == 3


async def test_who_is_overtaken_or_cancelled_writes_nothing_more(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, admin = await make_place(runtime)
    await earners(runtime, org, 3)
    made = await ask(api, admin, org)

    async def cancel() -> None:
        path = f"{SIMULATIONS}/{made['id']}/cancel"
        assert (await api.post(path, headers=keyed(admin))).status_code == 200

    with monkeypatch.context() as patch:
        before_the_second_write(patch, cancel)
        await job.simulate(runtime)
    assert (await read(api, admin, made))["state"] == "cancelled"
    assert await people_of(runtime, made) == 0

    second = await ask(api, admin, org)

    async def overtake() -> None:
        """Another worker runs it to its end while this one does not get any time."""
        await silence(runtime, second)
        await job.simulate(runtime)

    with monkeypatch.context() as patch:
        before_the_second_write(patch, overtake)
        await job.simulate(runtime)
    done = await read(api, admin, second)
    assert (done["state"], done["people_done"]) == ("done", 3)
    assert await people_of(runtime, second) == 3


async def test_what_kills_every_worker_or_became_invalid_fails(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    made = await ask(api, admin, org)
    where = f"WHERE id = '{made['id']}'"
    await as_owner(
        runtime.settings,
        "UPDATE policy_simulations SET state = 'running', attempts = 5,"  # noqa: S608 - an id
        f" heard_at = now() - interval '1 hour' {where}",
    )
    await job.simulate(runtime)
    failed = await read(api, admin, made)
    assert (failed["state"], failed["failure"]) == ("failed", "service.busy")

    second = await ask(api, admin, org)
    source = "source = E'[caps]\\nday = 1000'"
    await as_owner(
        runtime.settings,
        f"UPDATE policy_simulations SET {source} WHERE id = '{second['id']}'",  # noqa: S608
    )
    await job.simulate(runtime)
    failed = await read(api, admin, second)
    assert (failed["state"], failed["failure"]) == ("failed", "policy_drafts.invalid")


async def test_it_is_forgotten_with_its_people_and_they_with_themselves(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    [person, _] = await earners(runtime, org, 2)
    made = await ask(api, admin, org)
    await job.simulate(runtime)
    done = await read(api, admin, made)
    async with runtime.database.transaction() as tx:
        await erasures.erase(tx, [person.id], now())
    assert await people_of(runtime, made) == 1
    assert done["forgotten_at"] is not None
    with travel(now() + SIMULATIONS_KEPT + timedelta(seconds=5)):
        await retention_job.forget(runtime)
    reply = await api.get(f"{SIMULATIONS}/{made['id']}", headers=admin.headers)
    assert_refused(reply, 404, "policy_simulations.not_found")


async def silence(runtime: Runtime, made: dict[str, Any]) -> None:
    """Let the worker of a simulation not have been heard of for a while."""
    await as_owner(
        runtime.settings,
        "UPDATE policy_simulations SET heard_at = now() - interval '2 minutes'"  # noqa: S608
        f" WHERE id = '{made['id']}'",
    )
