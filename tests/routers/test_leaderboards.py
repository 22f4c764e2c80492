"""Leaderboards: subtree sums, masked names, periods, and who never appears."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.core.clock import local_date, now, period_start
from app.integrations.leaderboards import GENERATION
from app.jobs.outbox import relay
from app.models.consents import ConsentDocument
from app.models.orgs import Level, Org
from app.runtime import Runtime
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import approve, end_notices, give_award, propose, reverse
from tests.factories.consents import agree
from tests.factories.http import assert_refused, keyed
from tests.factories.leaderboards import fed
from tests.factories.ledger import assert_ledger_verifies, give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.factories.rewards import make_card_codes, make_counter
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation       rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getLeaderboard  anyone  200    200   200  200     200   200     200    200     200   200
getHoursLeaderboard  anyone  200  200  200  200   200   200     200    200     200   200
getOrgLeaderboard    anyone  200  200  200  200   200   200     200    200     200   200
"""


async def _board_of_home(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


REQUESTS = dict.fromkeys(
    ("getLeaderboard", "getHoursLeaderboard", "getOrgLeaderboard"), _board_of_home
)


async def board(
    api: httpx.AsyncClient, org: Org, person: TestPerson | None = None, **query: Any
) -> dict[str, Any]:
    response = await api.get(
        f"{API}/leaderboards",
        headers=person.headers if person else None,
        params={"org_id": str(org.id), "period": "all"} | query,
    )
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def tell(api: httpx.AsyncClient, person: TestPerson, **changes: Any) -> None:
    response = await api.put(
        f"{API}/me",
        headers=person.headers,
        json={"display_name": person.name} | changes,
    )
    assert response.status_code == 200, response.text


async def test_a_board_sums_an_organisations_subtree(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    first, second = [
        await make_org(runtime, parent=street, level=Level.community) for _ in range(2)
    ]
    one, two = await make_person(runtime, "李一一"), await make_person(runtime, "周二二")
    await give_points(runtime, one.id, 10, org=first.id)
    await give_points(runtime, one.id, 5, org=second.id)
    await give_points(runtime, two.id, 12, org=first.id)
    await fed(runtime)

    of_street, of_first, of_second = [await board(api, org) for org in (street, first, second)]

    assert of_street["items"] == [
        {"rank": 1, "display_name": "李*一", "points": 15},
        {"rank": 2, "display_name": "周*二", "points": 12},
    ]
    assert [item["points"] for item in of_first["items"]] == [12, 10]
    assert [item["points"] for item in of_second["items"]] == [5]
    await assert_ledger_verifies(runtime)


async def whole_tree(
    api: httpx.AsyncClient, person: TestPerson | None = None, **query: Any
) -> dict[str, Any]:
    response = await api.get(
        f"{API}/leaderboards",
        headers=person.headers if person else None,
        params={"period": "all"} | query,
    )
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_without_an_organisation_it_is_the_whole_tree(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Two trees: points of both count together, and without Redis too."""
    first, second = [await make_org(runtime, level=Level.city) for _ in range(2)]
    street = await make_org(runtime, parent=second)
    best, next_best = await make_person(runtime, "李一一"), await make_person(runtime)
    await give_points(runtime, best.id, 500_000, org=first.id)
    await give_points(runtime, best.id, 400_000, org=street.id)
    await give_points(runtime, next_best.id, 800_000, org=street.id)
    await fed(runtime)

    from_redis = await whole_tree(api, best)
    assert from_redis["items"][0] == {"rank": 1, "display_name": "李*一", "points": 900_000}
    assert from_redis["items"][1]["points"] == 800_000
    assert from_redis["me"] == {"rank": 1, "points": 900_000}
    assert (await whole_tree(api))["me"] is None
    assert [one["points"] for one in (await whole_tree(api, limit=1))["items"]] == [900_000]
    assert (await board(api, first, best))["me"] == {"rank": 1, "points": 500_000}
    assert (await board(api, second, best))["me"] == {"rank": 2, "points": 400_000}

    await runtime.redis.delete(GENERATION)
    from_ledger = await whole_tree(api, best)
    await fed(runtime)
    assert from_ledger == from_redis == await whole_tree(api, best)


async def test_me_is_there_for_a_person_and_only_then(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    people = [await make_person(runtime) for _ in range(3)]
    for person, points in zip(people, (30, 20, 10), strict=True):
        await give_points(runtime, person.id, points, org=org.id)
    await fed(runtime)

    anonymous = await board(api, org)
    last = await board(api, org, people[2], limit=1)
    stranger = await board(api, org, await make_person(runtime))

    assert anonymous["me"] is None
    assert last["me"] == {"rank": 3, "points": 10}
    assert [item["points"] for item in last["items"]] == [30]
    assert stranger["me"] is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("王小四", "王*四"), ("张三", "*三"), ("四", "*"), ("欧阳娜娜", "欧*娜")],
)
async def test_names_are_masked(
    api: httpx.AsyncClient, runtime: Runtime, name: str, shown: str
) -> None:
    org, person = await make_org(runtime), await make_person(runtime, name)
    await give_points(runtime, person.id, 1, org=org.id)
    await fed(runtime)

    assert [item["display_name"] for item in (await board(api, org))["items"]] == [shown]


async def test_who_opts_in_is_shown_by_name_and_may_opt_out(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime, "王小四")
    await give_points(runtime, person.id, 1, org=org.id)
    await fed(runtime)

    await tell(api, person, shows_name=True)
    opted_in = await board(api, org)
    await tell(api, person, shows_name=False)
    opted_out = await board(api, org)

    assert opted_in["items"][0]["display_name"] == "王小四"
    assert opted_out["items"][0]["display_name"] == "王*四"


async def test_a_child_under_14_never_appears(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    child, adult = await make_person(runtime), await make_person(runtime)
    await give_points(runtime, child.id, 50, org=org.id)
    await give_points(runtime, adult.id, 10, org=org.id)
    await fed(runtime)

    await agree(api, child, ConsentDocument.guardian)
    await tell(api, child, birth_date=birthday(14, days_from_now=1), shows_name=True)
    at_once = await board(api, org)
    await relay(runtime)
    await fed(runtime)
    await give_points(runtime, child.id, 50, org=org.id)
    await fed(runtime)
    later = await board(api, org, child)

    assert [item["points"] for item in at_once["items"]] == [10]
    assert later["items"] == [{"rank": 1, "display_name": "王*四", "points": 10}]
    assert later["me"] is None


async def test_who_turns_14_today_appears(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    async with runtime.database.transaction() as tx:  # with a guardian's consent it would stay
        await tx.fetch(
            "UPDATE people SET birth_date = CAST(CAST(:day AS text) AS date) WHERE id = :id",
            {"id": person.id, "day": birthday(14, days_from_now=1)},
        )
    await give_points(runtime, person.id, 10, org=org.id)
    await relay(runtime)
    await fed(runtime)
    before = await board(api, org)

    await tell(api, person, birth_date=birthday(14, days_from_now=0))
    await relay(runtime)
    await fed(runtime)

    assert before["items"] == []
    assert [item["points"] for item in (await board(api, org))["items"]] == [10]


def birthday(age: int, *, days_from_now: int) -> str:
    """Return the birth date of somebody who has that birthday in some days (Shanghai)."""
    day = local_date(now()) + timedelta(days=days_from_now)
    if (day.month, day.day) == (2, 29):
        day += timedelta(days=1)
    return day.replace(year=day.year - age).isoformat()


async def test_a_period_holds_what_was_earned_in_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    moment = now()
    starts = {
        "week": period_start(moment, "week"),
        "month": period_start(moment, "month"),
        "year": period_start(moment, "year"),
        "all": period_start(moment, "all"),
    }
    earned = {moment: 1}
    for points, start in ((10, starts["week"]), (100, starts["month"]), (1000, starts["year"])):
        earned[start - timedelta(seconds=1)] = points
    for at in sorted(earned):
        await give_points(runtime, person.id, earned[at], org=org.id, at=at)
    await fed(runtime)

    for period, start in starts.items():
        found = await board(api, org, person, period=period)
        expected = sum(points for at, points in earned.items() if at >= start)
        assert found["period"] == period
        assert datetime.fromisoformat(found["starts_at"]) == start
        assert found["items"][0]["points"] == expected
        assert found["me"] == {"rank": 1, "points": expected}


async def test_points_from_a_check_in_and_an_approval_count_and_pending_ones_do_not(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    activity = await make_attended(runtime, person, org=org)
    await api.post(
        f"{API}/checkins", headers=person.headers, json={"code": current_code(runtime, activity)}
    )
    award = (await propose(api, organizer, org, person))[0]
    await fed(runtime)
    before = await board(api, org, person)

    await approve(api, reviewer, award)
    await end_notices(runtime)
    await fed(runtime)

    assert before["me"] == {"rank": 1, "points": 4}
    assert (await board(api, org, person))["me"] == {"rank": 1, "points": 19}


async def test_spending_costs_no_rank_and_a_reversal_does(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    counter = await make_counter(runtime, org=org)
    kept = await give_award(runtime, person, org, points=6)
    taken = await give_award(runtime, person, org, rule_key="council_attend", points=2)
    code = (await make_card_codes(runtime, person, 1))[0]
    await api.post(
        f"{API}/merchant/charges",
        headers=keyed(counter.staff),
        json={"card_code": code, "points": 1, "note": ""},
    )
    await fed(runtime)
    boards = [(await board(api, org, person))["me"]]

    for award in (taken, kept):
        reversal = await reverse(api, await make_administrator(runtime, org.id), award)
        assert reversal.status_code == 201
        await fed(runtime)
        boards.append((await board(api, org, person))["me"])

    # Of the second one point is owed: it counts as taken back all the same.
    assert boards == [{"rank": 1, "points": 8}, {"rank": 1, "points": 6}, None]


async def test_a_limit_cuts_the_list(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    for points in (3, 2, 1):
        person = await make_person(runtime)
        await give_points(runtime, person.id, points, org=org.id)
    await fed(runtime)

    found = await board(api, org, limit=2)

    assert [(item["rank"], item["points"]) for item in found["items"]] == [(1, 3), (2, 2)]


async def test_the_month_is_shown_unless_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)

    response = await api.get(f"{API}/leaderboards", params={"org_id": str(org.id)})

    assert response.json()["period"] == "month"
    assert response.json()["items"] == []


async def test_an_unknown_organisation_is_told(api: httpx.AsyncClient) -> None:
    for unknown in (str(uuid4()), "nope", ""):
        response = await api.get(f"{API}/leaderboards", params={"org_id": unknown})
        assert_refused(response, 404, "orgs.not_found")


async def test_a_board_that_redis_lost_is_the_same_from_the_ledger(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 10, org=org.id)
    await fed(runtime)
    from_redis = await board(api, org, person)

    await runtime.redis.delete(GENERATION)
    from_ledger = await board(api, org, person)
    await fed(runtime)

    assert from_ledger == from_redis
    assert await board(api, org, person) == from_redis
