"""Taking back a part of an award: as often as something is left of it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import local_date, now
from app.models.ledger import Purpose
from app.queries import leaderboards
from app.runtime import Runtime
from app.services.ledger.types import POINTS
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import approve, end_notices, give_award, propose, reverse
from tests.factories.http import assert_refused
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer, make_person
from tests.factories.points import points, spend
from tests.routers.test_audit import entries

API = "/api/v1"


async def test_parts_are_taken_until_nothing_is_left(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8, minutes=240)

    first, second = [await reverse(api, administrator, award, points=part) for part in (3, 1)]
    between = await points(api, person)
    await assert_ledger_verifies(runtime)
    too_much = await reverse(api, administrator, award, points=5)
    last = await reverse(api, administrator, award, points=4)
    again = await reverse(api, administrator, award, points=1)

    told = [(one.json()["points"], one.json()["left"]) for one in (first, second, last)]
    assert told == [(3, 5), (1, 4), (4, 0)]
    assert (between["available"], between["minutes"]) == (4, 240), "the hours stay till the last"
    assert_refused(too_much, 409, "ledger.more_than_left")
    assert too_much.json()["facts"] == {"limit": 4}
    assert_refused(again, 409, "ledger.already_settled")
    after = await points(api, person)
    assert (after["available"], after["minutes"], after["earned_total"]) == (0, 0, 0)
    assert await balance(runtime, org.id, Purpose.fund) == 0
    await assert_ledger_verifies(runtime)


async def test_a_part_makes_room_under_the_caps(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """volunteer_hour gives at most 8 points a day."""
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8)
    await reverse(api, administrator, award, points=3)
    activity = await make_attended(runtime, person, hours=2)

    code = {"code": current_code(runtime, activity)}
    scanned = await api.post(f"{API}/checkins", headers=person.headers, json=code)

    assert scanned.json()["award"]["points"] == 3


async def test_a_part_that_was_spent_is_owed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8)
    await spend(api, runtime, person, 6)

    body = (await reverse(api, administrator, award, points=5)).json()

    assert (body["from_available"], body["owed"], body["left"]) == (2, 3, 3)
    rest = (await reverse(api, administrator, award, points=None)).json()
    assert (rest["points"], rest["from_available"], rest["owed"]) == (3, 0, 3)
    assert (await points(api, person))["owed"] == 6
    await assert_ledger_verifies(runtime)


@pytest.mark.parametrize("when", ["pending", "notice"])
async def test_a_part_of_what_waits_never_comes(
    api: httpx.AsyncClient, runtime: Runtime, when: str
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    [award] = await propose(api, organizer, org, person)
    if when == "notice":
        await approve(api, reviewer, award)

    body = (await reverse(api, administrator, award["id"], points=5)).json()
    if when == "pending":
        await approve(api, reviewer, award)
    await assert_ledger_verifies(runtime)
    await end_notices(runtime)

    assert (body["from_pending"], body["left"]) == (5, 10)
    assert (await points(api, person))["available"] == 10
    await assert_ledger_verifies(runtime)


async def test_a_part_is_told_and_on_record(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org, points=8)
    await reverse(api, administrator, award, points=3)

    [notice] = await inbox(api, runtime, person)
    [entry] = await entries(api, administrator, org)

    assert "3 积分已冲正：录入错误" in notice["text"]
    found: dict[str, Any] = {name: entry[name] for name in ("verb", "reason", "facts")}
    assert found == {
        "verb": "reversed_in_part",
        "reason": "录入错误",
        "facts": {"points": 3, "left": 5},
    }


async def test_a_part_counts_in_the_period_in_which_its_award_was_released(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Not in that of the proposal: a board of the days since the release shows what is left."""
    person, org = await make_person(runtime), await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
    [award] = await propose(api, organizer, org, person)
    await approve(api, reviewer, award)
    await end_notices(runtime)  # four days from now
    await reverse(api, administrator, award["id"], points=5)

    since, born = now() + timedelta(days=3), local_date(now())
    async with runtime.database.read() as tx:
        found = await leaderboards.top(tx, org.path, since, unit=POINTS, born_until=born, limit=10)

    assert list(found) == [(person.id, 10)]
