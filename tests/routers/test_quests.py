"""Quests: drafted, edited, published, closed; read by everybody."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.quests import QUESTS, checkpoint_body, draft, make_quest, move, quest_body
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation            rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listQuests           anyone     200    200   200  200     200   200     200    200     200   200
listQuests draft     anyone     403    403   403  403     403   403     200+   200+    200+  403
createQuest          organizer  401    403   403  403     403   403     201+   403     201+  403
getQuest             anyone     200    200   200  200     200   200     200    200     200   200
getQuest draft       anyone     404    404   404  404     404   404     200+   200+    200+  404       404=quests.not_found
editQuest            organizer  401    403   403  403     403   404     200+   403     200+  404       404=quests.not_found
publishQuest         organizer  401    403   403  403     403   404     200+   403     200+  404       404=quests.not_found
closeQuest           organizer  401    403   403  403     403   404     200    403     200   404       404=quests.not_found
"""  # noqa: E501 - a table
# Everybody sees what is published.
_DRAFTS = "SELECT id FROM quests WHERE org_id = :home AND state = 'draft'"
HERS = {
    "quests": "org_id = :home AND state = 'draft'",
    "quest_checkpoints": f"quest_id IN ({_DRAFTS})",
    "quest_organizers": f"quest_id IN ({_DRAFTS})",
}
BEYOND_THE_SCHEMA = {
    "request.precondition_failed",
    "body",  # one time before another
    "body.rule_key",  # of the policy in force
    "body.starts_at",
    "body.ends_at",
    "body.needed",
    "body.checkpoints",
    "query.org_id",  # of drafts
}


async def _organizer(world: World) -> TestPerson:
    return await make_organizer(world.runtime, world.home.id)


async def _create(world: World) -> Ask:
    return Ask(body=quest_body(world.home))


async def _published(world: World) -> Ask:
    made = await make_quest(world.api, await _organizer(world), world.home)
    return Ask({"quest_id": made["id"]})


async def _listed(world: World) -> Ask:
    return replace(await _published(world), query={"org_id": str(world.home.id)})


async def _draft(world: World) -> Ask:
    made = await draft(world.api, await _organizer(world), quest_body(world.home))
    return Ask({"quest_id": made["id"]})


async def _drafts(world: World) -> Ask:
    await _draft(world)
    return Ask(query={"org_id": str(world.home.id), "state": "draft"})


async def _edit(world: World) -> Ask:
    body = quest_body(world.home, title="新的标题")
    del body["org_id"]
    return Ask((await _draft(world)).ids, body, headers={"If-Match": '"1"'})


REQUESTS = {
    "listQuests": _listed,
    "listQuests draft": _drafts,
    "createQuest": _create,
    "getQuest": _published,
    "getQuest draft": _draft,
    "editQuest": _edit,
    "publishQuest": _draft,
    "closeQuest": _published,
}


async def known(setup: Setup) -> Known:
    made = [await make_quest(setup.api, setup.organizer, setup.org) for _ in range(FEW)]
    return {"quest_id": [one["id"] for one in made]}


async def test_a_quest_from_draft_to_close(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, resident = await make_organizer(runtime, org.id), await make_person(runtime)
    body = quest_body(org)
    made = await draft(api, organizer, body)
    path = f"{QUESTS}/{made['id']}"
    assert [one["number"] for one in made["checkpoints"]] == [1, 2, 3]
    for one in made["checkpoints"]:
        assert (one["opens_at"], one["closes_at"]) == (made["starts_at"], made["ends_at"])
    assert_refused(await api.get(path, headers=resident.headers), 404, "quests.not_found")
    assert await walk(api, QUESTS, org_id=str(org.id)) == []

    opens = (now() + timedelta(minutes=5)).isoformat()
    edited = {k: v for k, v in body.items() if k != "org_id"}
    edited |= {"needed": 1, "checkpoints": [checkpoint_body(1, opens_at=opens)]}
    headers = organizer.headers | {"If-Match": '"1"'}
    first = await api.put(path, headers=headers, json=edited)
    again = await api.put(path, headers=organizer.headers | {"If-Match": '"2"'}, json=edited)
    stale = await api.put(path, headers=headers, json=edited)

    assert (first.status_code, first.json()["version"]) == (200, 2)
    assert again.json() == first.json(), "nothing has changed"
    [checkpoint] = first.json()["checkpoints"]
    assert datetime.fromisoformat(checkpoint["opens_at"]) == datetime.fromisoformat(opens)
    assert_refused(stale, 412, "request.precondition_failed")
    assert_refused(await move(api, organizer, made, "close"), 409, "quests.wrong_state")
    published = await move(api, organizer, made, "publish")
    assert (published.json()["state"], published.json()["version"]) == ("published", 3)
    headers = organizer.headers | {"If-Match": '"3"'}
    refused = await api.put(path, headers=headers, json=edited)
    assert_refused(refused, 409, "quests.wrong_state")
    assert refused.json()["facts"] == {"status": "published"}
    [listed] = await walk(api, QUESTS, org_id=str(org.id))
    seen = (await api.get(path, headers=resident.headers)).json()
    assert seen["mine"] == {
        "done": 0,
        "needed": 1,
        "visited": [],
        "completed_at": None,
        "award": None,
    }
    assert (await api.get(path)).json() == seen | {"mine": None}
    assert listed.items() <= seen.items()
    closed = await move(api, organizer, made, "close")
    assert closed.json()["state"] == "closed"
    admin = await make_administrator(runtime, org.id)
    told = [one["verb"] for one in await entries(api, admin, org) if one["verb"] != "appointed"]
    assert told[::-1] == ["created", "organizes", "changed", "moved", "moved"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rule_key": "volunteer_hour"}, "body.rule_key"),  # by time
        ({"rule_key": "blood_donation"}, "body.rule_key"),
        ({"rule_key": "no_such_rule"}, "body.rule_key"),
        ({"needed": 4}, "body"),
        ({"starts_at": "2021-01-01T00:00:00Z"}, "body.starts_at"),
        ({"ends_at": (now() + timedelta(days=800)).isoformat()}, "body.ends_at"),
        ({"ends_at": (now() - timedelta(minutes=5)).isoformat()}, "body.ends_at"),
        ({"checkpoints": []}, "body.checkpoints"),
        ({"checkpoints": [checkpoint_body(n) for n in range(51)]}, "body.checkpoints"),
        ({"checkpoints": [checkpoint_body(closes_at="2090-01-01T00:00:00Z")], "needed": 1}, "body"),
    ],
)
async def test_what_is_no_quest_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, changes: dict[str, Any], field: str
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    reply = await api.post(QUESTS, headers=keyed(organizer), json=quest_body(org, **changes))
    assert_refused(reply, 422, "request.invalid")
    assert [one["field"] for one in reply.json()["errors"]] == [field]


async def test_a_rule_per_session_is_met_too(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    made = await make_quest(api, organizer, org, rule_key="activity_checkin")
    assert made["rule_key"] == "activity_checkin"
