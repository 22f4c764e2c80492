"""Objections at once: at most five of one person are open, and one is decided once."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.queries import cases as case_queries
from app.queries import records as record_queries
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_row_locks
from tests.concurrency.meeting import meet_after
from tests.factories.awards import approve, propose
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_person

AWARDS = "/api/v1/awards"


async def in_notice(
    api: httpx.AsyncClient, runtime: Runtime, number: int
) -> tuple[list[dict[str, Any]], list[TestPerson]]:
    """Return awards in public notice, and two organizers with no part in them."""
    org, people = await make_org(runtime), await make_people(runtime, number)
    organizer, reviewer, *judges = [await make_organizer(runtime, org.id) for _ in range(4)]
    awards = await propose(api, organizer, org, *people)
    for award in awards:
        await approve(api, reviewer, award)
    return awards, judges


async def object_to(
    api: httpx.AsyncClient, person: TestPerson, award: dict[str, Any]
) -> httpx.Response:
    path, body = f"{AWARDS}/{award['id']}/objections", {"reason": "当天并未到场"}
    return await api.post(path, headers=keyed(person), json=body)


async def the_fifth_and_the_sixth(app: FastAPI) -> dict[str, int]:
    async with rushes.one_client_of(app) as (api, runtime):
        person = await make_person(runtime)
        awards, _ = await in_notice(api, runtime, 6)
        for award in awards[:4]:
            assert (await object_to(api, person, award)).status_code == 201
        replies = await rushes.at_once(object_to(api, person, award) for award in awards[4:])
        return rushes.outcomes(replies)


async def test_five_objections_are_open_at_most(app: FastAPI) -> None:
    outcomes = await the_fifth_and_the_sixth(app)
    assert outcomes == {"201": 1, "awards.too_many_objections": 1}


@pytest.mark.long
async def test_control_objections_that_do_not_see_each_other(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, case_queries, "count_open", parties=2)
    assert await the_fifth_and_the_sixth(broken) == {"201": 2}


async def two_decide(app: FastAPI) -> dict[str, int]:
    """Two organizers decide one objection at once, each in another way."""
    async with rushes.one_client_of(app) as (api, runtime):
        [award], judges = await in_notice(api, runtime, 1)
        objection = (await object_to(api, await make_person(runtime), award)).json()
        path = f"{AWARDS}/objections/{objection['id']}/decision"
        replies = await rushes.at_once(
            api.post(path, headers=keyed(judge), json={"upheld": upheld, "reason": "已核实"})
            for judge, upheld in zip(judges, (True, False), strict=True)
        )
        return rushes.outcomes(replies)


async def test_an_objection_is_decided_once(app: FastAPI) -> None:
    assert await two_decide(app) == {"200": 1, "awards.objection_decided": 1}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_decision(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, record_queries, "lock", parties=2)
    outcomes = await two_decide(broken)
    assert outcomes == {"200": 1, "service.internal": 1}, "the number of the entry is taken"
