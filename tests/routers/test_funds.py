"""The 公益银行: what comes in, who waits for it, and the figures that everybody may see."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.jobs import funds
from app.models.ledger import Purpose
from app.models.merchants import MerchantKind
from app.models.orgs import Org
from app.runtime import Runtime
from app.services.awards import payment
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import approve, end_notices, propose, reject, reverse
from tests.factories.funds import make_limited, propose_reversal
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.rewards import make_card_codes, make_counter, make_reward
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation               rule           nobody  alice  bob  counter  rival  sibling  parent  auditor  admin  outsider
getFund                 anyone         200     200    200  200      200    200      200     200      200    200
listFundReceipts        anyone         200     200    200  200      200    200      200     200      200    200
getFundReceipt          anyone         200     200    200  200      200    200      200     200      200    200
getFundReceiptFile      anyone         200     200    200  200      200    200      200     200      200    200
listFundMonths          anyone         200     200    200  200      200    200      200     200      200    200
receiveIntoFund         administrator  401     403    403  403      403    403      403     403      201    403
proposeReceiptReversal  administrator  401     403    403  403      403    403      403     403      200    404       404=funds.receipt_not_found
decideReceiptReversal   administrator  401     403    403  403      403    403      403     403      200    404       404=funds.receipt_not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {
    *("body.points", "body.value_cents"),  # 3.0 is no whole number to us
    "body",  # a value without its form
}


async def _fund(world: World) -> Ask:
    return Ask({"org_id": str(world.home.id)})


async def _receipt(world: World) -> Ask:
    return Ask((await _fund(world)).ids, {"kind": "donation", "points": 5, "giver": "甲"})


async def _entered(world: World) -> Ask:
    receipt = await give_to(world.api, world.runtime, world.home, 5)
    ids = {"org_id": str(world.home.id), "receipt_id": receipt.json()["id"]}
    return Ask(ids, {"reason": "多记一位"})


async def _reversal(world: World) -> Ask:
    ask = await _entered(world)
    administrator = await make_administrator(world.runtime, world.home.id)
    await propose_reversal(world.api, administrator, world.home, ask.ids["receipt_id"])
    return Ask(ask.ids, {"confirmed": True, "reason": "已核对"})


HERS = {"fund_receipts": "created_by = :alice"}
REQUESTS = {
    "getFund": _fund,
    "listFundReceipts": _fund,
    "getFundReceipt": _entered,
    "getFundReceiptFile": _entered,
    "listFundMonths": _fund,
    "receiveIntoFund": _receipt,
    "proposeReceiptReversal": _entered,
    "decideReceiptReversal": _reversal,
}


async def known(setup: Setup) -> Known:
    made = [await give_to(setup.api, setup.runtime, setup.org, 5) for _ in range(FEW)]
    for one in made[FEW // 2 :]:
        administrator = await make_administrator(setup.runtime, setup.org.id)
        await propose_reversal(setup.api, administrator, setup.org, one.json()["id"])
    return {"month": [f"{now():%Y-%m}"], "receipt_id": [one.json()["id"] for one in made]}


async def give_to(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, points: int, kind: str = "donation"
) -> httpx.Response:
    return await api.post(
        f"{API}/orgs/{org.id}/fund/receipts",
        headers=keyed(await make_administrator(runtime, org.id)),
        json={"kind": kind, "points": points, "giver": "爱心企业", "note": "重阳节"},
    )


async def check_in(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, *people: TestPerson
) -> list[dict[str, Any]]:
    """Let people attend two hours of service: 4 points each."""
    results = []
    for person in people:
        activity = await make_attended(runtime, person, org=org, hours=2)
        code = {"code": current_code(runtime, activity)}
        response = await api.post(f"{API}/checkins", headers=person.headers, json=code)
        assert response.status_code == 201, response.text
        results.append(response.json())
    return results


async def states(runtime: Runtime, people: Sequence[TestPerson]) -> list[str]:
    async with runtime.database.read() as tx:
        query = text("SELECT person_id, state FROM awards WHERE person_id = ANY(:people)")
        rows = (await tx.execute(query, {"people": [one.id for one in people]})).all()
    by_person = {row.person_id: row.state for row in rows}
    return [by_person[one.id] for one in people]


async def test_a_limited_fund_pays_what_came_in_oldest_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_limited(runtime), await make_people(runtime, 4)

    results = await check_in(api, runtime, org, *people)

    assert [one["award"]["state"] for one in results] == ["pending_budget"] * 4
    assert {one["points"]["available"] for one in results} == {0}
    assert (await give_to(api, runtime, org, 9)).status_code == 201
    await funds.pay(runtime)
    waiting = ["available"] * 2 + ["pending_budget"] * 2
    assert await states(runtime, people) == waiting
    assert await balance(runtime, org.id, Purpose.budget) == 1
    await give_to(api, runtime, org, 7, kind="budget")
    await funds.pay(runtime)
    assert await states(runtime, people) == ["available"] * 4
    assert [await balance(runtime, person.id) for person in people] == [4] * 4
    await assert_ledger_verifies(runtime)


async def test_hours_count_while_points_wait(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_limited(runtime), await make_person(runtime)
    await check_in(api, runtime, org, person)

    waiting = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    await give_to(api, runtime, org, 4)
    await funds.pay(runtime)
    paid = (await api.get(f"{API}/me/points", headers=person.headers)).json()

    assert (waiting["available"], waiting["minutes"]) == (0, 120)
    assert (paid["available"], paid["minutes"]) == (4, 120)


@pytest.mark.parametrize("how", ["rejected", "reversed"])
async def test_hours_go_back_though_the_points_never_came(
    api: httpx.AsyncClient, runtime: Runtime, how: str
) -> None:
    org, person = await make_limited(runtime), await make_person(runtime)
    (result,) = await check_in(api, runtime, org, person)
    award = result["award"]

    if how == "rejected":
        response = await reject(api, await make_organizer(runtime, org.id), award)
    else:
        administrator = await make_administrator(runtime, org.id)
        response = await reverse(api, administrator, award["id"])
        assert response.json()["points"] == 0

    assert response.status_code in (200, 201), response.text
    after = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    assert (after["available"], after["minutes"], after["owed"]) == (0, 0, 0)
    assert await states(runtime, [person]) == [how]
    await give_to(api, runtime, org, 9)
    await funds.pay(runtime)
    assert await states(runtime, [person]) == [how]
    await assert_ledger_verifies(runtime)


async def test_what_is_owed_has_not_come_in(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Or eight points would be spent of the four that somebody gave."""
    org, (spender, other) = await make_limited(runtime), await make_people(runtime, 2)
    await give_to(api, runtime, org, 4)
    (spent,) = await check_in(api, runtime, org, spender)
    shop, (code,) = await make_counter(runtime), await make_card_codes(runtime, spender, 1)
    charge = {"card_code": code, "points": 4, "note": ""}
    await api.post(f"{API}/merchant/charges", headers=keyed(shop.staff), json=charge)
    administrator = await make_administrator(runtime, org.id)
    told = await reverse(api, administrator, spent["award"]["id"])
    assert told.json()["owed"] == 4

    await check_in(api, runtime, org, other)
    await funds.pay(runtime)

    assert await states(runtime, [spender, other]) == ["reversed", "pending_budget"]
    assert await balance(runtime, org.id, Purpose.budget) == 0
    await assert_ledger_verifies(runtime)


async def test_an_award_that_waits_for_money_can_be_reversed_without_hours(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_limited(runtime), await make_person(runtime)
    (award,) = await propose(api, await make_organizer(runtime, org.id), org, person)
    assert award["state"] == "pending_budget"

    response = await reverse(api, await make_administrator(runtime, org.id), award["id"])

    assert response.status_code == 201, response.text
    assert (response.json()["id"], response.json()["points"]) == (award["id"], 0)
    assert await states(runtime, [person]) == ["reversed"]


async def test_nobody_overtakes_who_waits(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Two points are there, the first waits for four: who comes later for one waits too."""
    org, (first, later) = await make_limited(runtime), await make_people(runtime, 2)
    await check_in(api, runtime, org, first)
    await give_to(api, runtime, org, 2)
    activity = await make_attended(runtime, later, org=org, rule_key="activity_checkin")
    code = {"code": current_code(runtime, activity)}

    result = (await api.post(f"{API}/checkins", headers=later.headers, json=code)).json()
    await funds.pay(runtime)

    assert (result["award"]["points"], result["award"]["state"]) == (1, "pending_budget")
    assert await states(runtime, [first, later]) == ["pending_budget"] * 2
    await give_to(api, runtime, org, 2)
    await funds.pay(runtime)
    assert await states(runtime, [first, later]) == ["available", "pending_budget"]


async def test_a_paid_award_goes_on_to_its_reviewers(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_limited(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]
    assert award["state"] == "pending_budget"
    assert_refused(await approve(api, reviewer, award), 409, "awards.not_pending")

    await give_to(api, runtime, org, 15)
    await funds.pay(runtime)

    assert await balance(runtime, person.id, Purpose.pending) == 15
    assert (await approve(api, reviewer, award)).json()["state"] == "notice"
    await end_notices(runtime)
    assert await balance(runtime, person.id) == 15


async def test_a_paid_award_that_needs_no_reviewer_goes_on_to_its_notice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    rules = "[release.rotating_code]\nwait_hours = 1\nnotice_days = 2\n"
    org, person = await make_limited(runtime, rules), await make_person(runtime)
    await check_in(api, runtime, org, person)
    assert await states(runtime, [person]) == ["pending_budget"]

    await give_to(api, runtime, org, 4)
    await funds.pay(runtime)

    shown = await api.get(f"{API}/awards/notices", params={"org_id": str(org.id)})
    assert [one["award"]["state"] for one in shown.json()["items"]] == ["notice"]
    await end_notices(runtime)
    assert await balance(runtime, person.id) == 4


async def test_a_notice_begins_when_the_money_has_come(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Nobody could see the award while it waited, nor object to it."""
    rules = "[release.rotating_code]\nnotice_days = 2\n"
    org, person = await make_limited(runtime, rules), await make_person(runtime)
    await check_in(api, runtime, org, person)
    await give_to(api, runtime, org, 4)
    later = now() + timedelta(days=4)
    async with runtime.database.transaction() as tx:
        (fund,) = [one for one in await payment.waiting(tx) if one.org_id == org.id]
        assert await payment.pay_waiting(tx, fund, later, 10) == 1

    shown = await api.get(f"{API}/awards/notices", params={"org_id": str(org.id)})

    (notice,) = shown.json()["items"]
    assert datetime.fromisoformat(notice["ends_at"]) == later + timedelta(days=2)


async def test_an_award_that_waits_for_money_can_be_rejected(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_limited(runtime), await make_person(runtime)
    organizer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    award = (await propose(api, organizer, org, person))[0]

    response = await reject(api, reviewer, award)

    assert (response.status_code, response.json()["state"]) == (200, "rejected")
    await give_to(api, runtime, org, 15)
    await funds.pay(runtime)
    assert await balance(runtime, org.id, Purpose.budget) == 15


async def test_what_people_redeem_flows_back(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, (first, second) = await make_limited(runtime), await make_people(runtime, 2)
    counter = await make_counter(runtime, kind=MerchantKind.fund_counter, org=org)
    reward = await make_reward(runtime, counter, points=4)
    await give_to(api, runtime, org, 4)
    await check_in(api, runtime, org, first, second)
    body = {"reward_id": str(reward.id), "quantity": 1}
    made = await api.post(f"{API}/redemptions", headers=keyed(first), json=body)

    collected = await api.post(
        f"{API}/merchant/redemptions/collect",
        headers=keyed(counter.staff),
        json={"pickup_code": made.json()["pickup_code"]},
    )
    await funds.pay(runtime)

    assert collected.status_code == 200, collected.text
    assert await states(runtime, [first, second]) == ["available"] * 2
    await assert_ledger_verifies(runtime)


async def test_an_unlimited_fund_pays_without_money(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    (result,) = await check_in(api, runtime, org, person)
    assert result["award"]["state"] == "available"


async def test_only_an_administrator_enters_what_came_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    body = {"kind": "donation", "points": 5, "giver": "甲"}
    path = f"{API}/orgs/{org.id}/fund/receipts"
    for caller in (
        await make_person(runtime),
        await make_organizer(runtime, org.id),
        await make_administrator(runtime, (await make_org(runtime)).id),
    ):
        refused = await api.post(path, headers=keyed(caller), json=body)
        assert_refused(refused, 403, "auth.forbidden")
    for points in (0, -5, 1.5, "5", 10**12):
        wrong = await api.post(
            path,
            headers=keyed(await make_administrator(runtime, org.id)),
            json=body | {"points": points},
        )
        assert_refused(wrong, 422, "request.invalid")
    assert (await api.get(path)).json()["items"] == []


async def test_everybody_sees_what_came_in(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    await give_to(api, runtime, org, 5)
    await give_to(api, runtime, org, 6, kind="budget")

    page = (await api.get(f"{API}/orgs/{org.id}/fund/receipts", params={"limit": 1})).json()
    query = {"limit": 1, "cursor": page["next_cursor"]}
    rest = (await api.get(f"{API}/orgs/{org.id}/fund/receipts", params=query)).json()

    shown = [(one["kind"], one["points"], one["giver"]) for one in page["items"] + rest["items"]]
    assert shown == [("budget", 6, "爱心企业"), ("donation", 5, "爱心企业")]
    assert rest["next_cursor"] is None
