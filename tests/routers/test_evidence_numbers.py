"""Evidence numbers: each counts once, as long as what it was named for stands."""

from typing import Any

import httpx
import pytest

from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.awards import approve, propose, reject, reverse
from tests.factories.batches import Case, donation, make_case, number, send, wrong
from tests.factories.http import assert_refused
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.people import TestPerson, make_administrator, make_organizer
from tests.factories.policies import SHIPPED, open_unit, publish_in


@pytest.fixture
async def case(runtime: Runtime) -> Case:
    return await make_case(runtime)


async def publish_with_two_numbers(runtime: Runtime, org: Org) -> None:
    """Publish a programme of the organisation's own, by which a donation has two numbers."""
    one = 'evidence = ["certificate"]\nunique = { certificate = "person" }'
    two = (
        'evidence = ["certificate", "case_no"]\n'
        'unique = { certificate = "person", case_no = "person" }'
    )
    assert one in SHIPPED
    await publish_in(runtime, await open_unit(runtime), org, SHIPPED.replace(one, two))


async def test_a_certificate_counts_once_for_one_person(api: httpx.AsyncClient, case: Case) -> None:
    org, organizer, (first, second, third) = case
    used, twice = number(), number()
    await propose(
        api, organizer, org, third, rule_key="blood_donation", evidence={"certificate": used}
    )

    rows = [donation(first, used), donation(second, twice), donation(third, f" {twice} ")]

    field = "evidence.certificate"
    assert wrong(await send(api, organizer, org, *rows)) == [(1, field), (2, field), (3, field)]


async def test_a_refused_row_keeps_no_number(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    """Where a rule has two: a row with one used and one new number leaves the new one free."""
    org, organizer, (first, second, third) = case
    await publish_with_two_numbers(runtime, org)
    used, free, fresh = number(), number(), number()

    def row(person: TestPerson, certificate: str, case_no: str) -> dict[str, Any]:
        evidence = {"certificate": certificate, "case_no": case_no}
        return {"person_id": str(person.id), "evidence": evidence}

    await send(api, organizer, org, row(third, used, number()))
    part = await send(
        api, organizer, org, row(first, used, free), row(third, number(), fresh), partial=True
    )

    assert (part.json()["proposed"], part.json()["refused"]) == (1, 1)
    again = await send(api, organizer, org, row(first, number(), free))
    assert again.status_code == 201, again.text
    assert wrong(await send(api, organizer, org, row(second, number(), fresh))) == [
        (1, "evidence.case_no")
    ]


async def test_a_row_frees_its_number_though_others_stand(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    org, organizer, (first, second, third) = case
    reviewer, administrator = (
        await make_organizer(runtime, org.id),
        await make_administrator(runtime, org.id),
    )
    freed, taken_back, kept = number(), number(), number()
    made = await send(
        api,
        organizer,
        org,
        *(donation(one, no) for one, no in zip(case[2], (freed, taken_back, kept), strict=True)),
    )
    to_reject, to_reverse, _ = [row["award"] for row in made.json()["rows"]]
    assert (await reject(api, reviewer, to_reject)).status_code == 200
    assert (await reverse(api, administrator, to_reverse["id"])).status_code == 201

    again = [await send(api, organizer, org, donation(second, freed))]
    again += [await send(api, organizer, org, donation(first, taken_back))]
    still = await send(api, organizer, org, donation(third, kept))

    assert [one.status_code for one in again] == [201, 201]
    assert [field for _, field in wrong(still)] == ["evidence.certificate"]


async def test_an_award_of_nothing_can_be_taken_back_and_frees_its_number(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    org, organizer, (first, second, _) = case
    administrator = await make_administrator(runtime, org.id)
    commended = {"document": number(), "public_notice": "已公示"}
    reviewers = [await make_organizer(runtime, org.id) for _ in "ab"]
    [whole_day] = await propose(api, organizer, org, first, evidence=commended, grade="city")
    for reviewer in reviewers:
        assert (await approve(api, reviewer, whole_day)).status_code == 200
    certificate = number()
    made = await send(api, organizer, org, donation(first, certificate))
    award = made.json()["rows"][0]["award"]
    nothing = (await approve(api, reviewers[0], award)).json()
    assert (nothing["points"], nothing["state"]) == (0, "notice")

    taken = await reverse(api, administrator, award["id"])

    assert taken.status_code == 201, taken.text
    assert (taken.json()["points"], taken.json()["owed"]) == (0, 0)
    assert_refused(await reverse(api, administrator, award["id"]), 409, "ledger.already_settled")
    assert (await send(api, organizer, org, donation(second, certificate))).status_code == 201
    await assert_ledger_verifies(runtime)


async def test_a_rejected_row_frees_its_number(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    org, organizer, (first, second, _) = case
    reviewer = await make_organizer(runtime, org.id)
    certificate = number()
    made = await send(api, organizer, org, donation(first, certificate))
    [row] = made.json()["rows"]
    assert (await reject(api, reviewer, row["award"])).status_code == 200

    assert (await send(api, organizer, org, donation(second, certificate))).status_code == 201
