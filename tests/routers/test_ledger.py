"""Points: balances and the passbook."""

from datetime import timedelta
from typing import Any

import httpx

from app.core.clock import now
from app.jobs import seals
from app.runtime import Runtime
from tests.factories.awards import give_award, propose
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.factories.points import entries, points, spend
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter, make_reward
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

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
    "totals": dict.fromkeys(
        ("all", "year", "month"), dict.fromkeys(("earned", "spent", "expired", "deducted"), 0)
    ),
    "minutes_earned": {"all": 0, "year": 0, "month": 0},
}
MATRIX = """
operation           rule           nobody alice bob  counter rival sibling parent auditor admin outsider
getMyPoints         person         401    200   200  200     200   200     200    200     200   200
listMyPointEntries  person         401    200+  200  200     200   200     200    200     200   200
proveMyPointEntry   person         401    409   409  409     409   409     409    409     409   409       409=ledger.not_sealed_yet
getMyStatementHtml  person         401    200+  200  200     200   200     200    200     200   200
getMyStatementXlsx  person         401    200   200  200     200   200     200    200     200   200
listSeals           anyone         200    200   200  200     200   200     200    200     200   200
reverseTransfer     administrator  401    403   403  403     403   403     403    403     201+  404       404=ledger.transfer_not_found
openStatementHtml    anyone  404    404   404  404     404   404     404    404     404   404       404=statement_links.invalid
openStatementXlsx    anyone  404    404   404  404     404   404     404    404     404   404       404=statement_links.invalid
"""  # noqa: E501 - a table
HERS = {"ledger_accounts": "owner_id = :alice", "expiry_notices": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    "query.until",  # before since
    "statement_links.invalid",  # no signature can be guessed
}


async def _entries(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask()


async def _entry(world: World) -> Ask:
    await _entries(world)
    return Ask({"number": "1"})


async def _transfer(world: World) -> Ask:
    given = await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask({"transfer_id": str(given)}, {"reason": "x"})


async def _unsigned(world: World) -> Ask:
    return Ask({"person_id": str(world.alice.id)})


REQUESTS = {
    "openStatementHtml": _unsigned,
    "openStatementXlsx": _unsigned,
    "listMyPointEntries": _entries,
    "proveMyPointEntry": _entry,
    "getMyStatementHtml": _entries,
    "getMyStatementXlsx": _entries,
    "reverseTransfer": _transfer,
}


async def _more_than_left(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8)
    path, body = f"/ledger/transfers/{award}/reversal", {"reason": "x", "points": 9}
    return Refused(administrator, "POST", path, {"limit": 8}, body)


REFUSED = {"ledger.more_than_left": _more_than_left}


async def known(setup: Setup) -> Known:
    await seals.seal(setup.runtime)
    given = [await give_award(setup.runtime, one, setup.org) for one in setup.others]
    return {"transfer_id": [str(transfer) for transfer in given]}


async def page(
    api: httpx.AsyncClient, person: TestPerson, known: httpx.Response | None = None, limit: int = 20
) -> httpx.Response:
    """Ask for the passbook's first page as one who has the page ``known`` already."""
    headers = {"If-None-Match": known.headers["etag"]} if known else {}
    path, params = f"{API}/me/points/entries", {"limit": limit}
    return await api.get(path, headers=person.headers | headers, params=params)


async def test_a_newcomer_has_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)

    found = await points(api, person)
    caps = found.pop("caps_left")
    assert found == NOTHING
    assert {one["left"] == one["limit"] for one in caps["overall"]} == {True}
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

    numbers = {name for name, value in NOTHING.items() if value == 0}
    assert {name: found[name] for name in numbers} == {
        "available": 23,
        "pending": 15,
        "held": 10,
        "owed": 0,
        "minutes": 240,
        "earned_total": 38,
        "spent_total": 5,
    }
    assert sum(lot["points"] for lot in found["expiring"]) == 23
    assert (found["totals"]["all"]["spent"], found["minutes_earned"]["all"]) == (5, 240)
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

    found = await points(api, poor)
    del found["caps_left"]
    assert found == NOTHING
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
