"""Evidence at once: what was approved is what the reviewers saw, and it is added once."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.services.awards import review
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_row_locks
from tests.concurrency.meeting import meet_after, until_somebody_waits_for
from tests.factories.attachments import ATTACHMENTS, attach, upload
from tests.factories.awards import propose
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person
from tests.routers.test_own_acts import add, emergency

CHANGES = ["upload", "delete"]


async def change_during_approval(app: FastAPI, change: str, *, waits: bool) -> httpx.Response:
    """Change the evidence of an award whose approval is not committed yet."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
        (award,) = await propose(api, organizer, org, person)
        made = await attach(api, person, ("award", award["id"]))
        async with runtime.database.transaction() as tx:
            await review.approve(tx, reviewer.id, award["id"])
            sent: Any = (
                upload(api, person, ("award", award["id"]))
                if change == "upload"
                else api.delete(f"{ATTACHMENTS}/{made['id']}", headers=keyed(person))
            )
            task = asyncio.create_task(sent)
            await (until_somebody_waits_for(runtime, tx) if waits else task)
        reply: httpx.Response = await task
        return reply


@pytest.mark.parametrize("change", CHANGES)
async def test_evidence_that_is_approved_does_not_change(app: FastAPI, change: str) -> None:
    reply = await change_during_approval(app, change, waits=True)
    assert_refused(reply, 409, "attachments.closed")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.long
async def test_control_evidence_that_changes_while_it_is_approved(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    take_out_row_locks(monkeypatch)
    reply = await change_during_approval(broken, change, waits=False)
    assert reply.status_code in (201, 204)


async def evidence_at_once(app: FastAPI) -> tuple[dict[str, int], int]:
    """Two organizers add a dispatch number to one award by attendance.

    Return the replies, and how many numbers are used up.
    """
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizers = [await make_organizer(runtime, org.id) for _ in "ab"]
        _, awards = await emergency(api, runtime, org, person)
        replies = await rushes.at_once(
            add(api, one, awards, dispatch_no=uuid4().hex) for one in organizers
        )
        async with runtime.database.read() as tx:
            award = await granting_queries.find(tx, UUID(awards[0]))
            assert award is not None
            assert award.proposal_id is not None
            used = await reviewing_queries.numbers_of_proposal(tx, award.proposal_id)
        return rushes.outcomes(replies), len(used)


async def test_evidence_is_added_once(app: FastAPI) -> None:
    assert await evidence_at_once(app) == ({"200": 1, "awards.evidence_there": 1}, 1)


@pytest.mark.long
async def test_control_evidence_that_is_added_without_a_lock(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, granting_queries, "lock_many", parties=2)
    assert await evidence_at_once(broken) == ({"200": 2}, 2)
