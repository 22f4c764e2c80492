"""Reviews of many awards at once: all or none, or an outcome for each."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.runtime import Runtime
from tests.factories.awards import approve, end_notices, propose
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
)
from tests.routers.test_audit import entries
from tests.routers.test_award_review import points
from tests.security.schema_world import MANY, Known, Setup
from tests.security.world import Ask, World

AWARDS = "/api/v1/awards"
MATRIX = """
operation      rule       nobody alice bob  counter rival sibling parent auditor admin outsider
approveAwards  organizer  401    403   403  403     403   404     200+   403     200+  404       404=awards.not_found
rejectAwards   organizer  401    403   403  403     403   404     200+   403     200+  404       404=awards.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {"body.award_ids"}  # one id in two spellings
REASON = {"reason": "材料不全"}


async def _approvals(world: World) -> Ask:
    proposer = await make_organizer(world.runtime, world.home.id)
    [award] = await propose(world.api, proposer, world.home, world.alice)
    return Ask(body={"award_ids": [award["id"]]})


async def _rejections(world: World) -> Ask:
    return Ask(body=(await _approvals(world)).body | REASON)


REQUESTS = {"approveAwards": _approvals, "rejectAwards": _rejections}


async def known(setup: Setup) -> Known:
    people = await make_people(setup.runtime, MANY)
    pending = await propose(setup.api, setup.organizer, setup.org, *people)
    return {"award_ids[*]": [award["id"] for award in pending]}


async def send(
    api: httpx.AsyncClient, reviewer: TestPerson, verb: str, *ids: str, **more: Any
) -> httpx.Response:
    body = {"award_ids": list(ids)} | (REASON if verb == "rejections" else {}) | more
    return await api.post(f"{AWARDS}/{verb}", headers=keyed(reviewer), json=body)


@pytest.mark.parametrize(("verb", "state"), [("approvals", "notice"), ("rejections", "rejected")])
async def test_each_award_has_an_outcome_of_its_own(
    api: httpx.AsyncClient, runtime: Runtime, verb: str, state: str
) -> None:
    org = await make_org(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    first, second, third = await make_people(runtime, 3)
    mine = (await propose(api, reviewer, org, third))[0]["id"]
    to_me, done, *waiting = [
        one["id"] for one in await propose(api, organizer, org, reviewer, third, first, second)
    ]
    assert (await approve(api, reviewer, {"id": done})).status_code == 200
    elsewhere = await make_org(runtime)
    others = await make_organizer(runtime, elsewhere.id)
    theirs = (await propose(api, others, elsewhere, first))[0]["id"]
    ids = [waiting[0], mine, to_me, done, theirs, str(uuid4()), waiting[1]]
    codes = ["own_proposal", "own_award", "not_pending", "not_found", "not_found"]

    none = await send(api, reviewer, verb, *ids)
    assert_refused(none, 403, "awards.own_proposal")
    assert [one["field"] for one in none.json()["errors"]] == ["body.award_ids.1"]
    assert await points(api, first) == (0, 30, 0)  # of both organisations

    reply = await send(api, reviewer, verb, *ids, partial=True)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert [(one["id"], one["state"]) for one in body["items"]] == [(i, state) for i in waiting]
    refused = [(one["award_id"], one["code"]) for one in body["refused"]]
    assert refused == list(zip(ids[1:6], [f"awards.{code}" for code in codes], strict=True))
    assert body["refused"][2]["facts"] == {"status": "notice"}
    assert all(one["msg"] for one in body["refused"])

    too_many = await send(api, reviewer, verb, *[str(uuid4()) for _ in range(201)], partial=True)
    assert_refused(too_many, 422, "request.invalid")
    again = await send(api, reviewer, verb, *waiting, partial=True)
    assert [one["code"] for one in again.json()["refused"]] == ["awards.not_pending"] * 2
    paid = state == "notice"
    assert await points(api, second) == (0, 15 if paid else 0, 0)
    kind = "award_approved" if paid else "award_rejected"
    assert [one["kind"] for one in await inbox(api, runtime, second)] == [kind]
    admin = await make_administrator(runtime, org.id)
    about = {one["subject"]["id"] for one in await entries(api, admin, org)} & {*ids}
    assert about == {waiting[0], waiting[1], done}
    await end_notices(runtime)
    assert await points(api, second) == (15 if paid else 0, 0, 0)
    await assert_ledger_verifies(runtime)


@pytest.mark.long
async def test_two_hundred_are_reviewed_at_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    people = await make_people(runtime, 200)
    ids = [one["id"] for one in await propose(api, organizer, org, *people)]
    many = await send(api, reviewer, "rejections", *ids)
    assert many.status_code == 200, many.text
    assert [one["id"] for one in many.json()["items"]] == ids
    await assert_ledger_verifies(runtime)
