"""A receipt that was mistyped: one administrator proposes to reverse it, another confirms."""

from typing import Any

import httpx

from app.core.clock import now
from app.jobs import funds
from app.jobs.outbox import relay
from app.models.ledger import Purpose
from app.models.orgs import Level, Org
from app.runtime import Runtime
from app.services import funds as fund_services
from tests.factories.funds import decide_reversal, make_limited, propose_reversal
from tests.factories.http import assert_refused
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_person
from tests.routers.test_audit import entries
from tests.routers.test_funds import API, check_in, give_to, states


async def shown(api: httpx.AsyncClient, org: Org) -> list[Any]:
    items = (await api.get(f"{API}/orgs/{org.id}/fund/receipts")).json()["items"]
    return [(one["points"], one["state"], one["reversal_reason"]) for one in items]


async def test_two_reverse_a_receipt(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_limited(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    receipt = (await give_to(api, runtime, org, 500)).json()["id"]
    await give_to(api, runtime, org, 50)

    proposed = await propose_reversal(api, first, org, receipt)
    own = await decide_reversal(api, first, org, receipt)
    before = await balance(runtime, org.id, Purpose.budget)
    confirmed = await decide_reversal(api, second, org, receipt)
    again = await propose_reversal(api, first, org, receipt)

    assert (proposed.status_code, proposed.json()["state"]) == (200, "reversal_proposed")
    assert_refused(own, 403, "funds.own_reversal")
    assert before == 550, "a proposal moves nothing"
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "reversed")
    assert_refused(again, 409, "funds.wrong_state")
    assert await balance(runtime, org.id, Purpose.budget) == 50
    assert await balance(runtime, org.id, Purpose.income) == -50
    assert await shown(api, org) == [(50, "standing", None), (500, "reversed", "多记一位")]
    await assert_ledger_verifies(runtime)
    trail = [one for one in await entries(api, first, org) if one["verb"] == "moved"]
    assert [(one["to"], one["reason"]) for one in trail] == [
        ("reversed", "已核对"),
        ("reversal_proposed", "多记一位"),
    ]


async def test_its_figures_take_back_what_was_received(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_limited(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    receipt = (await give_to(api, runtime, org, 500)).json()["id"]
    await give_to(api, runtime, org, 50)
    await propose_reversal(api, first, org, receipt)
    await decide_reversal(api, second, org, receipt)
    async with runtime.database.transaction() as tx:
        for month in await fund_services.months_to_write(tx, now()):
            await fund_services.write_month(tx, month, now())

    figures = (await api.get(f"{API}/orgs/{org.id}/fund")).json()

    assert figures["received"] == 50


async def test_points_that_were_used_are_not_taken_out(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_limited(runtime), await make_person(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    receipt = (await give_to(api, runtime, org, 9)).json()["id"]
    await check_in(api, runtime, org, person)  # 4 points
    await propose_reversal(api, first, org, receipt)

    refused = await decide_reversal(api, second, org, receipt)

    assert_refused(refused, 409, "points.insufficient")
    assert refused.json()["facts"] == {"needed": 9, "available": 5}
    assert await shown(api, org) == [(9, "reversal_proposed", "多记一位")]
    await give_to(api, runtime, org, 4)
    assert (await decide_reversal(api, second, org, receipt)).status_code == 200
    await funds.pay(runtime)
    assert await states(runtime, [person]) == ["available"]
    await assert_ledger_verifies(runtime)


async def test_a_proposal_may_be_declined_or_withdrawn(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_limited(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    receipt = (await give_to(api, runtime, org, 9)).json()["id"]

    for who in (second, first):
        early = await decide_reversal(api, who, org, receipt)
        await propose_reversal(api, first, org, receipt)
        declined = await decide_reversal(api, who, org, receipt, confirmed=False)
        assert_refused(early, 409, "funds.wrong_state")
        assert declined.json()["state"] == "standing"

    assert await shown(api, org) == [(9, "standing", None)]
    assert await balance(runtime, org.id, Purpose.budget) == 9


async def test_a_receipt_is_found_at_its_organisation(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    above = await make_org(runtime)
    org, elsewhere = [await make_org(runtime, parent=above, level=Level.community) for _ in "ab"]
    receipt = (await give_to(api, runtime, org, 9)).json()["id"]
    both = await make_administrator(runtime, above.id)

    assert_refused(
        await propose_reversal(api, both, elsewhere, receipt), 404, "funds.receipt_not_found"
    )


async def test_other_administrators_and_then_the_proposer_are_told(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_limited(runtime)
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    receipt = (await give_to(api, runtime, org, 9)).json()["id"]
    await propose_reversal(api, first, org, receipt)
    await relay(runtime)
    waiting = [one["kind"] for one in await inbox(api, runtime, second)]
    await decide_reversal(api, second, org, receipt)
    await relay(runtime)
    told = (await inbox(api, runtime, first))[0]

    assert waiting == ["receipt_reversals_waiting"]
    assert told["kind"] == "receipt_reversal_decided"
    assert "已冲正：已核对" in told["text"]
