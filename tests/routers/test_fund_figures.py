"""The public figures of a 公益银行: every point that it issued is somewhere, in every month.

Closing a month is for everybody: each test has a database of its own.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.clock import local_date, midnight, now
from app.jobs import funds
from app.models.orgs import Level, Org
from app.runtime import Runtime
from app.services import funds as fund_service
from tests.factories.awards import give_award, propose, reverse
from tests.factories.http import assert_refused, in_process, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer, make_person
from tests.factories.policies import SHIPPED, open_unit, publish_in
from tests.factories.rewards import make_card_codes, make_counter, make_reward

API = "/api/v1"


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest.fixture
async def api(alone: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(alone) as client:
        yield client


async def figures(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, **query: str
) -> dict[str, Any]:
    await funds.write_months(runtime)
    response = await api.get(f"{API}/orgs/{org.id}/fund", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def nonzero(found: dict[str, Any]) -> dict[str, int]:
    return {name: n for name, n in found.items() if isinstance(n, int) and n and n is not True}


async def test_every_point_is_somewhere(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    counter = await make_counter(runtime, org=org)
    for days_ago in (3, 2, 1):
        await give_award(
            runtime, person, org, rule_key="taskforce_emergency", points=20, days_ago=days_ago
        )
    taken_back = await give_award(runtime, person, org, points=5)
    await propose(api, organizer, org, person)
    reward = await make_reward(runtime, counter, points=7)
    codes = await make_card_codes(runtime, person, 2)
    for code, points in zip(codes, (11, 4), strict=True):
        charge = await api.post(
            f"{API}/merchant/charges",
            headers=keyed(counter.staff),
            json={"card_code": code, "points": points, "note": ""},
        )
    await api.post(
        f"{API}/merchant/charges/{charge.json()['id']}/refund",
        headers=keyed(counter.staff),
        json={"reason": "售罄"},
    )
    for _ in range(2):
        body = {"reward_id": str(reward.id), "quantity": 1}
        made = await api.post(f"{API}/redemptions", headers=keyed(person), json=body)
    await api.post(
        f"{API}/merchant/redemptions/collect",
        headers=keyed(counter.staff),
        json={"pickup_code": made.json()["pickup_code"]},
    )
    await reverse(api, await make_administrator(runtime, org.id), taken_back)

    found = await figures(api, runtime, org)

    assert nonzero(found) == {
        "issued": 80,
        "available": 35,
        "pending": 15,
        "held": 7,
        "spent": 18,
        "reversed": 5,
    }
    assert await balance(runtime, person.id) == found["available"]
    assert found["is_closed"] is False


async def test_what_expired_and_what_was_owed_is_counted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    counter = await make_counter(runtime, org=org)
    award = await give_award(runtime, person, org, points=8)
    code = (await make_card_codes(runtime, person, 1))[0]
    await api.post(
        f"{API}/merchant/charges",
        headers=keyed(counter.staff),
        json={"card_code": code, "points": 6, "note": ""},
    )
    await reverse(api, await make_administrator(runtime, org.id), award)
    owing = await figures(api, runtime, org)
    await give_award(runtime, person, org, rule_key="council_attend", points=2)

    paying = await figures(api, runtime, org)

    # Six were spent and stay spent; two were found, and two of the debt are paid since.
    assert nonzero(owing) == {"issued": 8, "spent": 6, "reversed": 2}
    assert nonzero(paying) == {"issued": 10, "spent": 6, "reversed": 4}
    await assert_ledger_verifies(runtime)


async def test_a_month_is_closed_once_and_stays(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    today = now()
    first = midnight(today.date().replace(day=1))
    last_month = (first - timedelta(days=3)).date().replace(day=1)
    days_ago = (today - (first - timedelta(days=3))).days
    await give_award(runtime, person, org, points=8, days_ago=days_ago)
    await give_award(runtime, person, org, points=3)

    running = await figures(api, runtime, org)
    closed = await figures(api, runtime, org, month=f"{last_month:%Y-%m}")
    # Nothing is written after the close: not by who knows more, not by a worker who is late.
    for at in (now() + timedelta(days=400), first - timedelta(days=1)):
        async with runtime.database.transaction() as tx:
            await fund_service.write_month(tx, last_month, at)
    path, month = f"{API}/orgs/{org.id}/fund", f"{last_month:%Y-%m}"
    again = (await api.get(path, params={"month": month})).json()

    assert (running["issued"], running["is_closed"]) == (11, False)
    assert (closed["issued"], closed["is_closed"]) == (8, True)
    assert again == closed
    assert (await figures(api, runtime, org, month="2020-01"))["issued"] == 0


async def test_a_month_in_which_nothing_moved_yet_is_not_closed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    first = midnight(now().date().replace(day=1))
    before = first - timedelta(days=3)
    await give_points(runtime, person.id, 8, org=org.id, at=before)

    running = await figures(api, runtime, org)
    closed = await figures(api, runtime, org, month=f"{before:%Y-%m}")

    assert (running["issued"], running["is_closed"]) == (8, False)
    assert (closed["issued"], closed["is_closed"]) == (8, True)
    assert datetime.fromisoformat(closed["as_of"]) == first


async def test_a_month_of_which_nobody_has_made_the_sum_is_not_closed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    first = midnight(now().date().replace(day=1))
    months = [first - timedelta(days=days) for days in (45, 3)]
    for at in months:
        await give_points(runtime, person.id, 8, org=org.id, at=at)
    async with runtime.database.transaction() as tx:
        await fund_service.write_month(tx, months[0].date().replace(day=1), now())
    path, month = f"{API}/orgs/{org.id}/fund", f"{months[1]:%Y-%m}"

    before = (await api.get(path, params={"month": month})).json()
    after = await figures(api, runtime, org, month=month)
    nothing = await figures(api, runtime, await make_org(runtime), month=month)

    assert (before["issued"], before["is_closed"]) == (8, False)
    assert (after["issued"], after["is_closed"]) == (16, True)
    assert (nothing["issued"], nothing["is_closed"]) == (0, True)


async def test_a_closed_month_stays_public_after_a_programme_of_ones_own_begins(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    before = midnight(now().date().replace(day=1)) - timedelta(days=3)
    await give_points(runtime, person.id, 8, org=org.id, at=before)
    closed = await figures(api, runtime, org, month=f"{before:%Y-%m}")
    unit = await open_unit(runtime)
    await publish_in(runtime, unit, org, SHIPPED)

    again = await figures(api, runtime, org, month=f"{before:%Y-%m}")

    assert (closed["issued"], closed["is_closed"]) == (8, True)
    assert again == closed
    assert (await figures(api, runtime, org))["issued"] == 0
    assert (await figures(api, runtime, org, unit="points"))["issued"] == 8
    unknown = await api.get(f"{API}/orgs/{org.id}/fund", params={"unit": "nobody"})
    assert_refused(unknown, 404, "ledger.unit_unknown")


async def test_a_subtree_is_the_sum(api: httpx.AsyncClient, runtime: Runtime) -> None:
    street = await make_org(runtime)
    communities = [await make_org(runtime, parent=street, level=Level.community) for _ in "ab"]
    for org, points in zip((street, *communities), (1, 2, 4), strict=True):
        await give_award(runtime, await make_person(runtime), org, points=points)

    alone = await figures(api, runtime, street)
    together = await figures(api, runtime, street, subtree="true")

    assert (alone["issued"], together["issued"]) == (1, 7)


async def test_the_running_month_says_until_when_it_was_summed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Where nothing moved too: nobody takes figures of before for those of now."""
    org, quiet, person = (
        await make_org(runtime),
        await make_org(runtime),
        await make_person(runtime),
    )
    path = f"{API}/orgs/{{}}/fund"
    unwritten = (await api.get(path.format(org.id))).json()
    await give_points(runtime, person.id, 8, org=org.id)
    began = now()
    first = await figures(api, runtime, org)
    ended = now()
    still = (await api.get(path.format(quiet.id))).json()
    await give_points(runtime, person.id, 5, org=org.id)
    stale = (await api.get(path.format(org.id))).json()
    fresh = await figures(api, runtime, org)

    assert (unwritten["issued"], unwritten["as_of"]) == (0, None)
    assert began <= datetime.fromisoformat(first["as_of"]) <= ended
    assert (still["issued"], still["as_of"]) == (0, first["as_of"])
    assert stale == first
    assert fresh["issued"] == 13
    assert datetime.fromisoformat(fresh["as_of"]) >= ended


async def test_a_closed_month_in_which_nothing_moved_was_summed_to_its_end(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    first = midnight(now().date().replace(day=1))
    before, still, after = [first - timedelta(days=days) for days in (70, 45, 3)]
    for at in (before, after):
        await give_points(runtime, person.id, 8, org=org.id, at=at)

    found = await figures(api, runtime, org, month=f"{still:%Y-%m}")

    assert (found["issued"], found["is_closed"]) == (8, True)
    assert datetime.fromisoformat(found["as_of"]) == midnight(after.date().replace(day=1))


async def test_a_month_that_has_not_begun_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    today = local_date(now())
    following = (today.replace(day=1) + timedelta(days=31)).replace(day=1)
    words = {"zh-CN": "该月份尚未开始", "en": "the month has not begun"}
    for month in (f"{following:%Y-%m}", f"{today.year + 1}-01", "2099-12"):
        for language, msg in words.items():
            refused = await api.get(
                f"{API}/orgs/{org.id}/fund",
                params={"month": month},
                headers={"Accept-Language": language},
            )
            assert_refused(refused, 422, "request.invalid")
            assert refused.json()["errors"] == [{"field": "query.month", "msg": msg}]
    running = await api.get(f"{API}/orgs/{org.id}/fund", params={"month": f"{today:%Y-%m}"})
    assert running.status_code == 200


@pytest.mark.parametrize("month", ["2026", "2026-13", "2026-00", "1999-01", "2026-1", "x"])
async def test_a_month_is_spelled_out(api: httpx.AsyncClient, runtime: Runtime, month: str) -> None:
    org = await make_org(runtime)
    response = await api.get(f"{API}/orgs/{org.id}/fund", params={"month": month})
    assert_refused(response, 422, "request.invalid")
