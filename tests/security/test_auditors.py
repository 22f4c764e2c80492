"""Auditors: everything of the subtree to read, nothing to change, every file on record."""

import re
from typing import Any

import httpx
from fastapi import FastAPI

from app.api.exports import EXPORTED
from app.jobs import funds
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.awards import give_award
from tests.factories.exports import FORMS, exported
from tests.factories.funds import receive
from tests.factories.http import assert_refused, in_process, keyed, walk
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person, make_with_role
from tests.factories.points import spend
from tests.factories.rewards import make_counter, make_reward
from tests.routers.test_appointments import accept, offer
from tests.security import nouns

API = "/api/v1"
ROWS = nouns.rows()
# What an administrator reads and an auditor does not, and why.
UNREAD = {
    "getCheckinCode": "whoever has it lets people check in",
    "getCheckinCodeSvg": "whoever has it lets people check in",
    "listFlags": "doubts with names, for who decides them; the audit trail has the decisions",
    "exportFlagsCsv": "the same list",
    "exportFlagsXlsx": "the same list",
    "getPoster": "whoever has it proves a visit",
    "getLinkedPlacePoster": "whoever has it proves a visit",
    "getLinkedPlacePosterSvg": "whoever has it proves a visit",
    "getPosterSvg": "whoever has it proves a visit",
    "getPosterWxacode": "whoever has it proves a visit",
    "getActivityPoster": "whoever has it lets people check in",
    "getActivityPosterSvg": "whoever has it lets people check in",
    "getActivityPosterWxacode": "whoever has it lets people check in",
    "getRoster": "names and cards for a device at the door",
    "getAwardSheetTemplate": "an empty form to propose awards with",
    "listPolicySimulations": "drafts, which are not in force",
    "exportPolicySimulationsCsv": "drafts, which are not in force",
    "exportPolicySimulationsXlsx": "drafts, which are not in force",
    "getPolicySimulation": "drafts, which are not in force",
    "listSimulatedPeople": "drafts, which are not in force",
    "exportSimulatedPeopleCsv": "drafts, which are not in force",
    "exportSimulatedPeopleXlsx": "drafts, which are not in force",
    "getLiveView": "for who holds the activity; the lists tell the same, with masked names",
    "streamLiveView": "for who holds the activity; the lists tell the same, with masked names",
    "previewAward": "what a proposal would give: for who proposes, or for oneself",
}
# What an auditor starts though residents may not: it reads.
STARTED = {"startVerification"}
# Files that leave no entry in the audit trail, and why.
UNRECORDED = {
    "getMyStatementHtml": "one's own",
    "getMyStatementXlsx": "one's own",
    "openStatementHtml": "one's own, by a link that its owner made",
    "openStatementXlsx": "one's own, by a link that its owner made",
    "getMyCertificateFile": "one's own",
    "getSettlementPage": "what both sides of a settlement read; its lines are exported on record",
    "getFundReceiptFile": "what everybody may read",
    "getDataCopyFile": "one's own, by a link that its owner made",
    "getAwardSheetTemplate": "an empty form",
    "getPickupCodeSvg": "one's own",
    "getMyCertificateOfHours": "one's own",
    "getCheckinCodeSvg": "a code that lives for seconds; showing it is on record",
    "streamLiveView": "what the live view shows, as it changes",
    "getLinkedPlacePosterSvg": "one code, for printing; points of whoever fetches it are reviewed",
    "getPosterSvg": "one code; whoever fetches it has a part in the quest",
    "getPosterWxacode": "one code; whoever fetches it has a part in the quest",
    "getActivityPosterSvg": "one code; whoever fetches it has a part in the activity",
    "getActivityPosterWxacode": "one code; whoever fetches it has a part in the activity",
    "getPickListHtml": "on record as `viewed`, about its redemption day",
    "getAttachmentFile": "one file at a time of what the reader sees in a list",
    "getAttachmentThumbnail": "one file at a time of what the reader sees in a list",
}
WRITES = ("post", "put", "delete")


def operations(app: FastAPI) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return method, path and description of every documented operation."""
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def succeeds(cell: str) -> bool:
    return cell.startswith("2")


def more_than_a_resident(rows: dict[str, nouns.Row], writes: set[str]) -> set[str]:
    """Return the writes in which an auditor succeeds, and a resident without a role does not."""
    return {
        row.operation
        for row in rows.values()
        if row.operation in writes
        and succeeds(row.cells["auditor"])
        and not succeeds(row.cells["bob"])
    }


def test_an_auditor_changes_nothing_that_a_resident_could_not(app: FastAPI) -> None:
    writes = {name for name, (method, _, _) in operations(app).items() if method in WRITES}
    assert more_than_a_resident(ROWS, writes) == STARTED
    cells = dict.fromkeys(nouns.EVERYBODY, "403") | {"auditor": "200"}
    planted = {"approveAward": nouns.Row("approveAward", "reader", cells, {})}
    assert more_than_a_resident(planted, writes) == {"approveAward"}


async def test_every_decision_refuses_an_auditor_whatever_it_is_about(
    app: FastAPI, api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Before anything is looked up: with ids of nothing, and without a body."""
    auditor = await make_with_role(runtime, Role.auditor, org=(await make_org(runtime)).id)
    asked = 0
    for name, (method, path, operation) in operations(app).items():
        is_for_all = operation.get("x-access-rule") in ("person", "anyone", "probe")
        if method not in WRITES or is_for_all or name in STARTED:
            continue
        ids = re.sub(r"\{\w+\}", "nothing", path)
        reply = await api.request(method, ids, headers=keyed(auditor) | {"If-Match": '"1"'})
        assert_refused(reply, 403, "auth.forbidden")
        asked += 1
    assert asked > 50


def test_an_auditor_reads_whatever_an_administrator_reads(app: FastAPI) -> None:
    reads = {name for name, (method, _, _) in operations(app).items() if method == "get"}
    unread = {
        row.operation
        for row in ROWS.values()
        if row.operation in reads
        and succeeds(row.cells["admin"])
        and not succeeds(row.cells["auditor"])
    }
    assert unread == UNREAD.keys()


def test_every_file_is_on_record_or_stands_here_with_its_reason(app: FastAPI) -> None:
    files = {
        name
        for name, (method, _, operation) in operations(app).items()
        if method == "get"
        and "200" in operation["responses"]
        and not {"application/json", "text/plain"} & operation["responses"]["200"]["content"].keys()
    }
    recorded = {name for name in nouns.files() if name in files}
    assert len(recorded) == 2 * len(EXPORTED)
    assert files - recorded == UNRECORDED.keys()


async def test_what_auditors_could_not_read_before(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A merchant's statement and staff, redemptions, appointments: with masked names."""
    org, elsewhere = await make_org(runtime), await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    stranger = await make_with_role(runtime, Role.auditor, org=elsewhere.id)
    counter, person = await make_counter(runtime, org=org), await make_person(runtime)
    await give_points(runtime, person.id, 50)
    await spend(api, runtime, person, 4, counter)
    reward = await make_reward(runtime, counter, points=10)
    made = await api.post(
        f"{API}/redemptions", headers=keyed(person), json={"reward_id": str(reward.id)}
    )
    admin = await make_administrator(runtime, org.id)
    code = await offer(api, admin, org_id=str(org.id), role="organizer")
    await accept(api, person, code["code"])
    below, here = f"/merchants/{counter.merchant.id}", {"org_id": str(org.id)}

    async def seen(path: str, reader: TestPerson, **query: str) -> Any:
        reply = await api.get(API + path, headers=reader.headers, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    assert await seen(f"{below}/statement", auditor) == await seen(
        "/merchant/statement", counter.staff
    )
    [staff] = (await seen(f"{below}/staff", auditor))["items"]
    assert staff["display_name"] != counter.staff.name
    [redeemed] = (await seen("/redemptions", auditor, **here))["items"]
    assert (redeemed["id"], redeemed["points"]) == (made.json()["id"], 10)
    assert made.json()["pickup_code"] not in str(redeemed)
    assert await seen("/redemptions", auditor, **here, status="collected") == {
        "items": [],
        "next_cursor": None,
    }
    [offered] = (await seen("/appointments", auditor, **here))["items"]
    [unmasked] = (await seen("/appointments", admin, **here))["items"]
    assert (offered["accepted_by"], offered["role"]) == (str(person.id), "organizer")
    assert (unmasked["accepted_name"], unmasked["offered_by"]) == (person.name, admin.name)
    assert offered["accepted_name"] != person.name
    assert code["code"] not in str(offered)
    for path in (f"{below}/statement", f"{below}/staff"):
        refused = await api.get(API + path, headers=stranger.headers)
        assert_refused(refused, 404, "merchants.not_found")
    for form in FORMS:
        await exported(api, f"{below}/statement", form, auditor)
        await exported(api, "/redemptions", form, auditor, **here)
        await exported(api, "/appointments", form, auditor, **here)
    entries = await walk(api, f"{API}/audit", auditor.headers, **here, subject_type="export")
    listed = [one["facts"]["list"] for one in reversed(entries) if one["org_id"]]
    assert (
        listed
        == [
            *(f"{below}/statement", "/redemptions", "/appointments"),
        ]
        * 2
    )


async def test_months_of_a_fund_add_up_and_a_receipt_is_read_alone(
    alone: FastAPI,
) -> None:
    runtime: Runtime = alone.state.runtime
    org, other = await make_org(runtime), await make_org(runtime)
    person = await make_person(runtime)
    await give_award(runtime, person, org, points=8, days_ago=62)
    await give_award(runtime, person, org, points=5)
    receipt = await receive(runtime, org, 7)
    await funds.write_months(runtime)
    async with in_process(alone) as api:
        await spend(api, runtime, person, 3)
        await funds.write_months(runtime)
        found = await walk(api, f"{API}/orgs/{org.id}/fund/months", limit=1)
        one = await api.get(f"{API}/orgs/{org.id}/fund/receipts/{receipt}")
        wrong = await api.get(f"{API}/orgs/{other.id}/fund/receipts/{receipt}")
        none = await walk(api, f"{API}/orgs/{other.id}/fund/months")

    assert [
        (m["opening"], m["received"], m["issued"], m["redeemed"], m["closing"]) for m in found
    ] == [(8, 7, 5, 3, 10), (0, 0, 8, 0, 8)]
    for m in found:
        gone = m["redeemed"] + m["expired"] + m["reversed"]
        assert m["closing"] == m["opening"] + m["issued"] - gone
    assert [m["is_closed"] for m in found] == [False, True]
    assert (one.status_code, one.json()["points"], none) == (200, 7, [])
    assert_refused(wrong, 404, "funds.receipt_not_found")
