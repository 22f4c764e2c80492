"""Settlements: months in points and cents, disputes, corrections, the paid mark, who may what."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from app.core.clock import midnight
from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from app.services.settlements import disputes, settling
from app.services.settlements.figures import value_cents
from tests.engines import as_owner
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, in_process, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_organizer
from tests.factories.points import refund
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_counter, make_reward, reserve
from tests.factories.settlements import (
    API,
    PAST,
    charge_at,
    dispute,
    first_of,
    make_agreement,
    make_settlement,
    middle_of,
    month_of,
    settle,
    settle_down,
    settle_in_next_month,
)
from tests.routers.test_agreements import make_shop
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

SETTLEMENTS = f"{API}/settlements"
MATRIX = """
operation             rule             nobody alice bob  counter rival sibling parent auditor admin outsider
settleMonth           organizer        401    403   403  403     403   403     201    403     201   403
listSettlements       reader           401    403   403  403     403   403     200    200     200   403
listOurSettlements    merchant staff   401    403   403  200     200   403     403    403     403   200
getOurMonth           merchant staff   401    403   403  200     200   403     403    403     403   200
getMerchantMonth      reader           401    403   403  403     403   403     200    200     200   403
getSettlement         merchant reader  401    403   403  200     404   404     200    200     200   404       404=settlements.not_found
listSettlementLines   merchant reader  401    403   403  200     404   404     200    200     200   404       404=settlements.not_found
getSettlementPage     merchant reader  401    403   403  200     404   404     200    200     200   404       404=settlements.not_found
markSettlementPaid    organizer        401    403   403  403     403   404     200    403     200   404       404=settlements.not_found
disputeLine           merchant keeper  401    403   403  201     404   404     201    403     201   404       404=settlements.not_found
answerDispute         organizer        401    403   403  403     403   404     200    403     200   404       404=settlements.dispute_not_found
"""  # noqa: E501 - a table
HERS = {
    "settlements": "created_by = :alice",
    "settlement_disputes": "created_by = :alice",
}
# Money between an organisation and a merchant; what it corrects is compared in the settlement.
BESIDE_POINTS = {"settlement_disputes"}
BEYOND_THE_SCHEMA = {
    "body",  # a correction goes with what is upheld
    *("body.correction_cents", "query.month"),  # 3.0 is no whole number; 2026-13
    *("merchants.not_found", "settlements.too_early", "settlements.nothing_to_settle"),
    *("settlements.month_settled", "settlements.earlier_month_open", "settlements.own"),
    *("settlements.line_not_found", "settlements.line_disputed", "settlements.nothing_due"),
}
MONTH = month_of(first_of(PAST))
PAYMENT = {"reference": "农商行 0031"}
ANSWER = {"upheld": True, "correction_cents": -50, "reason": "小票核对"}


async def _new(world: World) -> Ask:
    shop = await make_shop(world)
    await make_agreement(world.runtime, shop)
    body = {"org_id": str(world.home.id), "merchant_id": str(shop.merchant.id), "month": MONTH}
    return Ask(body=body)


async def _of_home(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


async def _month(world: World) -> Ask:
    ids = {"merchant_id": str(world.shop.merchant.id)}
    return Ask(ids, query={"org_id": str(world.home.id), "month": MONTH})


async def _settled(world: World) -> tuple[dict[str, str], str]:
    made, line = await make_settlement(world.api, world.runtime, await make_shop(world))
    return {"settlement_id": made["id"]}, line


async def _shown(world: World) -> Ask:
    return Ask((await _settled(world))[0])


async def _paid(world: World) -> Ask:
    return Ask((await _settled(world))[0], PAYMENT)


async def _line(world: World) -> Ask:
    ids, line = await _settled(world)
    return Ask(ids, {"transfer_id": line, "reason": "重复收款"})


async def _answer(world: World) -> Ask:
    ids, line = await _settled(world)
    staff = world.everybody["counter"]
    assert staff is not None
    made = (await dispute(world.api, staff, ids["settlement_id"], line)).json()
    return Ask(ids | {"dispute_id": made["id"]}, ANSWER)


REQUESTS = {
    "settleMonth": _new,
    "listSettlements": _of_home,
    "getMerchantMonth": _month,
    "getSettlement": _shown,
    "listSettlementLines": _shown,
    "getSettlementPage": _shown,
    "markSettlementPaid": _paid,
    "disputeLine": _line,
    "answerDispute": _answer,
}


def _settling(counter: Counter, month: str) -> dict[str, str]:
    org_id, merchant_id = str(counter.merchant.org_id), str(counter.merchant.id)
    return {"org_id": org_id, "merchant_id": merchant_id, "month": month}


async def _too_early(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    opens = midnight(first_of(-1)) + settling.WAITS
    body = _settling(counter, month_of(first_of()))
    return Refused(organizer, "POST", "/settlements", {"opens_at": opens}, body)


async def _twice(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    await make_settlement(api, runtime, counter)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    body = _settling(counter, MONTH)
    return Refused(organizer, "POST", "/settlements", {"month": MONTH}, body)


async def _out_of_order(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    await charge_at(runtime, counter, 5, middle_of(PAST + 1))
    body, facts = _settling(counter, MONTH), {"month": month_of(first_of(PAST + 1))}
    return Refused(organizer, "POST", "/settlements", facts, body)


async def _nothing_due(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    await make_agreement(runtime, counter)
    made = await settle(api, organizer, counter, counter.merchant.org_id, MONTH)
    path, facts = f"/settlements/{made.json()['id']}/payment", {"due_cents": 0}
    return Refused(organizer, "POST", path, facts, PAYMENT)


async def _disputed_twice(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    made, line = await make_settlement(api, runtime, counter)
    assert (await dispute(api, counter.staff, made["id"], line)).status_code == 201
    path, body = f"/settlements/{made['id']}/disputes", {"transfer_id": line, "reason": "x"}
    return Refused(counter.staff, "POST", path, {"status": "open"}, body)


async def _disputed_late(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    made, line = await make_settlement(api, runtime, counter)
    at = middle_of(6)
    old = f"UPDATE settlements SET created_at = '{at}' WHERE id = '{made['id']}'"  # noqa: S608
    await as_owner(runtime.settings, old)
    path, body = f"/settlements/{made['id']}/disputes", {"transfer_id": line, "reason": "x"}
    facts = {"closes_at": at + disputes.WITHIN}
    return Refused(counter.staff, "POST", path, facts, body)


async def _corrected_too_much(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    made, line = await make_settlement(api, runtime, counter)
    opened = (await dispute(api, counter.staff, made["id"], line)).json()
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    path, body = f"/settlements/{made['id']}/disputes/{opened['id']}/answer", ANSWER
    facts = {"limit": 200}  # 20 points of 10 cents
    return Refused(organizer, "POST", path, facts, body | {"correction_cents": 201})


REFUSED = {
    "settlements.correction_too_large": _corrected_too_much,
    "settlements.too_early": _too_early,
    "settlements.month_settled": _twice,
    "settlements.earlier_month_open": _out_of_order,
    "settlements.nothing_due": _nothing_due,
    "settlements.line_disputed": _disputed_twice,
    "settlements.dispute_too_late": _disputed_late,
}


async def known(setup: Setup) -> Known:
    """A month without a line: past days may be sealed there, so that nothing enters them."""
    await make_agreement(setup.runtime, setup.counter)
    org_id = setup.counter.merchant.org_id
    organizer = await make_organizer(setup.runtime, org_id)
    made = await settle(setup.api, organizer, setup.counter, org_id, MONTH)
    assert made.status_code == 201, made.text
    return {"settlement_id": [made.json()["id"]], "month": [MONTH]}


async def post(
    api: httpx.AsyncClient, who: TestPerson, path: str, body: dict[str, Any]
) -> httpx.Response:
    return await api.post(f"{SETTLEMENTS}/{path}", headers=keyed(who), json=body)


@pytest.mark.parametrize(
    ("net", "cents", "percent", "cap", "value"),
    [
        (100, 10, 100, None, 1000),
        (100, 10, 80, 500, 500),
        (5, 1, 50, None, 3),  # 2.5 cents: away from 0, both ways
        (-5, 1, 50, None, -3),
        (-100, 10, 100, 500, -1000),
        (7, 10, 0, None, 0),
    ],
)
def test_points_have_a_value_in_whole_cents(
    net: int, cents: int, percent: int, cap: int | None, value: int
) -> None:
    assert value_cents(net, cents, percent, cap) == value


async def test_two_organisations_share_a_merchant_with_separate_statements(alone: FastAPI) -> None:
    """Each resident spends under the nearest organisation with an agreement, else the shop's own.

    A refund goes to the statement of what it gives back, though the resident has moved since.
    """
    runtime: Runtime = alone.state.runtime
    async with in_process(alone) as api:
        counter = await make_counter(runtime)
        own = counter.merchant.org_id
        other = await make_org(runtime)
        village = await make_org(runtime, parent=other, level=Level.community)
        mine, theirs = [await make_organizer(runtime, one) for one in (own, other.id)]
        await make_agreement(runtime, counter)
        await make_agreement(runtime, counter, other.id, cents_per_point=5, subsidy_percent=60)
        await charge_at(runtime, counter, 30, middle_of(PAST))
        neighbour, charge = await charge_at(runtime, counter, 20, middle_of(PAST), village)
        reward = await make_reward(runtime, counter, org_id=other.id, points=7)

        first = (await settle(api, mine, counter, own, MONTH)).json()
        second = (await settle(api, theirs, counter, other.id, MONTH)).json()
        foreign = await settle(api, mine, counter, other.id, MONTH)
        home = await make_org(runtime, level=Level.community)
        await settle_down(runtime, neighbour, home)
        await refund(api, counter, str(charge.id))
        held = await reserve(runtime, neighbour.id, reward)
        collect = {"pickup_code": held.pickup_code}
        path = f"{API}/merchant/redemptions/collect"
        assert (await api.post(path, headers=keyed(counter.staff), json=collect)).status_code == 200
        months = await api.get(f"{API}/merchant/month", headers=counter.staff.headers)

        assert (first["charged"], first["due_cents"]) == (30, 300)
        assert (second["charged"], second["due_cents"], second["closing"]) == (20, 60, 20)
        assert_refused(foreign, 403, "auth.forbidden")
        shown = [
            (one["org_id"], one["refunded"], one["collected"], one["due_cents"])
            for one in months.json()["items"]
        ]
        assert shown == [(str(own), 0, 0, 0), (str(other.id), 20, 7, -39)]
        await assert_ledger_verifies(runtime)
        last = await settle_in_next_month(runtime, theirs, counter, other.id)
        assert (last.opening, last.closing, last.due_cents) == (20, 7, -39)
        await assert_ledger_verifies(runtime)


async def test_a_refund_in_the_next_month_has_the_rate_of_its_charge(alone: FastAPI) -> None:
    """The settled month stays as it is; the loss is carried over and set off."""
    runtime: Runtime = alone.state.runtime
    async with in_process(alone) as api:
        counter = await make_counter(runtime)
        own = counter.merchant.org_id
        organizer = await make_organizer(runtime, own)
        before = first_of() - timedelta(days=1)
        await make_agreement(runtime, counter, until=before, state="ended", cents_per_point=100)
        await make_agreement(runtime, counter, since=first_of(), cents_per_point=1)
        _, charge = await charge_at(runtime, counter, 20, middle_of(PAST))
        made = (await settle(api, organizer, counter, own, MONTH)).json()
        lines = await walk(api, f"{SETTLEMENTS}/{made['id']}/lines", counter.staff.headers)
        await refund(api, counter, str(charge.id))

        after = (await api.get(f"{SETTLEMENTS}/{made['id']}", headers=organizer.headers)).json()
        next_one = await settle_in_next_month(runtime, organizer, counter, own)

        assert (made["due_cents"], after) == (2000, made)
        assert [(one["id"], one["kind"], one["points"]) for one in lines] == [
            (str(charge.id), "charge", 20)
        ]
        assert [(part.cents_per_point, part.refunded, part.value_cents) for part in next_one.parts][
            ::-1
        ] in ([(100, 20, -2000), (1, 0, 0)], [(1, 0, 0), (100, 20, -2000)])
        assert (next_one.refunded, next_one.closing, next_one.due_cents) == (20, 0, -2000)
        await assert_ledger_verifies(runtime)


async def test_a_dispute_is_corrected_in_the_next_month_only(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    async with in_process(alone) as api:
        counter = await make_counter(runtime)
        own = counter.merchant.org_id
        organizer, second = [await make_organizer(runtime, own) for _ in "ab"]
        made, line = await make_settlement(api, runtime, counter)
        unknown = await dispute(api, organizer, made["id"], str(uuid4()))
        opened = (await dispute(api, organizer, made["id"], line)).json()
        path = f"{made['id']}/disputes/{opened['id']}/answer"
        bare = await post(api, second, path, {"upheld": True, "reason": "是"})
        by_opener = await post(api, organizer, path, ANSWER)
        answered = await post(api, second, path, ANSWER)
        again = await post(api, second, path, ANSWER)
        after = (await api.get(f"{SETTLEMENTS}/{made['id']}", headers=organizer.headers)).json()
        lines = await walk(api, f"{SETTLEMENTS}/{made['id']}/lines", organizer.headers)
        next_one = await settle_in_next_month(runtime, organizer, counter, own)

        assert_refused(unknown, 404, "settlements.line_not_found")
        assert_refused(bare, 422, "request.invalid")
        assert_refused(by_opener, 403, "settlements.own")
        assert "争议提出人" in by_opener.json()["detail"], "the sentence is true of who opened it"
        assert answered.json()["state"] == "upheld"
        assert_refused(again, 409, "settlement_disputes.wrong_state")
        assert after["due_cents"] == made["due_cents"] == 200
        assert [one["dispute"] for one in lines] == ["upheld"]
        assert (next_one.corrected_cents, next_one.due_cents) == (-50, -50)
        assert [one.transfer_id for one in next_one.corrections] == [
            one.transfer_id for one in next_one.corrections if str(one.transfer_id) == line
        ]
        told = (await inbox(api, runtime, organizer))[0]["kind"]
        assert told == "settlement_answered"
        told = {one["kind"] for one in await inbox(api, runtime, second)}
        assert told == {"settlements_disputed"}
        await assert_ledger_verifies(runtime)


@pytest.mark.parametrize(
    ("terms", "limit"),
    [
        ({"cents_per_point": 10, "subsidy_percent": 80, "cap_cents": 5}, 72),
        ({"since": first_of(PAST + 2), "until": first_of(PAST + 1), "state": "ended"}, 0),
    ],
)
async def test_a_correction_is_at_most_what_the_line_is_worth(
    api: httpx.AsyncClient, runtime: Runtime, terms: dict[str, Any], limit: int
) -> None:
    """By rate and share without the cap, either way; a line without an agreement is worth 0."""
    counter = await make_counter(runtime)
    own = counter.merchant.org_id
    organizer = await make_organizer(runtime, own)
    await make_agreement(runtime, counter, **terms)
    lines = [str((await charge_at(runtime, counter, 9, middle_of(PAST)))[1].id) for _ in range(2)]
    made = (await settle(api, organizer, counter, own, MONTH)).json()
    for cents, line in zip((limit, -limit), lines, strict=True):
        opened = (await dispute(api, counter.staff, made["id"], line)).json()
        path = f"{made['id']}/disputes/{opened['id']}/answer"
        over = cents + 1 if cents > 0 else cents - 1
        for wrong in (over, 1_000_000, -1_000_000):
            refused = await post(api, organizer, path, ANSWER | {"correction_cents": wrong})
            assert_refused(refused, 409, "settlements.correction_too_large")
            assert refused.json()["facts"] == {"limit": limit}
        answered = await post(api, organizer, path, ANSWER | {"correction_cents": cents})
        assert answered.json()["correction_cents"] == cents


async def test_staff_of_the_merchant_neither_settles_nor_pays_nor_decides(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    own = counter.merchant.org_id
    made, line = await make_settlement(api, runtime, counter)
    opened = (await dispute(api, counter.staff, made["id"], line)).json()
    clerk, organizer = [await make_organizer(runtime, own) for _ in "ab"]
    async with runtime.database.transaction() as tx:
        await appoint(tx, clerk.id, Role.merchant_staff, merchant=counter.merchant.id)

    tries = (
        await settle(api, clerk, counter, own, MONTH),
        await post(api, clerk, f"{made['id']}/payment", PAYMENT),
        await post(api, clerk, f"{made['id']}/disputes/{opened['id']}/answer", ANSWER),
    )
    for refused in tries:
        assert_refused(refused, 403, "settlements.own")
    paid = await post(api, organizer, f"{made['id']}/payment", PAYMENT)
    again = await post(api, organizer, f"{made['id']}/payment", {"reference": "另一笔"})

    assert (paid.json()["state"], paid.json()["paid_reference"]) == ("paid", PAYMENT["reference"])
    assert paid.json()["paid_by"] == str(organizer.id)
    assert_refused(again, 409, "settlements.wrong_state")
    assert [one["kind"] for one in await inbox(api, runtime, counter.staff)][:2] == [
        "settlement_moved"
    ] * 2


async def test_a_month_is_one_page_and_a_spreadsheet(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    made, line = await make_settlement(api, runtime, counter)
    path = f"/settlements/{made['id']}"
    page = await api.get(f"{API}{path}/page.html", headers=counter.staff.headers)
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
    for told in (MONTH, "¥2.00", line.replace("-", "")[-8:], "王*四", "未付款"):
        assert told in page.text
    assert "<script" not in page.text
    files = [await exported(api, f"{path}/lines", form, counter.staff) for form in FORMS]
    assert [(row["类型"], row["积分"]) for [row] in files] == [("收款", "20")] * 2
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    asked = {"org_id": str(counter.merchant.org_id), "merchant_id": str(counter.merchant.id)}
    listed = await exported(api, "/settlements", "csv", organizer, **asked)
    assert [row["应付合计（分）"] for row in listed] == ["200"]


async def test_without_agreement_points_are_stated_and_worth_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    own = counter.merchant.org_id
    organizer = await make_organizer(runtime, own)
    nothing = await settle(api, organizer, counter, own, MONTH)
    assert_refused(nothing, 409, "settlements.nothing_to_settle")
    ancient = {"month": "2005-01"}  # before there was any programme
    shown = await api.get(f"{API}/merchant/month", headers=counter.staff.headers, params=ancient)
    assert [one["charged"] for one in shown.json()["items"]] == [0]
    await charge_at(runtime, counter, 12, middle_of(PAST))
    made = (await settle(api, organizer, counter, own, MONTH)).json()
    assert (made["charged"], made["due_cents"]) == (12, 0)
    assert [one["agreement_id"] for one in made["parts"]] == [None]


async def test_a_settled_month_cannot_be_changed_by_the_service(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await make_settlement(api, runtime, await make_counter(runtime))
    for change in (
        "UPDATE settlements SET charged = charged + 1",
        "UPDATE settlements SET due_cents = 0",
        "UPDATE settlement_parts SET value_cents = 0",
        "UPDATE agreements SET cents_per_point = 1",
        "DELETE FROM settlements",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with runtime.database.transaction() as tx:
                await tx.fetch(change, {})
