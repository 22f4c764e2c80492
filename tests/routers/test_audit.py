"""Every decision leaves an entry that auditors read and nobody can change."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.activities import ActivityStatus
from app.models.people import Role
from app.runtime import Runtime
from app.services.policies import publishing
from tests.factories.activities import make_activity
from tests.factories.awards import approve, propose, reject, reverse
from tests.factories.deductions import deduct
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.points import refund, spend
from tests.factories.policies import SHIPPED, share_units
from tests.factories.rewards import make_counter
from tests.security.world import Ask, World

AUDIT = "/api/v1/audit"
HOUR = timedelta(hours=1)
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
    """Return the newest entries with an organisation: each test database has a policy's too.

    ``subject``: a noun, or a noun, a colon and an id.
    """
    return [one for one in await all_entries(api, reader, org, **filters) if one["org_id"]]


async def all_entries(
    api: httpx.AsyncClient, reader: TestPerson, org: Any, **filters: str
) -> list[dict[str, Any]]:
    noun, _, subject_id = filters.pop("subject", "").partition(":")
    named = {"subject_type": noun, "subject_id": subject_id}
    asked = {"org_id": str(org.id)} | filters | {k: one for k, one in named.items() if one}
    reply = await api.get(AUDIT, headers=reader.headers, params=asked)
    assert reply.status_code == 200, reply.text
    return [one for one in reply.json()["items"] if not _is_of_a_factory(one)]


def _is_of_a_factory(one: dict[str, Any]) -> bool:
    """Whether an entry is of a role that ``tests.factories.people`` has granted."""
    actor = one["actor"] and one["actor"]["id"]
    return bool(one["verb"] == "appointed" and actor == one["subject"]["id"])


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

    subject = f"deduction:{made['id']}"
    newest, appealed, first = await entries(api, auditor, org, subject=subject)

    assert newest["subject"] == {"type": "deduction", "id": made["id"]}
    assert newest["actor"] == {"id": str(judge.id), "display_name": judge.name}
    assert (newest["verb"], newest["from"], newest["to"]) == ("moved", "appealed", "revoked")
    assert newest["reason"] == "已核实"
    assert newest["request_id"] == reply.headers["x-request-id"]
    assert (appealed["from"], appealed["to"]) == ("standing", "appealed")
    assert appealed["actor"]["id"] == str(person.id)
    assert (first["verb"], first["actor"]["id"]) == ("created", str(organizer.id))
    everything = await entries(api, auditor, org)
    assert "当天请过假" not in str(everything), "what a person wrote is no part of the trail"
    of_case = [
        (one["actor"]["id"], one["to"]) for one in everything if one["subject"]["type"] == "case"
    ]
    assert of_case == [
        (str(judge.id), "closed"),
        (str(judge.id), "accepted"),
        (str(person.id), None),
    ]


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
    for subject in ("award", f"award:{award['id']}"):
        of_award = await entries(api, admin, org, subject=subject)
        assert [one["verb"] for one in of_award] == ["approved"]
    assert await entries(api, admin, org, subject=f"award:{draft.id}") == []
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
    asked = {"org_id": str(street.id), "since": now().isoformat()}
    for _ in range(3):
        await deduct(api, organizer, home, await make_person(runtime))

    found = await walk(api, AUDIT, auditor.headers, limit=2, **asked)

    verbs = [one["verb"] for one in found if one["org_id"] and not _is_of_a_factory(one)]
    assert verbs == ["created"] * 3
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


async def test_an_entry_without_an_organisation_belongs_to_the_roots(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another test of this process may have an organisation that gives in the same unit.
    share_units(monkeypatch)
    root = await make_org(runtime)
    home = await make_org(runtime, parent=root)
    async with runtime.database.transaction() as tx:
        version = await publishing.publish(tx, SHIPPED)
    auditors = [await make_with_role(runtime, Role.auditor, org=one.id) for one in (root, home)]

    newest, *_ = await all_entries(api, auditors[0], root)

    assert (newest["verb"], newest["subject"]["type"]) == ("published", "policy")
    assert (newest["org_id"], newest["facts"]["version"]) == (None, version)
    assert abs(datetime.fromisoformat(newest["facts"]["effective_from"]) - now()) < HOUR
    assert await all_entries(api, auditors[1], home) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("subject_type", "Award"), ("subject_type", "award:1"), ("subject_id", "1")],
)
async def test_a_subject_is_a_noun_and_the_id_of_a_record(
    api: httpx.AsyncClient, runtime: Runtime, name: str, value: str
) -> None:
    org = await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    asked = {"org_id": str(org.id), name: value}
    refused = await api.get(AUDIT, headers=auditor.headers, params=asked)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == [f"query.{name}"]


async def test_entries_have_states_and_facts(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person, objector = await make_org(runtime), *await make_people(runtime, 2)
    proposer, reviewer, judge = [await make_organizer(runtime, org.id) for _ in range(3)]
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    [award] = await propose(api, proposer, org, person)
    await approve(api, reviewer, award)
    about = f"award:{award['id']}"
    for by, upheld in ((objector, False), (proposer, True)):
        path = f"/api/v1/awards/{award['id']}/objections"
        made = await api.post(path, headers=keyed(by), json={"reason": "未参加"})
        path = f"/api/v1/awards/objections/{made.json()['id']}/decision"
        body = {"upheld": upheld, "reason": "已核实"}
        assert (await api.post(path, headers=keyed(judge), json=body)).status_code == 200

    of_award = await entries(api, auditor, org, subject=about)
    told = [(one["verb"], one["from"], one["to"]) for one in of_award]
    assert told == [
        ("objection_upheld", "notice", "rejected"),
        ("objection_dismissed", "notice", "notice"),
        ("approved", "pending", "notice"),
    ]
    of_cases = await entries(api, auditor, org, subject="case")
    opened = [one["facts"] for one in of_cases if one["verb"] == "created"]
    assert opened == [{"kind": "objection", "about": about}] * 2
    [proposed] = await entries(api, auditor, org, subject="proposal")
    origin = {
        "proposal": f"proposal:{proposed['subject']['id']}",
        "proposed_by": f"person:{proposer.id}",
    }
    assert of_award[0]["facts"] == origin | {"about": f"case:{of_cases[0]['subject']['id']}"}
    assert of_award[2]["facts"] == origin
    accepted = next(one for one in of_cases if one["to"] == "accepted")
    assert "handler_id" in accepted["fields"]
    assert proposed["facts"] == {"rule": "commendation", "awards": 1}


@pytest.mark.parametrize("ends", [reject, reverse])
async def test_the_end_of_an_award_leads_to_its_proposal(
    api: httpx.AsyncClient, runtime: Runtime, ends: Callable[..., Awaitable[httpx.Response]]
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    proposer, administrator = (
        await make_organizer(runtime, org.id),
        await make_administrator(runtime, org.id),
    )
    [award] = await propose(api, proposer, org, person)
    ended = await ends(api, administrator, award if ends is reject else award["id"])
    assert ended.status_code in {200, 201}, ended.text

    [last] = await entries(api, administrator, org, subject="award")

    assert last["verb"] in {"rejected", "reversed"}
    [first] = await entries(api, administrator, org, subject=last["facts"]["proposal"])
    assert (first["verb"], first["actor"]["id"]) == ("proposed", str(proposer.id))


async def test_a_refund_has_its_states(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    counter = await make_counter(runtime, org=org)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    await give_points(runtime, person.id, 9)
    await refund(api, counter, await spend(api, runtime, person, 8, counter))

    [entry] = await entries(api, auditor, org)
    told = [entry[name] for name in ("verb", "from", "to", "reason")]
    assert told == ["refunded", "charged", "refunded", "退货"]
