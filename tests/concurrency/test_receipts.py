"""The reversal of a receipt at once with awards of its points, and with another decision."""

from collections.abc import Awaitable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.models.ledger import Purpose
from app.models.orgs import Org
from app.queries import records as record_queries
from app.queries.ledger import posting as posting_queries
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_account_locks, take_out_row_locks
from tests.concurrency.meeting import meet_after, meet_before
from tests.factories.awards import give_award
from tests.factories.funds import decide_reversal, make_limited, propose_reversal, receive
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.people import make_administrator, make_people

POINTS = 4

_ISSUED = text("""
SELECT coalesce(sum(t.amount), 0) FROM awards a
JOIN ledger_transfers t ON t.id = a.id WHERE a.org_id = :org
""")


async def facts_of(runtime: Runtime, org: Org) -> dict[str, int]:
    async with runtime.database.read() as tx:
        issued = int((await tx.execute(_ISSUED, {"org": org.id})).scalar_one())
    return {
        "received": -await balance(runtime, org.id, Purpose.income),
        "issued": issued,
        "left": await balance(runtime, org.id, Purpose.budget),
    }


async def awards_against_reversal(app: FastAPI, number: int) -> tuple[str, dict[str, int]]:
    """Confirm the reversal of a receipt while all of its points are being awarded."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, people = await make_limited(runtime), await make_people(runtime, number)
        first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
        receipt = await receive(runtime, org, number * POINTS)
        assert (await propose_reversal(api, first, org, receipt)).status_code == 200
        works: list[Awaitable[Any]] = [
            decide_reversal(api, second, org, receipt),
            *(give_award(runtime, one, org, points=POINTS) for one in people),
        ]
        reply, *_ = await rushes.at_once(works)
        [outcome] = rushes.outcomes([reply])
        return outcome, await facts_of(runtime, org)


async def test_points_of_a_receipt_are_awarded_or_taken_out(app: FastAPI) -> None:
    outcome, facts = await awards_against_reversal(app, 6)

    assert (outcome, facts) in [
        ("200", {"received": 0, "issued": 0, "left": 0}),
        ("points.insufficient", {"received": 24, "issued": 24, "left": 0}),
    ]
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_before(monkeypatch, posting_queries, "write", parties=2)
    outcome, facts = await awards_against_reversal(broken, 1)
    assert (outcome, facts["issued"]) == ("200", POINTS), "awarded, and taken out"


async def two_decide(app: FastAPI, *, confirmed: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Confirm a reversal at once with another decision. Another receipt leaves enough for two."""
    async with rushes.one_client_of(app) as (api, runtime):
        org = await make_limited(runtime)
        first, *others = [await make_administrator(runtime, org.id) for _ in "abc"]
        receipt = await receive(runtime, org, 5)
        await receive(runtime, org, 100)
        assert (await propose_reversal(api, first, org, receipt)).status_code == 200
        replies = await rushes.at_once(
            decide_reversal(api, one, org, receipt, confirmed=how)
            for one, how in zip(others, (True, confirmed), strict=True)
        )
        return rushes.outcomes(replies), await facts_of(runtime, org)


@pytest.mark.parametrize("confirmed", [True, False], ids=["confirms too", "lets it stand"])
async def test_a_reversal_is_decided_once(app: FastAPI, *, confirmed: bool) -> None:
    outcomes, facts = await two_decide(app, confirmed=confirmed)

    assert outcomes == {"200": 1, "funds.wrong_state": 1}
    assert facts["left"] == facts["received"]
    assert facts["left"] in ({100} if confirmed else {100, 105})
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_decision(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, record_queries, "lock", parties=2)
    outcomes, _ = await two_decide(broken, confirmed=True)
    assert outcomes.get("funds.wrong_state") is None, "both saw a reversal that was proposed"
