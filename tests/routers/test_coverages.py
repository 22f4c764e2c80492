"""Coverage of a fund: what it is worth, what it owes, and prices that freeze while it is short."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.jobs import coverages, reward_lists
from app.jobs.outbox import relay
from app.models.merchants import MerchantKind
from app.models.orgs import Org
from app.models.rewards import RewardState
from app.runtime import Runtime
from app.schemas.fund_receipts import Slip
from app.schemas.funds import ReceiptOut
from app.services import coverages as services
from app.services import fund_receipts
from app.services.policies import publishing
from tests.engines import as_owner
from tests.factories.clock import travel
from tests.factories.funds import decide_reversal, propose_reversal, write_running_month
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.redemption_days import make_draft
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter, make_reward
from tests.routers.test_reward_lists import listing
from tests.routers.test_rewards import edit
from tests.security.world import Ask, World

API = "/api/v1"
PUBLISHED = {"status": "published"}
VALUE = "[fund]\npoint_value_cents = 10\n"
MATRIX = """
operation        rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getFundCoverage  anyone  200    200   200  200     200   200     200    200     200   200
"""
HERS: dict[str, str] = {}
BESIDE_POINTS = {"price_freezes"}


async def _coverage(world: World) -> Ask:
    return Ask({"org_id": str(world.home.id)})


REQUESTS = {"getFundCoverage": _coverage}


async def make_valued(runtime: Runtime, rules: str = VALUE) -> Org:
    """Create an organisation whose points are worth 10 cents each."""
    org = await make_org(runtime)
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, rules, org=org)
    return org


async def give(
    api: httpx.AsyncClient, administrator: TestPerson, org: Org, **changes: Any
) -> httpx.Response:
    """Record a donation of money of 900 cents, with other fields as told."""
    body = {"kind": "donation", "points": 5, "giver": "爱心企业", "form": "money"}
    body |= {"value_cents": 900} | changes
    path = f"{API}/orgs/{org.id}/fund/receipts"
    return await api.post(path, headers=keyed(administrator), json=body)


async def frozen(api: httpx.AsyncClient, runtime: Runtime) -> tuple[Org, TestPerson]:
    """Return an organisation of 90 cents whose people have 109 points, and its administrator."""
    org = await make_valued(runtime)
    administrator = await make_administrator(runtime, org.id)
    await give(api, administrator, org)
    await give_points(runtime, (await make_person(runtime)).id, 109, org=org.id)
    await settle(runtime)
    return org, administrator


async def settle(runtime: Runtime) -> None:
    await write_running_month(runtime)
    await coverages.assess(runtime)


async def _frozen_price(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, administrator = await frozen(api, runtime)
    counter = await make_counter(runtime, org=org)
    reward = await make_reward(runtime, counter, state=RewardState.draft)
    async with runtime.database.read() as tx:
        with pytest.raises(services.PricesFrozen) as caught:
            await services.require_unfrozen(tx, org.id)
    path = f"/rewards/{reward.id}/status"
    facts = {"since": caught.value.facts["since"], "liability": 1090, "fund": 900, "limit": 120}
    return Refused(administrator, "POST", path, facts, PUBLISHED)


REFUSED = {"coverages.prices_frozen": _frozen_price}


async def told(api: httpx.AsyncClient, runtime: Runtime, who: TestPerson) -> list[str]:
    await relay(runtime)
    kinds = [one["kind"] for one in await inbox(api, runtime, who)]
    return [kind for kind in reversed(kinds) if kind.startswith("coverage_")]


async def coverage(api: httpx.AsyncClient, org: Org) -> dict[str, Any]:
    reply = await api.get(f"{API}/orgs/{org.id}/fund/coverage")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_prices_freeze_while_the_fund_covers_too_little(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_valued(runtime)
    administrator = await make_administrator(runtime, org.id)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    counter = await make_counter(runtime, org=org)
    offered, draft = [
        await make_reward(runtime, counter, points=10, stock=20, state=state)
        for state in (RewardState.published, RewardState.draft)
    ]
    assert (await give(api, administrator, org)).status_code == 201
    await give_points(runtime, person.id, 108, org=org.id)
    await settle(runtime)
    at_the_limit = await coverage(api, org)

    assert (at_the_limit["liability_cents"], at_the_limit["fund_cents"]) == (1080, 900)
    assert (at_the_limit["coverage_percent"], at_the_limit["frozen_since"]) == (83, None)
    assert await told(api, runtime, administrator) == []

    await give_points(runtime, person.id, 1, org=org.id)
    await settle(runtime)
    await asyncio.gather(*(coverages.assess(runtime) for _ in range(3)))
    status = f"{API}/rewards/{draft.id}/status"
    dearer = await edit(api, organizer, offered, points=12)
    published = await api.post(status, headers=keyed(organizer), json=PUBLISHED)
    renamed = await edit(api, organizer, offered, points=10)
    redrafted = await edit(api, organizer, draft, points=12)

    assert (await coverage(api, org))["frozen_since"] is not None
    assert_refused(dearer, 409, "coverages.prices_frozen")
    assert dearer.json()["facts"].items() >= {"liability": 1090, "fund": 900, "limit": 120}.items()
    assert_refused(published, 409, "coverages.prices_frozen")
    assert (renamed.status_code, redrafted.status_code) == (200, 200)
    for who in (administrator, organizer):
        assert await told(api, runtime, who) == ["coverage_frozen"]

    goods = {"form": "goods", "value_cents": 9, "goods": "抽纸一包"}
    await give(api, administrator, org, **goods)  # 909 cents cover 1090
    again = await edit(api, organizer, offered, 2, points=12)
    publishable = await api.post(status, headers=keyed(organizer), json=PUBLISHED)
    await coverages.assess(runtime)

    assert (again.status_code, publishable.status_code) == (200, 200), again.text
    assert await told(api, runtime, administrator) == ["coverage_frozen", "coverage_unfrozen"]
    assert (await coverage(api, org))["goods_cents"] == 9


async def test_a_redemption_day_publishes_no_price_meanwhile(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A day of what is offered already may be published."""
    org, _ = await frozen(api, runtime)
    for state, status in (("draft", 409), ("published", 200)):
        day = await make_draft(api, runtime, org=org)
        await as_owner(
            runtime.settings,
            f"UPDATE rewards SET state = '{state}' WHERE id = '{day.rewards[0].id}'",  # noqa: S608
        )
        reply = await day.act(day.organizer, "publish")
        assert reply.status_code == status, reply.text
        if status == 409:
            assert_refused(reply, 409, "coverages.prices_frozen")


async def test_a_reversed_receipt_is_no_cover(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_valued(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    receipt = (await give(api, first, org)).json()["id"]
    await give_points(runtime, (await make_person(runtime)).id, 1, org=org.id)
    await settle(runtime)
    before = await coverage(api, org)

    await propose_reversal(api, first, org, receipt)
    await decide_reversal(api, second, org, receipt)

    after = await coverage(api, org)
    assert (before["fund_cents"], before["frozen_since"]) == (900, None)
    assert (after["fund_cents"], after["coverage_percent"]) == (0, 0)
    assert after["frozen_since"] is not None, "at once, not when the job looks"


async def test_without_a_value_of_a_point_nothing_freezes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The control of the two tests above: the same points, and no value."""
    org = await make_valued(runtime, "[fund]\nlimited = true\n")
    await give_points(runtime, (await make_person(runtime)).id, 500, org=org.id)
    await give(api, await make_administrator(runtime, org.id), org, points=7)
    await settle(runtime)

    found = await coverage(api, org)

    assert (found["outstanding"], found["money_cents"], found["issuable"]) == (500, 900, 7)
    names = ("point_value_cents", "liability_cents", "fund_cents", "coverage_percent")
    assert [found[name] for name in (*names, "frozen_since")] == [None] * 5


async def test_spent_points_leave_the_fund(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """A receipt whose value nobody stated counts as its points times the value of a point."""
    org, person = await make_valued(runtime), await make_person(runtime)
    counter = await make_counter(runtime, kind=MerchantKind.fund_counter, org=org)
    reward = await make_reward(runtime, counter, points=4)
    administrator = await make_administrator(runtime, org.id)
    await give(api, administrator, org, points=30, form=None, value_cents=None)
    await give_points(runtime, person.id, 10, org=org.id)
    body = {"reward_id": str(reward.id), "quantity": 1}
    made = await api.post(f"{API}/redemptions", headers=keyed(person), json=body)
    code = {"pickup_code": made.json()["pickup_code"]}
    path = f"{API}/merchant/redemptions/collect"
    await api.post(path, headers=keyed(counter.staff), json=code)
    await settle(runtime)

    found = await coverage(api, org)

    assert (found["unvalued_cents"], found["spent_cents"], found["fund_cents"]) == (300, 40, 260)
    assert (found["outstanding"], found["liability_cents"]) == (6, 60)


async def test_what_a_receipt_is_worth_is_said_whole(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    administrator = await make_administrator(runtime, org.id)
    wrong: list[dict[str, Any]] = [
        *({"value_cents": value} for value in (0, -1, 1.5, "900", 10**12, None)),
        *({"form": form} for form in ("cash", None, 1)),
        {"form": "goods"},
        {"goods": "香皂"},
        *({"form": "goods", "goods": goods} for goods in ("", " ", "a\nb", "香" * 201)),
    ]
    for one in wrong:
        assert_refused(await give(api, administrator, org, **one), 422, "request.invalid")
    shown = await give(api, administrator, org, form="goods", goods="香皂 90 块")
    assert shown.status_code == 201
    listed = (await api.get(f"{API}/orgs/{org.id}/fund/receipts")).json()["items"]
    assert [(one["form"], one["value_cents"], one["goods"]) for one in listed] == [
        ("goods", 900, "香皂 90 块")
    ]


async def test_a_receipt_is_a_page_for_its_giver(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    changes = {"form": "goods", "goods": "洗衣液" * 60, "note": "用于暑期" * 70}
    receipt = (await give(api, first, org, **changes)).json()["id"]
    path = f"{API}/orgs/{org.id}/fund/receipts/{receipt}"

    page = await api.get(f"{path}/file")
    await propose_reversal(api, first, org, receipt)
    await decide_reversal(api, second, org, receipt)
    reversed_page = await api.get(f"{path}/file")
    elsewhere = await api.get(
        f"{API}/orgs/{(await make_org(runtime)).id}/fund/receipts/{receipt}/file"
    )

    assert (page.status_code, page.headers["content-type"]) == (200, "application/pdf")
    assert page.content.startswith(b"%PDF")
    assert reversed_page.content != page.content, "it says that it is void"
    assert_refused(elsewhere, 404, "funds.receipt_not_found")
    lines = fund_receipts._lines(
        Slip(ReceiptOut.model_validate((await api.get(path)).json()), "甲")
    )
    assert {"价值：人民币 9.00 元", "状态：已冲正，作废"} <= {*lines}
    assert max(map(len, lines)) <= fund_receipts.PER_LINE


async def test_no_list_is_put_in_force_while_prices_are_frozen(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_valued(runtime)
    administrator = await make_administrator(runtime, org.id)
    reward = await make_reward(runtime, await make_counter(runtime, org=org))
    lists = f"{API}/orgs/{org.id}/reward-lists"
    soon = (now() + timedelta(minutes=1)).isoformat()
    await give(api, administrator, org)
    announced = await api.post(
        lists, headers=keyed(administrator), json=listing(reward, effective_from=soon)
    )
    assert announced.status_code == 201, announced.text
    await give_points(runtime, (await make_person(runtime)).id, 109, org=org.id)
    await settle(runtime)

    at_once = await api.post(lists, headers=keyed(administrator), json=listing(reward))
    assert_refused(at_once, 409, "coverages.prices_frozen")
    assert await put_in_force(api, runtime, announced) == "announced"
    await give(api, administrator, org)
    await settle(runtime)
    assert await put_in_force(api, runtime, announced) == "in_force"


async def put_in_force(api: httpx.AsyncClient, runtime: Runtime, announced: httpx.Response) -> str:
    """Run the job when the time of an announced list has come; return the list's state."""
    with travel(now() + timedelta(minutes=2)):
        await reward_lists.put_in_force(runtime)
    found = await api.get(f"{API}/reward-lists/{announced.json()['id']}")
    return str(found.json()["state"])
