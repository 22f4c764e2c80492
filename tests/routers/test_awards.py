"""Awards by hand: proposed by one, approved by another."""

from uuid import uuid4

import httpx
from sqlalchemy import text

from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.awards import approve, award_body, propose
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)

AWARDS = "/api/v1/awards"
CASE = {"rule_key": "council_submit", "evidence": {"case_no": "2026-17"}}


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


async def test_an_approval_makes_it_available(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]

    response = await approve(api, reviewer, award)

    assert response.status_code == 200
    assert response.json() == award | {"state": "available"}
    assert await points(api, person) == (15, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_nobody_approves_their_own_proposal(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    award = (await propose(api, organizer, org, person))[0]

    response = await approve(api, organizer, award)

    assert_refused(response, 403, "awards.own_proposal")
    assert await points(api, person) == (0, 15, 0)


async def test_an_award_is_approved_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    reviewers = [await make_administrator(runtime, org.id) for _ in range(2)]
    award = (await propose(api, await make_organizer(runtime, org.id), org, person))[0]

    first, second = [await approve(api, reviewer, award) for reviewer in reviewers]

    assert first.status_code == 200
    assert_refused(second, 409, "awards.not_pending")
    assert await points(api, person) == (15, 0, 0)


async def test_hours_by_hand_count_from_the_approval_on(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (
        await propose(
            api, organizer, org, person, rule_key="volunteer_hour", quantity=2, evidence={}
        )
    )[0]
    assert (award["points"], award["minutes"]) == (4, 120)
    before = await points(api, person)

    await approve(api, reviewer, award)

    assert before == (0, 4, 0)
    assert await points(api, person) == (4, 0, 120)


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


async def test_caps_cut_awards_by_hand_too(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """council_submit: 3 points an item, at most 3 a day."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)

    double = (await propose(api, organizer, org, person, quantity=2, **CASE))[0]
    more = (await propose(api, organizer, org, person, **CASE))[0]

    assert (double["points"], double["reason"]) == (3, "已达本规则每日上限")
    assert (more["points"], more["state"]) == (0, "pending")
    assert await points(api, person) == (0, 3, 0)


async def test_the_overall_cap_counts_what_is_pending(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await propose(api, organizer, org, person)

    response = await api.post(
        AWARDS,
        headers=keyed(organizer) | {"Accept-Language": "en"},
        json=award_body(org, [person]),
    )

    award = response.json()["items"][0]["award"]
    assert award["points"] == 9
    assert award["reason"] == "Limited by the overall daily cap."


async def test_an_award_of_nothing_can_be_approved(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    await propose(api, organizer, org, person, **CASE)
    nothing = (await propose(api, organizer, org, person, **CASE))[0]

    response = await approve(api, reviewer, nothing)

    assert response.status_code == 200
    assert (response.json()["points"], response.json()["state"]) == (0, "available")
    assert await points(api, person) == (0, 3, 0)


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


async def test_a_sibling_organizer_meets_no_such_award(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    mine, other = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    person, sibling = await make_person(runtime), await make_organizer(runtime, other.id)
    award = (await propose(api, await make_organizer(runtime, mine.id), mine, person))[0]

    response = await approve(api, sibling, award)

    assert_refused(response, 404, "awards.not_found")
    assert await points(api, person) == (0, 15, 0)


async def test_unknown_things_are_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)

    no_award = await approve(api, organizer, {"id": str(uuid4())})
    no_org = await api.post(
        AWARDS, headers=keyed(organizer), json=award_body(org, [person], org_id=str(uuid4()))
    )

    assert_refused(no_award, 404, "awards.not_found")
    assert_refused(no_org, 404, "orgs.not_found")


async def test_the_record_says_who_proposed_who_approved_and_why(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person, **CASE))[0]
    await approve(api, reviewer, award)

    async with runtime.database.read() as tx:
        found = await tx.execute(
            text("SELECT proposed_by, approved_by, evidence FROM awards WHERE id = :id"),
            {"id": award["id"]},
        )
        row = found.one()

    assert (row.proposed_by, row.approved_by) == (organizer.id, reviewer.id)
    assert row.evidence == CASE["evidence"]
