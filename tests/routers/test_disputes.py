"""Disputes of charges: by the payer within 30 days, decided by somebody with no part in it."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.models.ledger import Purpose
from app.models.merchants import MerchantState
from app.models.people import Role
from app.runtime import Runtime
from app.services.redemptions import disputes
from tests.engines import as_owner
from tests.factories.charges import charge_at, make_old
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import TestPerson, appoint, make_organizer, make_person
from tests.factories.points import refund
from tests.factories.rewards import Counter, make_counter

API = "/api/v1"
HAD, PRICE = 30, 10
WHY = {"reason": "没有买过"}


@dataclass(frozen=True)
class Sale:
    """A charge of PRICE points, its payer, the counter, and an organizer above the merchant."""

    api: httpx.AsyncClient
    runtime: Runtime
    payer: TestPerson
    counter: Counter
    organizer: TestPerson
    charge: str

    async def dispute(self, key: str | None = None) -> httpx.Response:
        path = f"{API}/me/charges/{self.charge}/dispute"
        return await self.api.post(path, headers=keyed(self.payer, key), json=WHY)

    async def decide(
        self, upheld: bool, by: TestPerson | None = None, key: str | None = None, **more: int
    ) -> httpx.Response:
        path = f"{API}/charges/{self.charge}/dispute/decision"
        body = {"upheld": upheld, "reason": "商户未能出示小票"} | more
        return await self.api.post(path, headers=keyed(by or self.organizer, key), json=body)

    async def points(self) -> tuple[int, int]:
        """Return what the payer can spend, and the merchant's takings."""
        return (
            await balance(self.runtime, self.payer.id),
            await balance(self.runtime, self.counter.merchant.id, Purpose.takings),
        )

    async def seen_by_counter(self) -> dict[str, Any]:
        path, headers = f"{API}/merchant/charges/{self.charge}", self.counter.staff.headers
        found: dict[str, Any] = (await self.api.get(path, headers=headers)).json()
        return found


@pytest.fixture
async def sale(api: httpx.AsyncClient, runtime: Runtime) -> Sale:
    payer, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, payer.id, HAD)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    made = await charge_at(api, runtime, counter, payer, PRICE)
    assert made.status_code == 201, made.text
    return Sale(api, runtime, payer, counter, organizer, made.json()["id"])


async def test_an_upheld_dispute_gives_the_points_back_and_tells_both(sale: Sale) -> None:
    """Also from a merchant that is suspended by now; a lost reply is given again."""
    key = str(uuid4())
    opened, again = await sale.dispute(key), await sale.dispute(key)
    assert (opened.status_code, again.content) == (200, opened.content)
    assert opened.json()["dispute"]["state"] == "open"
    assert opened.json()["disputed_until"] is None
    api, runtime, staff = sale.api, sale.runtime, sale.counter.staff
    [told] = [one for one in await inbox(api, runtime, staff) if one["kind"] == "dispute_opened"]
    assert told["text"] == f"一笔 {PRICE} 积分的收款被付款人提出争议：没有买过"
    told_organizer = [one["kind"] for one in await inbox(api, runtime, sale.organizer)]
    assert "disputes_waiting" in told_organizer
    assert (await sale.seen_by_counter())["dispute"]["reason"] == WHY["reason"]

    suspended = f"state = '{MerchantState.suspended}' WHERE id = '{sale.counter.merchant.id}'"
    await as_owner(runtime.settings, f"UPDATE merchants SET {suspended}")  # noqa: S608
    key = str(uuid4())
    decided, again = await sale.decide(True, key=key), await sale.decide(True, key=key)
    assert (decided.status_code, again.content) == (200, decided.content)
    shown = decided.json()
    assert (shown["state"], shown["points_refunded"]) == ("upheld", PRICE)
    assert await sale.points() == (HAD, 0)
    for person in (sale.payer, staff):
        kinds = [one["kind"] for one in await inbox(api, runtime, person)]
        assert kinds.count("dispute_decided") == 1
    assert_refused(await sale.decide(True), 409, "charges.not_disputed")
    org_id = str(sale.counter.merchant.org_id)
    listed = await walk(api, f"{API}/disputes", sale.organizer.headers, org_id=org_id)
    assert [one["charge_id"] for one in listed] == [sale.charge]
    await assert_ledger_verifies(runtime)


async def test_a_part_can_be_given_back_up_to_what_is_left(sale: Sale) -> None:
    path = f"{API}/merchant/charges/{sale.charge}/refund"
    body = {"reason": "少一份", "points": 4}
    assert (
        await sale.api.post(path, headers=keyed(sale.counter.staff), json=body)
    ).status_code == 200
    await sale.dispute()
    assert_refused(await sale.decide(True, points=7), 409, "charges.refund_too_large")
    decided = await sale.decide(True, points=5)
    assert decided.json()["points_refunded"] == 9
    assert await sale.points() == (HAD - 1, 1)
    await assert_ledger_verifies(sale.runtime)


async def test_a_dismissed_dispute_moves_nothing_and_is_not_opened_again(sale: Sale) -> None:
    await sale.dispute()
    decided = await sale.decide(False)
    assert (decided.json()["state"], decided.json()["points_refunded"]) == ("dismissed", 0)
    assert await sale.points() == (HAD - PRICE, PRICE)
    again = await sale.dispute()
    assert_refused(again, 409, "charges.disputed_before")
    assert again.json()["facts"]["status"] == "dismissed"
    [told] = [
        one
        for one in await inbox(sale.api, sale.runtime, sale.payer)
        if one["kind"] == "dispute_decided"
    ]
    assert told["text"].startswith(f"对测试商户收取 {PRICE} 积分的争议不成立")
    await assert_ledger_verifies(sale.runtime)


async def test_nobody_with_a_part_in_it_decides(sale: Sale) -> None:
    """Neither the payer nor anybody of the merchant's staff, if they are organizers there."""
    await sale.dispute()
    org = sale.counter.merchant.org_id
    other_staff = await make_organizer(sale.runtime, org)
    async with sale.runtime.database.transaction() as tx:
        for person in (sale.payer, sale.counter.staff):
            await appoint(tx, person.id, Role.organizer, org=org)
        await appoint(tx, other_staff.id, Role.merchant_staff, merchant=sale.counter.merchant.id)
    for person in (sale.payer, sale.counter.staff, other_staff):
        assert_refused(await sale.decide(True, by=person), 403, "charges.own_dispute")
    assert await sale.points() == (HAD - PRICE, PRICE)
    assert (await sale.decide(True)).status_code == 200, "control: one with no part in it"


async def test_a_charge_can_be_disputed_for_thirty_days(sale: Sale) -> None:
    await make_old(sale.runtime, sale.charge, 30)
    late = await sale.dispute()
    assert_refused(late, 409, "charges.dispute_too_late")
    assert late.json()["facts"]["closes_at"]
    await make_old(sale.runtime, sale.charge, 29)
    assert (await sale.dispute()).status_code == 200


async def test_a_refund_of_all_ends_a_dispute(sale: Sale) -> None:
    await sale.dispute()
    await refund(sale.api, sale.counter, sale.charge)
    assert (await sale.seen_by_counter())["dispute"]["state"] == "ended"
    decided = await sale.decide(True)
    assert_refused(decided, 409, "charges.not_disputed")
    assert await sale.points() == (HAD, 0)
    await assert_ledger_verifies(sale.runtime)


async def test_a_closed_account_ends_its_disputes(sale: Sale) -> None:
    await sale.dispute()
    for _ in range(2):  # repeatable
        async with sale.runtime.database.transaction() as tx:
            await disputes.end_disputes(tx, [sale.payer.id])
    assert (await sale.seen_by_counter())["dispute"]["state"] == "ended"
    assert await sale.points() == (HAD - PRICE, PRICE)
