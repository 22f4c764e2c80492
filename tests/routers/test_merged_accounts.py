"""Of two accounts that were merged: nobody decides about their own, and one is named no more."""

import httpx

from app.models.ledger import Purpose
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.awards import (
    TWO_REVIEWERS,
    approve,
    award_body,
    give_award,
    reject,
)
from tests.factories.awards import propose as propose_awards
from tests.factories.deductions import deduct, deduction_body
from tests.factories.funds import decide_reversal, propose_reversal, receive
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    make_administrator,
)
from tests.factories.rewards import (
    make_counter,
    make_reward,
    reserve,
)
from tests.routers.test_deductions import appeal, decide
from tests.routers.test_members import member_of
from tests.routers.test_merges import merged, pair
from tests.routers.test_own_acts import attend

API = "/api/v1"


async def test_whose_account_was_merged_decides_nothing_of_its_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """What the absorbed account proposed, reviewed, deducted or organized is the kept one's own."""
    org = await make_org(runtime)
    absorbed, kept, other = [await make_administrator(runtime, org.id) for _ in "abc"]
    resident = await member_of(runtime, org)
    await give_points(runtime, resident.id, 5, org=org.id)
    [award] = await propose_awards(api, absorbed, org, resident)
    [reviewed] = await propose_awards(api, other, org, resident, **TWO_REVIEWERS)
    assert (await approve(api, absorbed, reviewed)).status_code == 200
    receipt = await receive(runtime, org, 500)
    await propose_reversal(api, absorbed, org, receipt)
    deduction = await deduct(api, absorbed, org, resident)
    await appeal(api, resident, deduction)
    activity = await make_activity(runtime, org=org, created_by=absorbed.id)

    await merged(api, runtime, org, absorbed, kept)

    assert_refused(await approve(api, kept, award), 403, "awards.own_proposal")
    assert_refused(await approve(api, kept, reviewed), 409, "awards.reviewed_before")
    assert_refused(await reject(api, kept, reviewed), 409, "awards.reviewed_before")
    refused = await decide_reversal(api, kept, org, receipt)
    assert_refused(refused, 403, "funds.own_reversal")
    refused = await decide(api, kept, deduction, granted=False)
    assert_refused(refused, 403, "deductions.own")
    paid = await attend(api, runtime, kept, activity)
    assert paid["state"] == "pending", "another organizer approves it"
    assert_refused(await approve(api, kept, paid), 403, "awards.own_award")
    await assert_ledger_verifies(runtime)


async def test_a_collection_of_an_account_that_was_merged_is_not_undone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The reservation would stay with an account that nobody logs in to."""
    org = await make_org(runtime)
    absorbed, kept = await pair(runtime, org)
    await give_points(runtime, absorbed.id, 30, org=org.id)
    counter = await make_counter(runtime, org=org)
    held = await reserve(runtime, absorbed.id, await make_reward(runtime, counter))
    at_counter, staff = f"{API}/merchant/redemptions", counter.staff
    body = {"pickup_code": held.pickup_code}
    done = await api.post(f"{at_counter}/collect", headers=keyed(staff), json=body)
    assert done.status_code == 200, done.text
    await merged(api, runtime, org, absorbed, kept)
    undo, why = f"{at_counter}/{held.id}/undo", {"reason": "扫错了人"}
    refused = await api.post(undo, headers=keyed(staff), json=why)
    assert_refused(refused, 409, "people.merged")
    assert await balance(runtime, absorbed.id, Purpose.held) == 0
    await assert_ledger_verifies(runtime)


async def test_an_account_that_was_merged_is_not_named_any_more(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin, (absorbed, kept) = await make_administrator(runtime, org.id), await pair(runtime, org)
    await give_award(runtime, absorbed, org)  # still of the organisation by it
    await merged(api, runtime, org, absorbed, kept)
    at, why = f"{API}/people/{absorbed.id}", {"reason": "x"}
    for path in ("suspension", "restoration", "card/suspension", "card/restoration"):
        refused = await api.post(f"{at}/{path}", headers=keyed(admin), json=why)
        assert_refused(refused, 409, "people.merged")
    for path, body in (
        ("awards", award_body(org, [absorbed])),
        ("deductions", deduction_body(org, absorbed)),
    ):
        refused = await api.post(f"{API}/{path}", headers=keyed(admin), json=body)
        assert_refused(refused, 409, "people.merged")
