"""A reversal and whatever else happens to the points: nobody has them, nobody loses them, twice."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.jobs import awards
from app.models.ledger import Purpose
from app.models.orgs import Org
from app.queries.awards import granting as granting_queries
from app.queries.ledger import posting as posting_queries
from app.runtime import Runtime
from app.services.awards import reversal
from tests.concurrency import rushes
from tests.concurrency.guards import (
    take_out_account_locks,
    take_out_references,
    take_out_row_locks,
)
from tests.concurrency.meeting import meet_after, meet_before, until_somebody_waits_for
from tests.factories.awards import give_award, reverse
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points, make_debt
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.factories.rewards import Counter as Shop
from tests.factories.rewards import make_card_codes, make_counter, make_reward

API = "/api/v1"
POINTS, MAX_DEBT, OWED_BEFORE = 8, 50, 5

_MOVED = text("""
SELECT t.kind, sum(t.amount) AS points FROM ledger_transfers t
JOIN ledger_accounts a ON a.id IN (t.from_account_id, t.to_account_id)
WHERE a.owner_id = :person AND a.purpose = :purpose AND a.unit_id = 1 GROUP BY t.kind
""")


async def charge(api: httpx.AsyncClient, shop: Shop, code: str, points: int) -> httpx.Response:
    body = {"card_code": code, "points": points, "note": ""}
    return await api.post(f"{API}/merchant/charges", headers=keyed(shop.staff), json=body)


async def moved(runtime: Runtime, person: TestPerson, purpose: Purpose) -> Counter[str]:
    """Sum what ever moved into or out of an account, by kind."""
    async with runtime.database.read() as tx:
        rows = await tx.execute(_MOVED, {"person": person.id, "purpose": purpose})
        return Counter({row.kind: int(row.points) for row in rows})


async def spending_against_reversal(app: FastAPI) -> dict[str, int]:
    """Spend what is being taken back; return where it came from in the end."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person, shop = (
            await make_org(runtime),
            await make_person(runtime),
            await make_counter(runtime),
        )
        administrator = await make_administrator(runtime, org.id)
        award = await give_award(runtime, person, org, points=POINTS)
        # Opens the accounts: opening them in the rush would be a lock too.
        await give_points(runtime, person.id, 1)
        await make_debt(runtime, person.id, 1, org=org.id)
        first, second = await make_card_codes(runtime, person, 2)
        await charge(api, shop, first, 1)
        reply, _ = await rushes.at_once(
            [reverse(api, administrator, award), charge(api, shop, second, POINTS)]
        )
        assert reply.status_code == 201, reply.text
        spent = (await moved(runtime, person, Purpose.available))["charge"] - 1
        back = (await moved(runtime, person, Purpose.available))["reversal"]
        owed = (await moved(runtime, person, Purpose.debt))["clawback"] - 1
        return {"spent": spent, "taken back": back, "owed": owed}


async def test_points_are_spent_or_taken_back(app: FastAPI) -> None:
    facts = await spending_against_reversal(app)

    assert facts in (
        {"spent": POINTS, "taken back": 0, "owed": POINTS},
        {"spent": 0, "taken back": POINTS, "owed": 0},
    )
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_spending_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_before(monkeypatch, posting_queries, "write", parties=2)
    facts = await spending_against_reversal(broken)
    assert facts == {"spent": POINTS, "taken back": POINTS, "owed": 0}


async def release_against_reversal(app: FastAPI) -> dict[str, int]:
    """Reverse an award in the moment of its release; another one of the person stays."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        administrator = await make_administrator(runtime, org.id)
        await give_points(runtime, person.id, 1)
        award, _ = [
            await give_award(
                runtime, person, org, points=POINTS, days_ago=days, proof="poster_code"
            )
            for days in (2, 0)
        ]
        works: list[Awaitable[Any]] = [reverse(api, administrator, award), awards.release(runtime)]
        reply, _ = await rushes.at_once(works)
        assert reply.status_code == 201, reply.text
        return {
            "available": await balance(runtime, person.id),
            "pending": await balance(runtime, person.id, Purpose.pending),
            "owed": -await balance(runtime, person.id, Purpose.debt),
        }


async def test_an_award_is_released_or_reversed(app: FastAPI) -> None:
    assert await release_against_reversal(app) == {"available": 1, "pending": POINTS, "owed": 0}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_release_without_lock_and_memory(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    await take_out_references(broken, monkeypatch)
    meet_before(monkeypatch, posting_queries, "lock_accounts", parties=2)
    facts = await release_against_reversal(broken)
    assert facts["pending"] == 0, "it left twice"


async def reversals_beyond_the_largest_debt(app: FastAPI) -> dict[str, int]:
    """Reverse four awards of 20 at once, all of them spent."""
    async with rushes.one_client_of(app) as (api, runtime):
        orgs = [await make_org(runtime) for _ in range(4)]
        person, shop = await make_person(runtime), await make_counter(runtime)
        made = [
            await give_award(
                runtime, person, org, rule_key="taskforce_emergency", points=20, days_ago=days
            )
            for days, org in zip((4, 3, 2, 1), orgs, strict=True)
        ]
        await give_points(runtime, person.id, OWED_BEFORE)  # spent, and owed since
        (code,) = await make_card_codes(runtime, person, 1)
        assert (await charge(api, shop, code, 80 + OWED_BEFORE)).status_code == 201
        # Opens the accounts: opening them in the rush would be a lock too.
        await make_debt(runtime, person.id, OWED_BEFORE)
        await give_award(runtime, person, orgs[0], points=1, proof="poster_code")
        administrators = [await make_administrator(runtime, org.id) for org in orgs]
        replies = await rushes.at_once(
            reverse(api, administrator, award)
            for administrator, award in zip(administrators, made, strict=True)
        )
        return {name: sum(one.json()[name] for one in replies) for name in ("owed", "lost")}


async def test_a_debt_is_never_above_its_limit(app: FastAPI) -> None:
    assert await reversals_beyond_the_largest_debt(app) == {
        "owed": MAX_DEBT - OWED_BEFORE,
        "lost": 80 - MAX_DEBT + OWED_BEFORE,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_debt_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_before(monkeypatch, posting_queries, "write", parties=4)
    assert (await reversals_beyond_the_largest_debt(broken))["owed"] > MAX_DEBT


@pytest.mark.parametrize("how", ["cancelled", "refunded"])
async def test_what_comes_back_in_the_moment_of_a_first_debt_pays_it(
    app: FastAPI, how: str
) -> None:
    """It has begun to wait before the account of the debt was there."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        shop = await make_counter(runtime)
        administrator = await make_administrator(runtime, org.id)
        award = await give_award(runtime, person, org, points=POINTS)
        if how == "cancelled":
            reward = await make_reward(runtime, shop, points=POINTS)
            wanted = {"reward_id": str(reward.id), "quantity": 1}
            made = await api.post(f"{API}/redemptions", headers=keyed(person), json=wanted)
            path, body, who = f"redemptions/{made.json()['id']}/cancel", None, person
        else:
            (code,) = await make_card_codes(runtime, person, 1)
            made = await charge(api, shop, code, POINTS)
            path = f"merchant/charges/{made.json()['id']}/refund"
            body, who = {"reason": "退货"}, shop.staff
        async with runtime.database.transaction() as tx:
            told = await reversal.reverse(tx, administrator.id, award, "有误")
            assert told.owed == POINTS
            back = asyncio.create_task(api.post(f"{API}/{path}", headers=keyed(who), json=body))
            await until_somebody_waits_for(runtime, tx)
        reply = await back
        assert reply.status_code == 200, reply.text
        assert await balance(runtime, person.id) == 0
        assert await balance(runtime, person.id, Purpose.debt) == 0
        await assert_ledger_verifies(runtime)


async def awards_to_somebody_in_debt(app: FastAPI) -> Counter[str]:
    """Three awards of 8 at once, in three organisations, to somebody who owes 10."""
    runtime: Runtime = app.state.runtime
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1)
    await make_debt(runtime, person.id, 10)
    orgs: list[Org] = [await make_org(runtime) for _ in range(3)]
    await rushes.at_once(
        give_award(runtime, person, org, rule_key="taskforce_emergency", points=POINTS)
        for org in orgs
    )
    return await moved(runtime, person, Purpose.debt)


async def test_a_debt_is_paid_once(app: FastAPI) -> None:
    assert await awards_to_somebody_in_debt(app) == {"clawback": 10, "repayment": 10}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_repayment_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, granting_queries, "tallies", parties=3)
    assert (await awards_to_somebody_in_debt(broken))["repayment"] > 10
