"""Months, quarters and years of a fund: sums of months, which never change once they are closed.

Closing a month is for everybody: each test has a database of its own.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.clock import local_date, month_start, now
from app.jobs import funds
from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.clock import travel
from tests.factories.funds import decide_reversal, propose_reversal
from tests.factories.http import assert_refused, in_process, walk
from tests.factories.ledger import give_points
from tests.factories.people import make_administrator, make_person
from tests.routers.test_coverages import VALUE, give, make_valued
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation        rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listFundPeriods  anyone  200    200   200  200     200   200     200    200     200   200
"""


async def _periods(world: World) -> Ask:
    return Ask({"org_id": str(world.home.id)}, query={"period": "quarter"})


REQUESTS = {"listFundPeriods": _periods}


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest.fixture
async def api(alone: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(alone) as client:
        yield client


async def periods(api: httpx.AsyncClient, org: Org, period: str) -> list[dict[str, Any]]:
    return await walk(api, f"{API}/orgs/{org.id}/fund/periods", period=period)


async def test_a_closed_quarter_is_the_sum_of_its_months_and_never_changes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """In each month of two quarters 10 points are given and 900 cents come in."""
    org, person = await make_valued(runtime, VALUE), await make_person(runtime)
    year = local_date(now()).year + 1
    for month in range(1, 7):
        with travel(month_start(year, month) + timedelta(days=9)):
            await give_points(runtime, person.id, 10, org=org.id)
            administrator = await make_administrator(runtime, org.id)  # with a login of then
            receipt = (await give(api, administrator, org)).json()["id"]
            await funds.write_months(runtime)
    with travel(month_start(year, 7) + timedelta(hours=1)):
        await funds.write_months(runtime)
        months = await periods(api, org, "month")
        before = await periods(api, org, "quarter")
        first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
        await propose_reversal(api, first, org, receipt)
        await decide_reversal(api, second, org, receipt)
        await give_points(runtime, person.id, 3, org=org.id)
    with travel(month_start(year, 7) + timedelta(hours=2)):
        await funds.write_months(runtime)
        after = await periods(api, org, "quarter")
        [whole] = await periods(api, org, "year")

    assert [one["name"] for one in before] == [f"{year}-Q2", f"{year}-Q1"]
    assert [one["is_closed"] for one in before] == [True, True]
    assert after[1:] == before, "what happens later changes no closed quarter"
    for quarter, of_quarter in zip(before, (months[:3], months[3:6]), strict=True):
        for name in ("issued", "received", "money_cents", "redeemed"):
            assert quarter[name] == sum(one[name] for one in of_quarter), name
        assert quarter["opening"] == of_quarter[-1]["opening"]
        for name in ("closing", "fund_cents", "liability_cents", "coverage_percent"):
            assert quarter[name] == of_quarter[0][name], name
    assert (before[0]["opening"], before[0]["issued"], before[0]["closing"]) == (30, 30, 60)
    assert (before[0]["money_cents"], before[0]["fund_cents"]) == (2700, 5400)
    assert (after[0]["money_cents"], after[0]["issued"]) == (-900, 3)
    assert (whole["name"], whole["money_cents"], whole["closing"]) == (f"{year}", 4500, 63)
    assert (whole["is_closed"], after[0]["is_closed"]) == (False, False)


async def test_periods_are_asked_for_rightly(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_valued(runtime)
    path = f"{API}/orgs/{org.id}/fund/periods"
    for query in ("", "?period=week", "?period=", "?period=month&cursor=x"):
        assert_refused(await api.get(path + query), 422, "request.invalid")
    unknown = await api.get(f"{path}?period=month&unit=nope")
    assert_refused(unknown, 404, "ledger.unit_unknown")
    assert (await api.get(f"{path}?period=year")).json()["items"] == []
