"""The way of an award by hand: reviewed by others, shown to everybody, then paid."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.models.orgs import Level, Org
from app.runtime import Runtime
from app.services.people import masked
from app.services.policies import publishing
from tests.factories.awards import approve, end_notices, give_award, propose, reject, reverse
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person

AWARDS = "/api/v1/awards"
PLACEMENT = {  # 20 points: two reviewers
    "rule_key": "student_placement",
    "evidence": {"log": "三十日日志", "mentor_grade": "优"},
}


async def points(api: httpx.AsyncClient, person: TestPerson) -> tuple[int, int, int]:
    body = (await api.get("/api/v1/me/points", headers=person.headers)).json()
    return body["available"], body["pending"], body["minutes"]


async def shown(api: httpx.AsyncClient, **query: str) -> list[dict[str, object]]:
    response = await api.get(f"{AWARDS}/notices", params=query)
    assert response.status_code == 200, response.text
    items: list[dict[str, object]] = response.json()["items"]
    return items


async def object_to(
    api: httpx.AsyncClient, person: TestPerson, award: dict[str, object]
) -> httpx.Response:
    return await api.post(
        f"{AWARDS}/{award['id']}/objections",
        headers=keyed(person),
        json={"reason": "当天并未到场"},
    )


async def decide(
    api: httpx.AsyncClient, person: TestPerson, objection: httpx.Response, *, upheld: bool
) -> httpx.Response:
    return await api.post(
        f"{AWARDS}/objections/{objection.json()['id']}/decision",
        headers=keyed(person),
        json={"upheld": upheld, "reason": "已核实"},
    )


async def tighten(runtime: Runtime, org: Org, source: str) -> None:
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, source, org=org)


async def waits(api: httpx.AsyncClient, person: TestPerson) -> timedelta:
    """For how long the only award of a person waits from now on, to the nearest hour."""
    body = (await api.get("/api/v1/me/awards", headers=person.headers)).json()
    until = datetime.fromisoformat(body["items"][0]["release_at"])
    return timedelta(hours=round((until - now()) / timedelta(hours=1)))


async def test_an_approval_begins_the_notice_and_its_end_pays(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]

    response = await approve(api, reviewer, award)

    assert response.status_code == 200
    assert response.json() == award | {"state": "notice"}
    assert await points(api, person) == (0, 15, 0)
    (notice,) = await shown(api, org_id=str(org.id))
    assert notice["award"] == award | {"state": "notice"}
    assert (notice["display_name"], notice["has_objection"]) == (masked(person.name), False)
    assert person.name not in str(notice)
    await end_notices(runtime)
    assert await points(api, person) == (15, 0, 0)
    assert await shown(api, org_id=str(org.id)) == []
    await assert_ledger_verifies(runtime)


async def test_hours_of_waiting_follow_the_last_approval(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """By a poster's code it waits a day, and here for a reviewer before that."""
    org, person = await make_org(runtime), await make_person(runtime)
    reviewers = [await make_organizer(runtime, org.id) for _ in range(2)]
    await tighten(runtime, org, "[release.poster_code]\nreviewers = 1")
    award = {"id": str(await give_award(runtime, person, org, points=4, proof="poster_code"))}

    approved = await approve(api, reviewers[0], award)

    assert (approved.status_code, approved.json()["state"]) == (200, "pending")
    assert await waits(api, person) == timedelta(hours=24)
    assert await points(api, person) == (0, 4, 0)
    assert_refused(await approve(api, reviewers[1], award), 409, "awards.not_pending")
    await end_notices(runtime)
    assert await points(api, person) == (4, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_what_waits_for_its_hours_can_still_be_rejected(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    reviewers = [await make_organizer(runtime, org.id) for _ in range(2)]
    await tighten(runtime, org, "[release.poster_code]\nreviewers = 1")
    award = {"id": str(await give_award(runtime, person, org, points=4, proof="poster_code"))}
    assert (await approve(api, reviewers[0], award)).status_code == 200

    rejected = await reject(api, reviewers[1], award)

    assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")
    await end_notices(runtime)
    assert await points(api, person) == (0, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_hours_of_waiting_lengthen_the_notice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Two days more than the three of the rules above."""
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    await tighten(runtime, org, "[release.manual]\nwait_hours = 48")
    award = (await propose(api, organizer, org, person))[0]

    assert (await approve(api, reviewer, award)).json()["state"] == "notice"

    assert await waits(api, person) == timedelta(days=5)


async def test_twenty_points_need_two_reviewers(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, first, second = [await make_organizer(runtime, org.id) for _ in range(3)]
    award = (await propose(api, organizer, org, person, **PLACEMENT))[0]

    once = await approve(api, first, award)
    again = await approve(api, first, award)
    twice = await approve(api, second, award)

    assert (once.status_code, once.json()["state"]) == (200, "pending")
    assert_refused(again, 409, "awards.reviewed_before")
    assert (twice.status_code, twice.json()["state"]) == (200, "notice")


async def test_nobody_approves_their_own(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in range(2)]
    proposed = (await propose(api, organizer, org, await make_person(runtime)))[0]
    given = (await propose(api, other, org, organizer))[0]

    for act in (approve, reject):
        assert_refused(await act(api, organizer, proposed), 403, "awards.own_proposal")
        assert_refused(await act(api, organizer, given), 403, "awards.own_award")
    assert await points(api, organizer) == (0, 15, 0)


async def test_an_award_is_approved_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    reviewers = [await make_administrator(runtime, org.id) for _ in range(2)]
    award = (await propose(api, await make_organizer(runtime, org.id), org, person))[0]

    first, second = [await approve(api, reviewer, award) for reviewer in reviewers]

    assert first.status_code == 200
    assert_refused(second, 409, "awards.not_pending")


async def test_a_rejected_award_goes_back_to_the_fund(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]

    response = await reject(api, reviewer, award)

    assert (response.status_code, response.json()["state"]) == (200, "rejected")
    assert await points(api, person) == (0, 0, 0)
    assert_refused(await approve(api, reviewer, award), 409, "awards.not_pending")
    await end_notices(runtime)
    full = (await propose(api, organizer, org, person))[0]
    assert full["points"] == 15, "it does not count towards the caps"
    await assert_ledger_verifies(runtime)


async def test_hours_by_hand_count_from_the_end_of_the_notice_on(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    hours = {"rule_key": "volunteer_hour", "quantity": 2, "evidence": {}}
    award = (await propose(api, organizer, org, person, **hours))[0]
    assert (award["points"], award["minutes"]) == (4, 120)

    await approve(api, reviewer, award)
    before = await points(api, person)
    await end_notices(runtime)

    assert before == (0, 4, 0)
    assert await points(api, person) == (4, 0, 120)


async def test_a_sibling_organizer_meets_no_such_award(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    mine, other = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    person, sibling = await make_person(runtime), await make_organizer(runtime, other.id)
    reviewer = await make_organizer(runtime, street.id)
    award = (await propose(api, await make_organizer(runtime, mine.id), mine, person))[0]

    for act in (approve, reject):
        assert_refused(await act(api, sibling, award), 404, "awards.not_found")
    await approve(api, reviewer, award)
    objection = await object_to(api, sibling, award)

    refused = await decide(api, sibling, objection, upheld=True)

    assert_refused(refused, 404, "awards.objection_not_found")
    assert await points(api, person) == (0, 15, 0)


async def test_an_objection_stops_the_release_until_it_is_decided(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person, neighbour = await make_org(runtime), *[await make_person(runtime) for _ in "ab"]
    organizer, reviewer, judge = [await make_organizer(runtime, org.id) for _ in range(3)]
    award = (await propose(api, organizer, org, person))[0]
    await approve(api, reviewer, award)

    objection = await object_to(api, neighbour, award)

    assert (objection.status_code, objection.json()["upheld"]) == (201, None)
    assert (await shown(api, org_id=str(org.id)))[0]["has_objection"] is True
    await end_notices(runtime)
    assert await points(api, person) == (0, 15, 0)
    dismissed = await decide(api, judge, objection, upheld=False)
    assert (dismissed.status_code, dismissed.json()["state"]) == (200, "notice")
    await end_notices(runtime)
    assert await points(api, person) == (15, 0, 0)
    late = await decide(api, judge, objection, upheld=True)
    assert_refused(late, 409, "awards.objection_decided")


async def test_an_objection_that_is_upheld_takes_the_award_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person, neighbour = await make_org(runtime), *[await make_person(runtime) for _ in "ab"]
    organizer, reviewer, judge = [await make_organizer(runtime, org.id) for _ in range(3)]
    award = (await propose(api, organizer, org, person))[0]
    await approve(api, reviewer, award)
    objection = await object_to(api, neighbour, award)

    response = await decide(api, judge, objection, upheld=True)

    assert (response.status_code, response.json()["state"]) == (200, "rejected")
    await end_notices(runtime)
    assert await points(api, person) == (0, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_who_has_a_part_in_it_decides_no_objection(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, reviewer, helper, other = [await make_organizer(runtime, org.id) for _ in range(4)]
    award = (await propose(api, organizer, org, helper))[0]
    await approve(api, reviewer, award)
    objection = await object_to(api, other, award)

    for caller, code in (
        (organizer, "awards.own_proposal"),
        (helper, "awards.own_award"),
        (reviewer, "awards.own_review"),
        (other, "awards.own_objection"),
    ):
        assert_refused(await decide(api, caller, objection, upheld=False), 403, code)


async def in_notice(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, number: int
) -> list[dict[str, object]]:
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    people = [await make_person(runtime) for _ in range(number)]
    awards = await propose(api, organizer, org, *people)
    for award in awards:
        assert (await approve(api, reviewer, award)).json()["state"] == "notice"
    return awards


async def test_five_objections_of_one_person_are_open_at_most(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, neighbour = await make_org(runtime), await make_person(runtime)
    judge = await make_organizer(runtime, org.id)
    *awards, another = await in_notice(api, runtime, org, 6)
    objections = [await object_to(api, neighbour, award) for award in awards]
    assert {one.status_code for one in objections} == {201}

    refused = await object_to(api, neighbour, another)
    again = await object_to(api, neighbour, awards[0])
    of_another = await object_to(api, await make_person(runtime), another)

    assert_refused(refused, 409, "awards.too_many_objections")
    assert refused.json()["facts"] == {"limit": 5, "used": 5}
    assert_refused(again, 409, "awards.objected_before")
    assert of_another.status_code == 201
    await decide(api, judge, objections[0], upheld=False)
    assert (await object_to(api, neighbour, another)).status_code == 201


async def upheld_for_another(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, award: Any
) -> None:
    objection = await object_to(api, await make_person(runtime), award)
    judge = await make_organizer(runtime, org.id)
    assert (await decide(api, judge, objection, upheld=True)).status_code == 200


async def taken_back(api: httpx.AsyncClient, runtime: Runtime, org: Org, award: Any) -> None:
    administrator = await make_administrator(runtime, org.id)
    assert (await reverse(api, administrator, award["id"])).status_code == 201


@pytest.mark.parametrize("end", [upheld_for_another, taken_back])
async def test_an_objection_ends_with_its_award(
    api: httpx.AsyncClient, runtime: Runtime, end: Callable[..., Awaitable[None]]
) -> None:
    org, neighbour = await make_org(runtime), await make_person(runtime)
    *awards, another = await in_notice(api, runtime, org, 6)
    objection, *_ = [await object_to(api, neighbour, award) for award in awards]

    await end(api, runtime, org, awards[0])

    judge = await make_organizer(runtime, org.id)
    late = await decide(api, judge, objection, upheld=True)
    assert_refused(late, 409, "awards.objection_decided")
    assert (await object_to(api, neighbour, another)).status_code == 201, "it is open no more"
    await assert_ledger_verifies(runtime)


async def test_an_objection_has_its_time(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person, neighbour = await make_org(runtime), *[await make_person(runtime) for _ in "ab"]
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]

    early = await object_to(api, neighbour, award)
    await approve(api, reviewer, award)
    first, again = [await object_to(api, neighbour, award) for _ in range(2)]
    unknown = await object_to(api, neighbour, {"id": str(uuid4())})

    assert_refused(early, 409, "awards.not_in_notice")
    assert "facts" not in early.json(), "a stranger does not learn the award's state"
    assert first.status_code == 201
    assert_refused(again, 409, "awards.objected_before")
    assert_refused(unknown, 404, "awards.not_found")


@pytest.mark.parametrize("limit", [1, 2])
async def test_notices_are_paged(api: httpx.AsyncClient, runtime: Runtime, limit: int) -> None:
    org = await make_org(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    people = [await make_person(runtime) for _ in range(3)]
    awards = await propose(api, organizer, org, *people)
    for award in awards:
        await approve(api, reviewer, award)

    seen, query = [], {"org_id": str(org.id), "limit": str(limit)}
    for _ in range(3 if limit == 1 else 2):
        page = (await api.get(f"{AWARDS}/notices", params=query)).json()
        seen += [item["award"]["id"] for item in page["items"]]
        query["cursor"] = page["next_cursor"]

    assert page["next_cursor"] is None
    assert seen == [award["id"] for award in awards]


async def test_the_record_says_who_proposed_who_approved_and_why(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]
    await approve(api, reviewer, award)

    async with runtime.database.read() as tx:
        found = await tx.execute(
            text(
                "SELECT a.proposed_by, a.evidence, r.reviewer_id, r.approved FROM awards a"
                " JOIN award_reviews r ON r.award_id = a.id WHERE a.id = :id"
            ),
            {"id": award["id"]},
        )
        row = found.one()

    assert (row.proposed_by, row.reviewer_id, row.approved) == (organizer.id, reviewer.id, True)
    assert row.evidence["document"] == "扬青发〔2026〕3号"
