"""Awards by hand: what may be proposed, by whom, and what a rule asks for."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.core.clock import local_date, midnight, now
from app.models.orgs import Level
from app.models.people import Role
from app.models.quotas import QuotaKind
from app.runtime import Runtime
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import approve, award_body, give_award, propose
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.quotas import use_up
from tests.factories.refusals import Ask as Refused
from tests.factories.sheets import XLSX, make_sheet
from tests.security.schema_world import FEW, MANY, Completion, Known, Setup
from tests.security.world import Ask, World

AWARDS = "/api/v1/awards"
MATRIX = """
operation              rule       nobody alice bob  counter rival sibling parent auditor admin outsider
proposeAwards          organizer  401    403   403  403     403   403     201+   403     201+  403
listMyAwards           person     401    200+  200  200     200   200     200    200     200   200
listAwards             reader     401    403   403  403     403   403     200+   200+    200+  403
proposeAwardBatch      organizer  401    403   403  403     403   403     201+   403     201+  403
proposeAwardSheet      organizer  401    403   403  403     403   403     201+   403     201+  403
getAwardSheetTemplate  organizer  401    403   403  403     403   403     200    403     200   403
approveAward           organizer  401    403   403  403     403   404     200+   403     200+  404       404=awards.not_found
addAwardEvidence       organizer  401    403   403  403     403   404     200+   403     200+  404       404=awards.not_found
rejectAward            organizer  401    403   403  403     403   404     200+   403     200+  404       404=awards.not_found
listAwardNotices       anyone     200+   200+  200+ 200+    200+  200+    200+   200+    200+  200+
objectToAward          person     401    201+  201+ 201+    201+  201+    201+   201+    201+  201+
decideObjection        organizer  401    403   403  403     403   404     200+   403     200+  404       404=awards.objection_not_found
"""  # noqa: E501 - a table
HERS = {
    "awards": "person_id = :alice",
    "cases": "created_by = :alice",
    "quotas": "person_id = :alice",
}
BEYOND_THE_SCHEMA = {
    "body.rule_key",  # of the policy in force
    "body.evidence",  # what the rule demands
    "body.grade",  # of the rule
    "body.points",
    "body.quantity",  # 3.0 is no whole number to us
    "body.person_ids",  # one id in two spellings
    "body.card_nos",
    "body.award_ids",
    "body",  # either of two names
    "body.rows",  # one name a row: an id or a card's number
    "awards.rows_wrong",  # who exists, and what the rule demands
    "awards.wrong_sheet",
    "sheets.unreadable",
    "sheets.not_plain",
    "sheets.too_large",
}
REASON = {"reason": "x"}


async def _propose(world: World) -> Ask:
    return Ask(body=award_body(world.home, [world.alice]))


async def _batch(world: World) -> Ask:
    row = {"person_id": str(world.alice.id), "evidence": {"certificate": uuid4().hex}}
    return Ask(body={"rule_key": "blood_donation", "org_id": str(world.home.id), "rows": [row]})


async def _template(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id), "rule_key": "blood_donation"})


async def _sheet(world: World) -> Ask:
    line = (str(world.alice.id), uuid4().hex)
    fields = {name: (None, text) for name, text in (await _template(world)).query.items()}
    sheet = make_sheet(("person_id", "certificate"), line)
    return Ask(files=fields | {"file": ("awards.xlsx", sheet, XLSX)})


async def _my_awards(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask()


async def _awards_of_home(world: World) -> Ask:
    await _my_awards(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _award(world: World) -> Ask:
    proposer = await make_organizer(world.runtime, world.home.id)
    award = (await propose(world.api, proposer, world.home, world.alice))[0]
    return Ask({"award_id": award["id"]})


async def _evidence(world: World) -> Ask:
    """An award by attendance at an activity whose rule demands a number beside it."""
    activity = await make_attended(
        world.runtime, world.alice, org=world.home, rule_key="taskforce_emergency"
    )
    code = {"code": current_code(world.runtime, activity)}
    award = (await world.post("alice", "checkins", code))["award"]
    return Ask(body={"award_ids": [award["id"]], "evidence": {"dispatch_no": uuid4().hex}})


async def _rejected(world: World) -> Ask:
    return Ask((await _award(world)).ids, REASON)


async def _in_notice(world: World) -> Ask:
    proposed = (await _award(world)).ids
    reviewer = await make_organizer(world.runtime, world.home.id)
    approved = await approve(world.api, reviewer, {"id": proposed["award_id"]})
    assert approved.json()["state"] == "notice", approved.text
    return Ask(proposed, REASON)


async def _notices_of_home(world: World) -> Ask:
    await _in_notice(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _objection(world: World) -> Ask:
    path = f"awards/{(await _in_notice(world)).ids['award_id']}/objections"
    made = await world.post("bob", path, REASON)
    return Ask({"objection_id": str(made["id"])}, REASON | {"upheld": True})


REQUESTS = {
    "proposeAwards": _propose,
    "proposeAwardBatch": _batch,
    "proposeAwardSheet": _sheet,
    "getAwardSheetTemplate": _template,
    "listMyAwards": _my_awards,
    "listAwards": _awards_of_home,
    "approveAward": _award,
    "addAwardEvidence": _evidence,
    "rejectAward": _rejected,
    "listAwardNotices": _notices_of_home,
    "objectToAward": _in_notice,
    "decideObjection": _objection,
}


def _opens_at() -> datetime:
    return midnight(local_date(now()) + timedelta(days=1))


async def _propose_too_often(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await use_up(runtime, organizer, QuotaKind.proposals, 200)
    facts = {"limit": 200, "used": 200, "opens_at": _opens_at()}
    return Refused(organizer, "POST", "/awards", facts, award_body(org, [person]))


async def _object_too_often(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    proposer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    [award] = await propose(api, proposer, org, await make_person(runtime))
    await approve(api, reviewer, award)
    await use_up(runtime, person, QuotaKind.objections, 10)
    facts = {"limit": 10, "used": 10, "opens_at": _opens_at()}
    return Refused(person, "POST", f"/awards/{award['id']}/objections", facts, REASON)


REFUSED = {
    "awards.too_many_proposals": _propose_too_often,
    "awards.too_many_objections_today": _object_too_often,
}


async def known(setup: Setup) -> Known:
    """Each is reviewed once, and many tries go to awards that are the caller's own."""
    runtime, api, org = setup.runtime, setup.api, setup.org
    pending = await propose(api, setup.organizer, org, *await make_people(runtime, MANY))
    approved = await propose(api, setup.organizer, org, *await make_people(runtime, FEW))
    reviewer = await make_organizer(runtime, org.id)
    shown = [(await approve(api, reviewer, award)).json() for award in approved]
    path = f"/awards/{shown[0]['id']}/objections"
    objections = [await setup.post(one, path, reason="未到场") for one in setup.others]
    return {
        "award_id": [award["id"] for award in (*pending, *shown[1:])],
        "objection_id": [one["id"] for one in objections],
        "person_ids[*]": [str(person.id) for person in (setup.caller, *setup.others)],
        "rows[*].person_id": [str(person.id) for person in setup.others],
        "rule_key": ["commendation"],
    }


async def completion(setup: Setup) -> Completion:
    """Give evidence that no award has named yet, and a sheet that may be uploaded."""
    documents = count(1)
    sheet = make_sheet(
        ("person_id", "document", "public_notice"),
        *[(str(one.id), "扬青发〔2026〕3号", "已公示五日") for one in setup.others],
    )

    def evidence() -> dict[str, str]:
        return {"document": f"扬青发〔2026〕{next(documents)}号", "public_notice": "已公示五日"}

    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("person_ids"):
            body.pop("card_nos", None)
        rows = body["rows"] if isinstance(body.get("rows"), list) else []
        for row in rows:
            if isinstance(row, dict) and row.get("person_id") in known["person_id"]:
                person = row["person_id"]
                row.clear()
                row.update(person_id=person, evidence=evidence())
        if body.get("evidence") == {}:
            body["evidence"] = evidence()
            for choice in ("grade", "points"):  # which only some rules leave
                body.pop(choice, None)
        if isinstance(file := body.get("file"), str) and len(file) <= 3:
            body["file"] = sheet
        if body.get("rule_key") in known["rule_key"]:
            body["rule_key"] = "commendation"

    return complete


def case() -> dict[str, Any]:
    return {"rule_key": "council_submit", "evidence": {"case_no": uuid4().hex}}


async def points(api: httpx.AsyncClient, person: TestPerson) -> tuple[int, int, int]:
    body = (await api.get("/api/v1/me/points", headers=person.headers)).json()
    return body["available"], body["pending"], body["minutes"]


async def test_an_award_by_hand_is_pending_first(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, (first, second) = await make_org(runtime), await make_people(runtime, 2)
    organizer = await make_organizer(runtime, org.id)

    response = await api.post(
        AWARDS, headers=keyed(organizer), json=award_body(org, [first, second])
    )

    assert response.status_code == 201
    items = response.json()["items"]
    assert [item["person_id"] for item in items] == [str(first.id), str(second.id)]
    for item in items:
        assert item["award"] == {
            "id": item["award"]["id"],
            "points": 15,
            "minutes": 0,
            "state": "pending",
            "rule_key": "commendation",
            "reason": "按规则足额计分",
        }
    assert await points(api, first) == (0, 15, 0)


async def test_the_evidence_that_a_rule_demands_must_be_there(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = award_body(org, [person], evidence={"document": "三号文"})

    response = await api.post(AWARDS, headers=keyed(organizer), json=body)

    assert_refused(response, 422, "request.invalid")
    errors = response.json()["errors"]
    assert [one["field"] for one in errors] == ["body.evidence.public_notice"]
    assert await points(api, person) == (0, 0, 0)


async def test_an_unknown_rule_is_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)

    response = await api.post(
        AWARDS, headers=keyed(organizer), json=award_body(org, [person], rule_key="bribe")
    )

    assert_refused(response, 422, "request.invalid")
    assert [one["field"] for one in response.json()["errors"]] == ["body.rule_key"]


async def test_five_hundred_people_at_once_and_not_one_more(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    people = await make_people(runtime, 501)

    many = await api.post(AWARDS, headers=keyed(organizer), json=award_body(org, people[:500]))
    too_many = await api.post(AWARDS, headers=keyed(organizer), json=award_body(org, people))

    assert many.status_code == 201
    assert len(many.json()["items"]) == 500
    assert_refused(too_many, 422, "request.invalid")
    assert await points(api, people[499]) == (0, 15, 0)
    assert await points(api, people[500]) == (0, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_a_person_named_twice_is_refused(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)

    for ids in (
        [str(person.id), str(person.id)],
        [str(person.id), str(person.id).upper()],
    ):
        response = await api.post(
            AWARDS, headers=keyed(organizer), json=award_body(org, [], person_ids=ids)
        )
        assert_refused(response, 422, "request.invalid")
    assert await points(api, person) == (0, 0, 0)


async def test_one_unknown_person_refuses_the_whole_list(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = award_body(org, [], person_ids=[str(person.id), str(uuid4())])

    response = await api.post(AWARDS, headers=keyed(organizer), json=body)

    assert_refused(response, 404, "people.not_found")
    assert await points(api, person) == (0, 0, 0)


async def test_an_organizer_awards_in_the_own_subtree_only(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    mine, other = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    organizer, person = await make_organizer(runtime, mine.id), await make_person(runtime)
    above = await make_organizer(runtime, street.id)

    for org in (other, street):
        response = await api.post(AWARDS, headers=keyed(organizer), json=award_body(org, [person]))
        assert_refused(response, 403, "auth.forbidden")
    assert await points(api, person) == (0, 0, 0)
    assert (await propose(api, above, mine, person))[0]["points"] == 15


async def test_who_is_no_organizer_awards_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    award = (await propose(api, await make_organizer(runtime, org.id), org, person))[0]

    for caller in (person, await make_with_role(runtime, Role.auditor, org=org.id)):
        proposed = await api.post(AWARDS, headers=keyed(caller), json=award_body(org, [person]))
        assert_refused(proposed, 403, "auth.forbidden")
        assert_refused(await approve(api, caller, award), 403, "auth.forbidden")


async def test_unknown_things_are_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)

    no_award = await approve(api, organizer, {"id": str(uuid4())})
    no_org = await api.post(
        AWARDS, headers=keyed(organizer), json=award_body(org, [person], org_id=str(uuid4()))
    )

    assert_refused(no_award, 404, "awards.not_found")
    assert_refused(no_org, 404, "orgs.not_found")


@pytest.mark.parametrize("spelling", ["{}-7", " {}-7", "{} -7", "{}-７", "{}－7"])
async def test_an_evidence_number_counts_once(
    api: httpx.AsyncClient, runtime: Runtime, spelling: str
) -> None:
    org, (first, second) = await make_org(runtime), await make_people(runtime, 2)
    organizer = await make_organizer(runtime, org.id)
    year = uuid4().hex
    await propose(
        api, organizer, org, first, rule_key="council_submit", evidence={"case_no": f"{year}-7"}
    )
    again = {"case_no": spelling.format(year.upper())}
    body = award_body(org, [second], rule_key="council_submit", evidence=again)

    refused = await api.post(AWARDS, headers=keyed(organizer), json=body)

    assert_refused(refused, 409, "awards.number_used")
    assert await points(api, second) == (0, 0, 0)
    elsewhere = award_body(
        org, [second], rule_key="council_adopted", evidence={"adoption_reply": f"{year}-7"}
    )
    other = await api.post(AWARDS, headers=keyed(organizer), json=elsewhere)
    assert other.status_code == 201, "unique per rule"


async def test_one_dispatch_has_many_helpers_and_a_certificate_one_donor(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_org(runtime), await make_people(runtime, 2)
    organizer = await make_organizer(runtime, org.id)
    dispatch = {"rule_key": "taskforce_emergency", "evidence": {"dispatch_no": uuid4().hex}}
    blood = {"rule_key": "blood_donation", "evidence": {"certificate": uuid4().hex}}

    helpers = await propose(api, organizer, org, *people, **dispatch)
    donors = await api.post(AWARDS, headers=keyed(organizer), json=award_body(org, people, **blood))

    assert [award["points"] for award in helpers] == [4, 4]
    assert_refused(donors, 422, "request.invalid")
    assert [one["field"] for one in donors.json()["errors"]] == ["body.evidence.certificate"]


async def test_a_number_in_the_evidence_must_be_reached(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """lecture_give asks for ``checkin>=10``."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)

    for listeners, accepted in (("9", False), ("many", False), ("-12", False), ("10", True)):
        evidence = {"checkin": listeners, "rating": "4.8"}
        body = award_body(org, [person], rule_key="lecture_give", evidence=evidence)
        response = await api.post(AWARDS, headers=keyed(organizer), json=body)
        assert (response.status_code == 201) is accepted, listeners
        if not accepted:
            assert [e["field"] for e in response.json()["errors"]] == ["body.evidence.checkin"]


@pytest.mark.parametrize(
    ("rule", "choice", "worth"),
    [
        ("commendation", {"grade": "city"}, 24),  # 30, cut to the day's 24
        ("commendation", {"grade": "town"}, 15),
        ("commendation", {"grade": "world"}, "body.grade"),
        ("council_adopted", {"grade": "city"}, "body.grade"),
        ("tool_donate", {}, 3),
        ("tool_donate", {"points": 10}, 10),
        ("tool_donate", {"points": 11}, "body.points"),
        ("tool_donate", {"points": 2}, "body.points"),
        ("council_adopted", {"points": 11}, "body.points"),
    ],
)
async def test_a_rule_may_let_one_choose(
    api: httpx.AsyncClient, runtime: Runtime, rule: str, choice: dict[str, Any], worth: int | str
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    every = ("document", "public_notice", "valuation", "acceptance", "adoption_reply")
    evidence = dict.fromkeys(every, "有")
    body = award_body(org, [person], rule_key=rule, evidence=evidence, **choice)

    response = await api.post(AWARDS, headers=keyed(organizer), json=body)

    if isinstance(worth, int):
        assert response.json()["items"][0]["award"]["points"] == worth
    else:
        assert_refused(response, 422, "request.invalid")
        assert [one["field"] for one in response.json()["errors"]] == [worth]
