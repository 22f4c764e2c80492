"""Awards as their owners see them, with what became of the points, and as reviewers do."""

from typing import Any
from uuid import UUID, uuid4

import httpx

from app.jobs.expiry import expire_lots
from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from app.services.people import masked
from tests.factories.awards import approve, end_notices, give_award, propose
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import end_lot, end_lots
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.points import points, refund, spend
from tests.factories.rewards import make_counter

AWARDS = "/api/v1/awards"


async def mine(api: httpx.AsyncClient, person: TestPerson, **query: Any) -> list[dict[str, Any]]:
    return await walk(api, "/api/v1/me/awards", person.headers, **query)


async def states(api: httpx.AsyncClient, person: TestPerson) -> list[tuple[str, int]]:
    """Return state and what is left of each award, the newest first."""
    return [(one["award"]["state"], one["left"]) for one in await mine(api, person)]


async def test_an_award_by_hand_goes_from_pending_to_spent(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    [award] = await propose(api, organizer, org, person)

    assert await states(api, person) == [("pending", 0)]
    await approve(api, reviewer, award)
    [shown] = await mine(api, person)
    assert (shown["award"]["state"], shown["left"]) == ("notice", 0)
    assert shown["release_at"] is not None
    await end_notices(runtime)
    [shown] = await mine(api, person)
    assert (shown["award"]["state"], shown["left"]) == ("available", 15)
    assert (shown["release_at"], shown["has_objection"]) == (None, False)
    assert shown["expires_at"] is not None
    await spend(api, runtime, person, 9)
    assert await states(api, person) == [("available", 6)]
    await spend(api, runtime, person, 6)
    assert await states(api, person) == [("spent", 0)]


async def test_what_is_left_expires_and_what_was_spent_is_spent(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    spent = await give_award(runtime, person, org, points=2, days_ago=2)
    await spend(api, runtime, person, 2)
    part = await give_award(runtime, person, org, points=2, days_ago=1)
    await spend(api, runtime, person, 1)
    await end_lot(runtime, part)
    await end_lot(runtime, spent)
    ended = [("expired", 0), ("spent", 0)]

    assert await states(api, person) == ended
    await expire_lots(runtime)
    assert await states(api, person) == ended


async def test_what_came_back_is_left_until_it_ends_in_its_turn(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Two of eight expired before the other six were given back."""
    org, person = await make_org(runtime), await make_person(runtime)
    counter = await make_counter(runtime)
    award = await give_award(runtime, person, org, points=8)
    charge = await spend(api, runtime, person, 6, counter)
    await end_lot(runtime, award)
    await expire_lots(runtime)
    assert await states(api, person) == [("expired", 0)]

    await refund(api, counter, charge)

    (found,) = await mine(api, person)
    assert (found["award"]["state"], found["left"]) == ("available", 6)
    assert found["expires_at"] == (await points(api, person))["expiring"][0]["expires_at"]
    await spend(api, runtime, person, 2)
    assert await states(api, person) == [("available", 4)]
    await end_lots(runtime, person.id)
    assert await states(api, person) == [("expired", 0)]


async def test_an_award_without_points_has_no_lot(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_award(runtime, person, org, points=8)
    await give_award(runtime, person, org, points=8, minutes=60)
    assert await states(api, person) == [("available", 0), ("available", 8)]  # 8 points a day


async def test_ones_own_and_nobody_elses_by_pages_and_units(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, (person, other) = await make_org(runtime), await make_people(runtime, 2)
    given = [await give_award(runtime, person, org, days_ago=n, points=1) for n in (3, 2, 1)]
    await give_award(runtime, other, org)

    shown = await mine(api, person, limit=2)

    assert [one["award"]["id"] for one in shown] == [str(one) for one in reversed(given)]
    assert await mine(api, person, unit="minutes") == []
    reply = await api.get("/api/v1/me/awards", headers=person.headers, params={"unit": "gold"})
    assert_refused(reply, 404, "ledger.unit_unknown")


async def test_reviewers_see_the_evidence_the_reviews_and_the_objections(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, (person, neighbour) = await make_org(runtime), await make_people(runtime, 2)
    organizer, reviewer, judge = [await make_organizer(runtime, org.id) for _ in range(3)]
    [award] = await propose(api, organizer, org, person)
    await approve(api, reviewer, award)
    reason = {"reason": "当天并未到场"}
    path = f"{AWARDS}/{award['id']}/objections"
    assert (await api.post(path, headers=keyed(neighbour), json=reason)).status_code == 201

    [case] = await walk(api, AWARDS, reviewer.headers, org_id=str(org.id), state="notice")

    assert case["award"]["id"] == award["id"]
    assert case["evidence"] == {"document": "扬青发〔2026〕3号", "public_notice": "已公示五日"}
    assert (case["reviews_needed"], case["approvals"]) == (1, 1)
    assert (case["person_id"], case["display_name"]) == (str(person.id), masked(person.name))
    assert case["proposed_by"] == str(organizer.id)
    [objection] = case["objections"]
    assert (objection["reason"], objection["upheld"]) == (reason["reason"], None)
    decided = await api.post(
        f"{AWARDS}/objections/{objection['id']}/decision",
        headers=keyed(judge),
        json={"upheld": True, "reason": "属实"},
    )
    assert decided.json()["state"] == "rejected"
    [case] = await walk(api, AWARDS, reviewer.headers, org_id=str(org.id))
    assert case["objections"][0]["upheld"] is True


async def test_a_list_is_of_a_subtree_and_by_state(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    above = await make_org(runtime, level=Level.street)
    below = await make_org(runtime, level=Level.community, parent=above)
    organizer, people = await make_organizer(runtime, above.id), await make_people(runtime, 3)
    waiting = await propose(api, organizer, below, *people)
    given = await give_award(runtime, people[0], above, days_ago=1)
    auditor = await make_with_role(runtime, Role.auditor, org=above.id)
    ids = [one["id"] for one in waiting]

    async def listed(org: UUID, **query: str) -> set[str]:
        found = await walk(api, AWARDS, auditor.headers, org_id=str(org), limit=2, **query)
        return {one["award"]["id"] for one in found}

    assert await listed(above.id) == {*ids, str(given)}
    assert await listed(above.id, state="pending") == set(ids)
    assert await listed(below.id) == set(ids)


async def test_only_where_one_has_a_role(api: httpx.AsyncClient, runtime: Runtime) -> None:
    one, other = await make_org(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, one.id)

    for org, status, code in (
        (other.id, 403, "auth.forbidden"),
        (uuid4(), 404, "orgs.not_found"),
    ):
        query = {"org_id": str(org)}
        assert_refused(await api.get(AWARDS, headers=organizer.headers, params=query), status, code)
