"""Every decision leaves an entry that auditors read and nobody can change."""

from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.activities import ActivityStatus
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.awards import approve, propose
from tests.factories.deductions import deduct
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person, make_with_role
from tests.security.world import Ask, World

AUDIT = "/api/v1/audit"
MATRIX = """
operation         rule     nobody alice bob  counter rival sibling parent auditor admin outsider
listAuditEntries  auditor  401    403   403  403     403   403     403    200+    200+  403
"""


async def _audit_of_home(world: World) -> Ask:
    organizer = await make_organizer(world.runtime, world.home.id)
    await deduct(world.api, organizer, world.home, world.alice)
    return Ask(query={"org_id": str(world.home.id)})


REQUESTS = {"listAuditEntries": _audit_of_home}


async def entries(
    api: httpx.AsyncClient, reader: TestPerson, org: Any, **filters: str
) -> list[dict[str, Any]]:
    asked = {"org_id": str(org.id)} | filters
    reply = await api.get(AUDIT, headers=reader.headers, params=asked)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["items"]
    return found


async def test_a_deduction_its_appeal_and_the_decision_are_on_record(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, judge = [await make_organizer(runtime, org.id) for _ in range(2)]
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    made = await deduct(api, organizer, org, person)
    path = f"/api/v1/deductions/{made['id']}"
    await api.post(f"{path}/appeal", headers=keyed(person), json={"reason": "当天请过假"})
    decided = {"granted": True, "reason": "已核实"}
    reply = await api.post(f"{path}/decision", headers=keyed(judge), json=decided)

    newest, appealed, first = await entries(api, auditor, org)

    assert newest["subject"] == {"type": "deduction", "id": made["id"]}
    assert newest["actor"] == {"id": str(judge.id), "display_name": judge.name}
    assert (newest["verb"], newest["from"], newest["to"]) == ("revoked", "appealed", "revoked")
    assert newest["reason"] == "已核实"
    assert newest["request_id"] == reply.headers["x-request-id"]
    assert (appealed["verb"], appealed["actor"]["id"]) == ("appealed", str(person.id))
    assert (first["verb"], first["actor"]["id"]) == ("created", str(organizer.id))
    assert "当天请过假" not in str(appealed), "what a person wrote is no part of the trail"


async def test_reviews_and_publishing_are_on_record(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    proposer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    admin = await make_with_role(runtime, Role.administrator, org=org.id)
    [award] = await propose(api, proposer, org, person)
    await approve(api, reviewer, award)
    draft = await make_activity(runtime, org=org, status=ActivityStatus.draft)
    await api.post(f"/api/v1/activities/{draft.id}/publish", headers=keyed(proposer))

    found = [(one["verb"], one["subject"]["type"]) for one in await entries(api, admin, org)]

    assert found == [("published", "activity"), ("approved", "award"), ("proposed", "proposal")]
    of_reviewer = await entries(api, admin, org, actor_id=str(reviewer.id))
    assert [one["verb"] for one in of_reviewer] == ["approved"]
    of_award = await entries(api, admin, org, subject_type="award", subject_id=award["id"])
    assert [one["verb"] for one in of_award] == ["approved"]
    assert await entries(api, admin, org, since=now().isoformat()) == []


async def test_a_refused_decision_leaves_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    proposer = await make_organizer(runtime, org.id)
    [award] = await propose(api, proposer, org, person)

    assert_refused(await approve(api, proposer, award), 403, "awards.own_proposal")

    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    assert [one["verb"] for one in await entries(api, auditor, org)] == ["proposed"]


async def test_the_trail_is_paged_and_belongs_to_the_subtree(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, other = await make_org(runtime), await make_org(runtime)
    home = await make_org(runtime, parent=street)
    auditor = await make_with_role(runtime, Role.auditor, org=street.id)
    organizer = await make_organizer(runtime, home.id)
    for _ in range(3):
        await deduct(api, organizer, home, await make_person(runtime))

    found = await walk(api, AUDIT, auditor.headers, org_id=str(street.id), limit=2)

    assert [one["verb"] for one in found] == ["created"] * 3
    asked = {"org_id": str(other.id)}
    refused = await api.get(AUDIT, headers=auditor.headers, params=asked)
    assert_refused(refused, 403, "auth.forbidden")


@pytest.mark.parametrize("role", [Role.organizer, None])
async def test_who_is_no_auditor_reads_nothing(
    api: httpx.AsyncClient, runtime: Runtime, role: Role | None
) -> None:
    org = await make_org(runtime)
    person = await (make_with_role(runtime, role, org=org.id) if role else make_person(runtime))
    reply = await api.get(AUDIT, headers=person.headers, params={"org_id": str(org.id)})
    assert_refused(reply, 403, "auth.forbidden")
