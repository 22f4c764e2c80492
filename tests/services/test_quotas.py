"""Quotas: so many on one day, and as many on the next."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlmodel import select

from app.core.db import Session
from app.models.quotas import Quota, QuotaKind
from app.runtime import Runtime
from app.services import deductions, quotas
from app.services.awards import proposals, public_notice
from tests.factories.awards import approve, award_body, propose
from tests.factories.deductions import belong, deduction_body
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_person

API = "/api/v1"
# The last second of 1 May and the first of 2 May in Shanghai.
EVENING = datetime(2026, 5, 1, 15, 59, 59, tzinfo=UTC)
MORNING = EVENING + timedelta(seconds=1)


class Used(quotas.QuotaUsed):
    """Of these tests; without a code it is in no catalogue."""


async def take(tx: Session, person: TestPerson, at: datetime, limit: int = 2) -> None:
    await quotas.take(tx, person.id, QuotaKind.proposals, limit, at, Used)


async def used(runtime: Runtime, person: TestPerson) -> list[tuple[str, int]]:
    async with runtime.database.read() as tx:
        found = await tx.exec(select(Quota).where(Quota.person_id == person.id))
        return sorted((one.kind, one.used) for one in found)


@pytest.fixture(autouse=True)
def coded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Used, "code", "tests.used", raising=False)


async def test_a_day_has_a_maximum_and_the_next_day_as_much(runtime: Runtime) -> None:
    person = await make_person(runtime)
    async with runtime.database.transaction() as tx:
        for _ in range(2):
            await take(tx, person, EVENING)
        with pytest.raises(Used) as refused:
            await take(tx, person, EVENING)
        for _ in range(2):
            await take(tx, person, MORNING)
        with pytest.raises(Used):
            await take(tx, person, MORNING)
    assert refused.value.facts == {"limit": 2, "used": 2, "opens_at": MORNING}


async def test_a_request_that_fails_counts_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The second deduction is refused: it is for the same breach."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await propose(api, organizer, org, person)
    await belong(runtime, org, person)
    body = deduction_body(org, person)
    replies = [
        await api.post(f"{API}/deductions", headers=keyed(organizer), json=body) for _ in "ab"
    ]

    assert [one.status_code for one in replies] == [201, 409]
    assert await used(runtime, organizer) == [("deductions_made", 1), ("proposals", 1)]
    assert await used(runtime, person) == [("deductions_of", 1)]


async def test_proposals_of_an_organizer(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "MAX_PROPOSALS_A_DAY", 1)
    org, people = await make_org(runtime), await make_people(runtime, 2)
    organizer, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    await propose(api, organizer, org, *people)
    body = award_body(org, people)
    row = {"person_id": str(people[0].id), "evidence": body["evidence"]}
    batch = {"rule_key": "commendation", "org_id": str(org.id), "rows": [row]}

    for path, asked in (("awards", body), ("awards/batches", batch)):
        refused = await api.post(f"{API}/{path}", headers=keyed(organizer), json=asked)
        assert_refused(refused, 409, "awards.too_many_proposals")

    assert len(await propose(api, other, org, *people)) == 2


async def test_objections_of_a_person(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if they have been decided meanwhile."""
    monkeypatch.setattr(public_notice, "MAX_OBJECTIONS_A_DAY", 1)
    org, neighbour = await make_org(runtime), await make_person(runtime)
    organizer, reviewer, judge = [await make_organizer(runtime, org.id) for _ in "abc"]
    awards = await propose(api, organizer, org, *await make_people(runtime, 2))
    replies = []
    for award in awards:
        await approve(api, reviewer, award)
        path, reason = f"{API}/awards/{award['id']}/objections", {"reason": "当天并未到场"}
        replies.append(await api.post(path, headers=keyed(neighbour), json=reason))
        decision = f"{API}/awards/objections/{replies[0].json()['id']}/decision"
        body = {"upheld": False, "reason": "已核实"}
        await api.post(decision, headers=keyed(judge), json=body)

    assert replies[0].status_code == 201
    assert_refused(replies[1], 409, "awards.too_many_objections_today")


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("MAX_A_DAY", "deductions.too_many"),
        ("MAX_OF_PERSON_A_DAY", "deductions.too_many_of_person"),
    ],
)
async def test_deductions_by_an_organizer_and_of_a_person(
    api: httpx.AsyncClient,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    code: str,
) -> None:
    monkeypatch.setattr(deductions, limit, 1)
    org, people = await make_org(runtime), await make_people(runtime, 2)
    organizers = [await make_organizer(runtime, org.id) for _ in "ab"]
    await belong(runtime, org, *people)

    async def deducted(by: int, of: int) -> httpx.Response:
        body = deduction_body(org, people[of])
        return await api.post(f"{API}/deductions", headers=keyed(organizers[by]), json=body)

    assert (await deducted(0, 0)).status_code == 201
    by_the_same, of_the_same = await deducted(0, 1), await deducted(1, 0)
    assert_refused(by_the_same if limit == "MAX_A_DAY" else of_the_same, 409, code)
    assert {by_the_same.status_code, of_the_same.status_code} == {201, 409}
