"""Templates: an organisation writes them, it and those below it start activities from them."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from app.core.clock import now
from app.models.orgs import Level, Org
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

TEMPLATES = "/api/v1/activity-templates"
MATRIX = """
operation               rule       nobody alice bob  counter rival sibling parent auditor admin outsider
createActivityTemplate  organizer  401    403   403  403     403   403     201+   403     201+  403
listActivityTemplates   reader     401    403   403  403     403   403     200+   200+    200+  403
getActivityTemplate     reader     401    403   403  403     403   404     200+   200+    200+  404       404=activity_templates.not_found
editActivityTemplate    organizer  401    403   403  403     403   404     200+   403     200+  404       404=activity_templates.not_found
deleteActivityTemplate  organizer  401    403   403  403     403   404     204+   403     204+  404       404=activity_templates.not_found
startActivity           organizer  401    403   403  403     403   404     201+   403     201+  404       404=activity_templates.not_found
"""  # noqa: E501 - a table
HERS = {"activity_templates": "org_id = :home"}
BESIDE_POINTS = {"activity_templates"}
BEYOND_THE_SCHEMA = {
    "request.precondition_failed",
    "body.rule_key",  # of the policy in force
    "body.minimum_attendance",
    "body.checks_out",  # only by rules that pay by time
    "body.sessions",
    "body.org_id",  # of the template, or below it
    "body.starts_at",
    "body.ends_at",
    "body.signup_closes_at",
    "body.capacity",
    "body.minutes",
}


def template_body(org: Org, **changes: Any) -> dict[str, Any]:
    return {
        "org_id": str(org.id),
        "name": "周末植树",
        "title": "清明植树",
        "description": "带水",
        "category": "volunteer_service",
        "minutes": 120,
        "capacity": 30,
        "rule_key": "volunteer_hour",
        "location": {"name": "江边", "latitude": 32.2, "longitude": 119.8, "radius_m": 50},
    } | changes


async def _create(world: World) -> Ask:
    return Ask(body=template_body(world.home))


async def _made(world: World) -> Ask:
    body = template_body(world.home)
    organizer = await make_organizer(world.runtime, world.home.id)
    made = await create(world.api, organizer, body)
    del body["org_id"]
    return Ask({"activity_template_id": made["id"]}, body | {"title": "夏至植树"})


async def _listed(world: World) -> Ask:
    return Ask((await _made(world)).ids, query={"org_id": str(world.home.id)})


async def _plain(world: World) -> Ask:
    return Ask((await _made(world)).ids)


async def _start(world: World) -> Ask:
    body = {"org_id": str(world.home.id), "starts_at": (now() + timedelta(days=1)).isoformat()}
    return Ask((await _made(world)).ids, body)


REQUESTS = {
    "createActivityTemplate": _create,
    "listActivityTemplates": _listed,
    "getActivityTemplate": _plain,
    "editActivityTemplate": _made,
    "deleteActivityTemplate": _plain,
    "startActivity": _start,
}


async def create(
    api: httpx.AsyncClient, organizer: TestPerson, body: dict[str, Any]
) -> dict[str, Any]:
    reply = await api.post(TEMPLATES, headers=keyed(organizer), json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def known(setup: Setup) -> Known:
    body = template_body(setup.org)
    made = [await create(setup.api, setup.organizer, body) for _ in range(FEW)]
    return {"activity_template_id": [one["id"] for one in made]}


async def completion(setup: Setup) -> Completion:
    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("rule_key") in known["rule_key"]:
            body["rule_key"] = "volunteer_hour"
        if "org_id" in body and "starts_at" in body:
            body["org_id"] = str(setup.org.id)

    return complete


async def test_an_activity_is_started_from_a_template(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    elsewhere = await make_org(runtime)
    above, below = [await make_organizer(runtime, org.id) for org in (street, community)]
    body = template_body(street)
    made = await create(api, above, body)
    starts_at = now() + timedelta(days=3)

    async def start(caller: TestPerson, org: Org) -> httpx.Response:
        asked = {"org_id": str(org.id), "starts_at": starts_at.isoformat()}
        path = f"{TEMPLATES}/{made['id']}/activities"
        return await api.post(path, headers=keyed(caller), json=asked)

    started = await start(below, community)

    assert started.status_code == 201, started.text
    draft = started.json()
    for name in ("title", "description", "category", "capacity", "rule_key", "location"):
        assert draft[name] == body[name] == made[name]
    assert datetime.fromisoformat(draft["starts_at"]) == starts_at
    assert datetime.fromisoformat(draft["ends_at"]) == starts_at + timedelta(hours=2)
    assert (draft["status"], draft["org_id"]) == ("draft", str(community.id))
    assert_refused(await start(below, street), 403, "auth.forbidden")
    stranger = await start(await make_organizer(runtime, elsewhere.id), elsewhere)
    assert_refused(stranger, 404, "activity_templates.not_found")
    refused = await start(above, elsewhere)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == ["body.org_id"]
    admin = await make_administrator(runtime, street.id)
    entry = (await entries(api, admin, community))[0]
    assert (entry["verb"], entry["facts"]) == (
        "created",
        {"about": f"activity_template:{made['id']}"},
    )


async def test_an_organisation_finds_its_own_and_those_from_above(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    community, sibling = [
        await make_org(runtime, parent=street, level=Level.community) for _ in range(2)
    ]
    boss = await make_organizer(runtime, street.id)
    made = [await create(api, boss, template_body(org)) for org in (street, community, sibling)]
    below = await make_organizer(runtime, community.id)

    for limit in (1, 100):
        found = await walk(api, TEMPLATES, below.headers, org_id=str(community.id), limit=limit)
        assert found == [made[1], made[0]]
    assert (await api.get(f"{TEMPLATES}/{made[0]['id']}", headers=below.headers)).json() == made[0]
    assert_refused(
        await api.get(f"{TEMPLATES}/{made[2]['id']}", headers=below.headers),
        *(404, "activity_templates.not_found"),
    )
    changed = {k: v for k, v in template_body(street).items() if k != "org_id"}
    refused = await api.put(
        f"{TEMPLATES}/{made[0]['id']}", headers=below.headers | {"If-Match": '"1"'}, json=changed
    )
    assert_refused(refused, 404, "activity_templates.not_found")


async def test_a_series_is_started_from_a_template(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, week = await make_organizer(runtime, org.id), timedelta(days=7)
    evenings = [
        {"title": f"第{n}课", "after_minutes": n * 7 * 24 * 60, "minutes": 90, "capacity": None}
        for n in (2, 0, 1)
    ]
    terms = {"signup_for": "session", "tags": ["夜校"], "minimum_attendance": 2}
    late = template_body(org, sessions=evenings[:1])
    refused = await api.post(TEMPLATES, headers=keyed(organizer), json=late)
    assert_refused(refused, 422, "request.invalid")
    made = await create(api, organizer, template_body(org, sessions=evenings, **terms))
    assert made.items() >= {"sessions": evenings, "checks_out": False, **terms}.items()
    starts_at = now() + timedelta(days=3)
    asked = {"org_id": str(org.id), "starts_at": starts_at.isoformat()}

    path = f"{TEMPLATES}/{made['id']}/activities"
    started = (await api.post(path, headers=keyed(organizer), json=asked)).json()

    assert started.items() >= terms.items()
    path = f"/api/v1/activities/{started['id']}/sessions"
    found = await walk(api, path, organizer.headers)
    assert [(one["number"], one["title"]) for one in found] == [
        *((1, "第0课"), (2, "第1课"), (3, "第2课")),
    ]
    starts = [datetime.fromisoformat(one["starts_at"]) for one in found]
    assert starts == [starts_at + n * week for n in range(3)]
    assert (started["sessions"], started["ends_at"]) == (3, found[-1]["ends_at"])


async def test_two_editors_and_a_rule_that_is_none(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    made = await create(api, organizer, template_body(org))
    path, headers = f"{TEMPLATES}/{made['id']}", organizer.headers | {"If-Match": '"1"'}
    body = {k: v for k, v in template_body(org, title="夏至植树").items() if k != "org_id"}

    wrong = await api.put(path, headers=headers, json=body | {"rule_key": "no_such_rule"})
    first = await api.put(path, headers=headers, json=body)
    second = await api.put(path, headers=headers, json=body | {"title": "冬至植树"})
    absent = await api.put(path, headers=organizer.headers, json=body)

    assert_refused(wrong, 422, "request.invalid")
    assert first.json() == made | {"title": "夏至植树", "version": 2}
    assert_refused(second, 412, "request.precondition_failed")
    assert second.json()["facts"] == {"version": 2}
    assert_refused(absent, 428, "request.precondition_required")
    assert (await api.delete(path, headers=organizer.headers)).status_code == 204
    assert_refused(
        await api.get(path, headers=organizer.headers), 404, "activity_templates.not_found"
    )
