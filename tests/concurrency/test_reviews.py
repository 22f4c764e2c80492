"""Reviewers, objectors and the clock at once: an award goes one way."""

from collections.abc import Awaitable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.models.ledger import Purpose
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_row_locks
from tests.concurrency.meeting import Meeting, meet_after
from tests.factories.awards import TWO_REVIEWERS, approve, award_body, end_notices, propose, reject
from tests.factories.funds import make_limited
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_person

_AWARD = text("SELECT state, open_objections FROM awards WHERE person_id = :person")
_REVIEWS = text("""
SELECT r.approved, count(*) AS number FROM award_reviews r JOIN awards a ON a.id = r.award_id
WHERE a.person_id = :person GROUP BY r.approved
""")


async def facts_of(runtime: Runtime, person: TestPerson) -> dict[str, Any]:
    async with runtime.database.read() as tx:
        award = (await tx.execute(_AWARD, {"person": person.id})).one()
        reviews = (await tx.execute(_REVIEWS, {"person": person.id})).all()
    return {
        "state": award.state,
        "objections": award.open_objections,
        "approvals": sum(row.number for row in reviews if row.approved),
        "rejections": sum(row.number for row in reviews if not row.approved),
        "pending": await balance(runtime, person.id, Purpose.pending),
        "available": await balance(runtime, person.id),
    }


async def two_approve(app: FastAPI) -> dict[str, Any]:
    """An award that needs two reviewers is approved by both at once."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizer, *reviewers = [await make_organizer(runtime, org.id) for _ in range(3)]
        (award,) = await propose(api, organizer, org, person, **TWO_REVIEWERS)
        await rushes.at_once(approve(api, one, award) for one in reviewers)
        return await facts_of(runtime, person)


async def test_the_second_of_two_approvals_begins_the_notice(app: FastAPI) -> None:
    facts = await two_approve(app)
    assert (facts["approvals"], facts["state"], facts["pending"]) == (2, "notice", 20)


@pytest.mark.long
async def test_control_two_approvals_that_do_not_see_each_other(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, reviewing_queries, "approvals", parties=2)
    facts = await two_approve(broken)
    assert (facts["approvals"], facts["state"]) == (2, "pending"), "nobody is left to begin it"


async def one_approves_one_rejects(app: FastAPI) -> tuple[dict[str, int], dict[str, Any]]:
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizer, first, second = [await make_organizer(runtime, org.id) for _ in range(3)]
        (award,) = await propose(api, organizer, org, person)
        replies = await rushes.at_once([approve(api, first, award), reject(api, second, award)])
        return rushes.outcomes(replies), await facts_of(runtime, person)


async def test_of_approval_and_rejection_one_stands(app: FastAPI) -> None:
    outcomes, facts = await one_approves_one_rejects(app)

    assert outcomes == {"200": 1, "awards.not_pending": 1}
    found = (facts["state"], facts["approvals"], facts["rejections"], facts["pending"])
    assert found in {("notice", 1, 0, 15), ("rejected", 0, 1, 0)}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_rejection(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, granting_queries, "find", parties=2)
    outcomes, facts = await one_approves_one_rejects(broken)
    assert outcomes == {"200": 2}
    assert (facts["approvals"], facts["rejections"], facts["pending"]) == (1, 1, 0)


async def objection_against_release(app: FastAPI) -> tuple[int, dict[str, Any]]:
    """Object in the moment in which the notice is over."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
        (award,) = await propose(api, organizer, org, person)
        await approve(api, reviewer, award)
        objection = object_to(api, await make_person(runtime), award)
        works: list[Awaitable[Any]] = [objection, end_notices(runtime)]
        reply, _ = await rushes.at_once(works)
        return reply.status_code, await facts_of(runtime, person)


async def object_to(
    api: httpx.AsyncClient, person: TestPerson, award: dict[str, Any]
) -> httpx.Response:
    path, body = f"/api/v1/awards/{award['id']}/objections", {"reason": "当天并未到场"}
    return await api.post(path, headers=keyed(person), json=body)


async def test_an_objection_stops_the_release_or_comes_too_late(app: FastAPI) -> None:
    status, facts = await objection_against_release(app)

    found = (status, facts["objections"], facts["state"], facts["available"])
    assert found in {(201, 1, "notice", 0), (409, 0, "available", 15)}


@pytest.mark.long
async def test_control_of_the_objection(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out_row_locks(monkeypatch)
    both = Meeting(2)
    meet_after(monkeypatch, granting_queries, "find", both)
    meet_after(monkeypatch, reviewing_queries, "lock_due", both)
    status, facts = await objection_against_release(broken)
    assert (status, facts["objections"], facts["state"]) == (201, 1, "available")


async def helpers_rejected(app: FastAPI) -> int:
    """Reject both helpers of a dispatch at once; return how its number fares in another proposal.

    Their awards wait for money: of others, two rejections would wait for each other at the fund.
    """
    async with rushes.one_client_of(app) as (api, runtime):
        org, people = await make_limited(runtime), await make_people(runtime, 2)
        organizer, *reviewers = [await make_organizer(runtime, org.id) for _ in range(3)]
        dispatch = {"rule_key": "taskforce_emergency", "evidence": {"dispatch_no": uuid4().hex}}
        awards = await propose(api, organizer, org, *people, **dispatch)
        replies = await rushes.at_once(
            reject(api, reviewer, award) for reviewer, award in zip(reviewers, awards, strict=True)
        )
        assert rushes.outcomes(replies) == {"200": 2}
        body = award_body(org, people, **dispatch)
        again = await api.post("/api/v1/awards", headers=keyed(organizer), json=body)
        return again.status_code


async def test_the_last_of_two_rejections_frees_their_number(app: FastAPI) -> None:
    assert await helpers_rejected(app) == 201


@pytest.mark.long
async def test_control_rejections_that_do_not_see_each_other(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_locked(*_: Any) -> None: ...

    monkeypatch.setattr(reviewing_queries, "lock_numbers", not_locked)
    meet_after(monkeypatch, reviewing_queries, "standing_evidence", parties=2)
    assert await helpers_rejected(broken) == 409, "each kept it for the other"
