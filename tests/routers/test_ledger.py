"""Points: balances, the passbook, and taking back what was given by mistake."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from app.core.clock import now
from app.jobs import expiry
from app.models.ledger import Purpose
from app.models.orgs import Level, Org
from app.runtime import Runtime
from tests.factories.awards import approve, give_award, propose, reverse
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies, balance, end_lot, give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.factories.rewards import make_card_codes, make_counter, make_reward

API = "/api/v1"
NOTHING = {
    "available": 0,
    "pending": 0,
    "held": 0,
    "owed": 0,
    "minutes": 0,
    "earned_total": 0,
    "spent_total": 0,
    "expiring": [],
}


async def points(api: httpx.AsyncClient, person: TestPerson) -> dict[str, Any]:
    response = await api.get(f"{API}/me/points", headers=person.headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


async def entries(api: httpx.AsyncClient, person: TestPerson, **params: Any) -> list[Any]:
    return await walk(api, f"{API}/me/points/entries", person.headers, **params)


async def page(
    api: httpx.AsyncClient, person: TestPerson, known: httpx.Response | None = None, limit: int = 20
) -> httpx.Response:
    """Ask for the passbook's first page as one who has the page ``known`` already."""
    headers = {"If-None-Match": known.headers["etag"]} if known else {}
    path, params = f"{API}/me/points/entries", {"limit": limit}
    return await api.get(path, headers=person.headers | headers, params=params)


async def spend(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, amount: int) -> str:
    counter = await make_counter(runtime)
    code = (await make_card_codes(runtime, person, 1))[0]
    response = await api.post(
        f"{API}/merchant/charges",
        headers=keyed(counter.staff),
        json={"card_code": code, "points": amount, "note": "咖啡"},
    )
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def test_a_newcomer_has_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)

    assert await points(api, person) == NOTHING
    assert await entries(api, person) == []


async def test_balances_follow_earning_holding_and_spending(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    await give_award(runtime, person, org, points=8, minutes=240, days_ago=1)
    await give_points(runtime, person.id, 30)
    await propose(api, organizer, org, person)
    await spend(api, runtime, person, 5)
    reward = await make_reward(runtime, await make_counter(runtime), points=10)
    await api.post(
        f"{API}/redemptions",
        headers=keyed(person),
        json={"reward_id": str(reward.id), "quantity": 1},
    )

    found = await points(api, person)

    assert {name: found[name] for name in NOTHING if name != "expiring"} == {
        "available": 23,
        "pending": 15,
        "held": 10,
        "owed": 0,
        "minutes": 240,
        "earned_total": 38,
        "spent_total": 5,
    }
    assert sum(lot["points"] for lot in found["expiring"]) == 23
    await assert_ledger_verifies(runtime)


async def test_what_expires_is_listed_soonest_first_and_spent_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    early, late = now() + timedelta(days=10), now() + timedelta(days=20)
    await give_points(runtime, person.id, 7, expires_at=late)
    await give_points(runtime, person.id, 3, expires_at=early)

    before = (await points(api, person))["expiring"]
    await spend(api, runtime, person, 5)
    after = (await points(api, person))["expiring"]

    assert [lot["points"] for lot in before] == [3, 7]
    assert before[0]["expires_at"] < before[1]["expires_at"]
    assert after == [{"points": 5, "expires_at": before[1]["expires_at"]}]


async def test_the_passbook_runs_without_a_gap_newest_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    for amount in (10, 20, 30):
        await give_points(runtime, person.id, amount)
    charge = await spend(api, runtime, person, 25)

    found = await entries(api, person)

    assert [(e["number"], e["direction"], e["points"], e["balance_after"]) for e in found] == [
        (4, "out", 25, 35),
        (3, "in", 30, 60),
        (2, "in", 20, 30),
        (1, "in", 10, 10),
    ]
    newest = found[0]
    assert (newest["kind"], newest["reason"]) == ("charge", "商户消费：咖啡")
    assert newest["source"] == {"type": "charge", "id": charge}
    assert newest["created_at"].endswith("Z")


async def test_pages_of_the_passbook_hold_every_entry_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    for _ in range(7):
        await give_points(runtime, person.id, 1)

    for limit in (1, 2, 3, 7, 100):
        found = await entries(api, person, limit=limit)
        assert [entry["number"] for entry in found] == [7, 6, 5, 4, 3, 2, 1]


async def test_a_passbook_is_sent_again_only_after_a_new_entry(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1)
    first = await page(api, person)

    same = await page(api, person, known=first)
    await give_points(runtime, person.id, 1)
    changed = await page(api, person, known=first)

    assert (same.status_code, same.content) == (304, b"")
    assert changed.status_code == 200
    assert [entry["number"] for entry in changed.json()["items"]] == [2, 1]


async def test_the_tag_of_a_passbook_is_no_tag_of_anothers(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    alice, bob = await make_person(runtime), await make_person(runtime)
    await give_points(runtime, alice.id, 10)
    await give_points(runtime, bob.id, 20)

    response = await page(api, bob, known=await page(api, alice))

    assert response.status_code == 200
    assert [entry["points"] for entry in response.json()["items"]] == [20]


async def test_the_tag_of_a_short_page_is_no_tag_of_a_longer_one(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1)
    await give_points(runtime, person.id, 1)

    response = await page(api, person, known=await page(api, person, limit=1), limit=2)

    assert response.status_code == 200
    assert [entry["number"] for entry in response.json()["items"]] == [2, 1]


async def test_each_sees_only_their_own_points(api: httpx.AsyncClient, runtime: Runtime) -> None:
    rich, poor = await make_person(runtime), await make_person(runtime)
    await give_points(runtime, rich.id, 50)

    assert await points(api, poor) == NOTHING
    assert await entries(api, poor) == []


async def test_entries_are_found_by_kind_and_time(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    begun = now() - timedelta(days=20)
    for day in range(6):
        await give_points(runtime, person.id, 1, at=begun + timedelta(days=day))
    await spend(api, runtime, person, 2)

    async def numbers(**query: Any) -> list[int]:
        return [entry["number"] for entry in await entries(api, person, limit=2, **query)]

    since, until = [(begun + timedelta(days=n)).isoformat() for n in (1, 4)]
    assert await numbers(kind="award") == [6, 5, 4, 3, 2, 1]
    assert await numbers(kind="charge") == [7]
    assert await numbers(kind=["charge", "award"], since=since) == [7, 6, 5, 4, 3, 2]
    assert await numbers(since=since, until=until) == [4, 3, 2]
    assert await numbers(kind="expiry") == []
    everything = await entries(api, person)
    for beyond in ("2099-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"):
        assert await entries(api, person, until=beyond) == everything
    assert await numbers(until="0001-01-01T00:00:00+14:00") == []
    wrong = {"kind": "gift"}, {"since": "yesterday"}, {"until": "2026-01-01T00:00:00"}
    for query in wrong:
        refused = await api.get(f"{API}/me/points/entries", headers=person.headers, params=query)
        assert_refused(refused, 422, "request.invalid")


async def test_an_administrator_takes_back_an_award(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8, minutes=240)

    response = await reverse(api, administrator, award)

    assert response.status_code == 201
    body = response.json()
    assert (body["reverses_id"], body["points"], body["reason"]) == (str(award), 8, "录入错误")
    found = await points(api, person)
    assert (found["available"], found["minutes"], found["earned_total"]) == (0, 0, 0)
    newest = (await entries(api, person))[0]
    assert (newest["id"], newest["kind"], newest["direction"]) == (body["id"], "reversal", "out")
    await assert_ledger_verifies(runtime)


async def test_an_administrator_above_may_reverse_too(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    person = await make_person(runtime)
    award = await give_award(runtime, person, org)

    response = await reverse(api, await make_administrator(runtime, street.id), award)

    assert response.status_code == 201


async def test_others_may_not_reverse(api: httpx.AsyncClient, runtime: Runtime) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    sibling = await make_org(runtime, parent=street, level=Level.community)
    person = await make_person(runtime)
    award = await give_award(runtime, person, org)

    by_sibling = await reverse(api, await make_administrator(runtime, sibling.id), award)
    by_resident = await reverse(api, person, award)
    by_organizer = await reverse(api, await make_organizer(runtime, org.id), award)

    assert_refused(by_sibling, 404, "ledger.transfer_not_found")
    assert_refused(by_resident, 403, "auth.forbidden")
    assert_refused(by_organizer, 403, "auth.forbidden")
    assert await balance(runtime, person.id) == 8


async def test_a_transfer_is_reversed_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org)
    await give_points(runtime, person.id, 100)

    first = await reverse(api, administrator, award, key="reverse-once")
    replay = await reverse(api, administrator, award, key="reverse-once")
    second = await reverse(api, administrator, award)

    assert (first.status_code, replay.status_code) == (201, 201)
    assert replay.json() == first.json()
    assert_refused(second, 409, "ledger.already_settled")
    assert await balance(runtime, person.id) == 100


async def test_spent_points_are_owed_and_paid_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8, minutes=240)
    await spend(api, runtime, person, 5)

    body = (await reverse(api, administrator, award)).json()

    assert (body["from_pending"], body["from_available"], body["owed"], body["lost"]) == (
        0,
        3,
        5,
        0,
    )
    after = await points(api, person)
    assert (after["available"], after["minutes"], after["owed"]) == (0, 0, 5)
    assert (after["earned_total"], after["spent_total"]) == (0, 5)
    await give_award(runtime, person, org, points=4)
    await give_award(runtime, person, org, rule_key="council_attend", points=2)
    later = await points(api, person)
    assert (later["available"], later["owed"]) == (1, 0)
    await assert_ledger_verifies(runtime)


async def test_no_more_than_fifty_points_are_owed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    awards = [
        await give_award(
            runtime, person, org, rule_key="taskforce_emergency", points=24, days_ago=n
        )
        for n in (3, 2, 1)
    ]
    await spend(api, runtime, person, 72)

    owed = [(await reverse(api, administrator, award)).json() for award in awards]

    assert [(one["owed"], one["lost"]) for one in owed] == [(24, 0), (24, 0), (2, 22)]
    assert (await points(api, person))["owed"] == 50
    await assert_ledger_verifies(runtime)


async def test_a_reversal_takes_the_award_s_own_points_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Of two lots the one that it made is emptied, though the other expires sooner."""
    person, org = await make_person(runtime), await make_org(runtime)
    await give_points(runtime, person.id, 5, expires_at=now() + timedelta(days=5), org=org.id)
    award = await give_award(runtime, person, org, points=8)

    await reverse(api, await make_administrator(runtime, org.id), award)

    expiring = (await points(api, person))["expiring"]
    assert [one["points"] for one in expiring] == [5]


async def test_what_expired_of_an_award_is_not_taken_twice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    swept = await give_award(runtime, person, org, points=4, days_ago=3)
    await end_lot(runtime, swept)
    await expiry.expire_lots(runtime)
    ended = await give_award(runtime, person, org, points=3, days_ago=2)
    await end_lot(runtime, ended)
    await give_award(runtime, person, org, points=2, days_ago=1)

    told = [(await reverse(api, administrator, award)).json() for award in (swept, ended)]

    parts = [(one["points"], one["from_available"], one["owed"], one["expired"]) for one in told]
    assert parts == [(4, 0, 0, 4), (3, 0, 0, 3)]
    after = await points(api, person)
    assert (after["available"], after["owed"]) == (2, 0)
    await expiry.expire_lots(runtime)
    assert await balance(runtime, person.id) == 2
    await assert_ledger_verifies(runtime)


async def test_an_award_is_taken_back_from_where_it_is(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    administrator = await make_administrator(runtime, org.id)
    pending, approved = await _pending_and_approved(api, organizer, administrator, org, person)

    first = await reverse(api, administrator, UUID(pending["id"]))
    second = await reverse(api, administrator, UUID(approved["id"]))

    assert (first.status_code, second.status_code) == (201, 201)
    assert await balance(runtime, person.id, Purpose.pending) == 0
    assert await balance(runtime, person.id) == 0
    await assert_ledger_verifies(runtime)


async def _pending_and_approved(
    api: httpx.AsyncClient,
    organizer: TestPerson,
    administrator: TestPerson,
    org: Org,
    person: TestPerson,
) -> tuple[dict[str, Any], dict[str, Any]]:
    case = {"rule_key": "council_submit", "evidence": {"case_no": "2026-17"}}
    repair = {"rule_key": "tool_repair", "evidence": {"acceptance": "合格"}}
    pending = (await propose(api, organizer, org, person, **case))[0]
    approved = (await propose(api, organizer, org, person, **repair))[0]
    assert (await approve(api, administrator, approved)).status_code == 200
    return pending, approved


async def test_a_reversed_award_frees_its_room_under_the_cap(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A mistake that was corrected must not cost the person the day's points."""
    person, org = await make_person(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    administrator = await make_administrator(runtime, org.id)
    case = {"rule_key": "council_submit", "evidence": {"case_no": "2026-17"}}
    wrong = (await propose(api, organizer, org, person, **case))[0]
    await reverse(api, administrator, UUID(wrong["id"]))

    right = (await propose(api, organizer, org, person, **case))[0]

    assert (wrong["points"], right["points"]) == (3, 3)


async def test_an_award_of_hours_alone_is_taken_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Over a cap there are no points: then it is named by its id. Hours alone never go back."""
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    hours = await give_award(runtime, person, org, points=0, minutes=60)
    both = await give_award(runtime, person, org, points=2, minutes=60)

    done = await reverse(api, administrator, hours)
    of_hours = UUID(int=both.int ^ 1)
    points_alone = await give_award(runtime, person, org, points=1)

    assert done.status_code == 201, done.text
    assert (done.json()["points"], done.json()["from_available"]) == (0, 0)
    after = await points(api, person)
    assert (after["available"], after["minutes"]) == (3, 60)
    assert_refused(await reverse(api, administrator, hours), 409, "ledger.already_settled")
    assert_refused(await reverse(api, administrator, of_hours), 409, "ledger.not_reversible")
    unknown = UUID(int=points_alone.int ^ 1)
    assert_refused(await reverse(api, administrator, unknown), 404, "ledger.transfer_not_found")
    await assert_ledger_verifies(runtime)


async def test_a_reversed_award_is_not_approved(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = (await propose(api, await make_organizer(runtime, org.id), org, person))[0]
    await reverse(api, administrator, UUID(award["id"]))

    response = await approve(api, administrator, award)

    assert_refused(response, 409, "awards.not_pending")
    assert await balance(runtime, person.id) == 0


async def test_only_an_award_is_reversed_here(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    administrator, person = await make_administrator(runtime, org.id), await make_person(runtime)
    await give_points(runtime, person.id, 20)
    reward = await make_reward(runtime, await make_counter(runtime, org=org))
    held = await api.post(
        f"{API}/redemptions",
        headers=keyed(person),
        json={"reward_id": str(reward.id), "quantity": 1},
    )

    response = await reverse(api, administrator, UUID(held.json()["id"]))

    assert_refused(response, 409, "ledger.not_reversible")
    assert await balance(runtime, person.id, Purpose.held) == 10


async def test_an_unknown_transfer_is_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)

    response = await reverse(api, administrator, uuid4())

    assert_refused(response, 404, "ledger.transfer_not_found")
