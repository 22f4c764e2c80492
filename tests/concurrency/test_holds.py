"""One hold and everybody who may end it: one does, with the points and the goods exact."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text, true

from app.core.clock import now
from app.core.errors import Refusal
from app.jobs import expiry
from app.models.ledger import Purpose
from app.queries import redemptions as queries
from app.queries.ledger import holds as hold_queries
from app.queries.ledger import posting as posting_queries
from app.runtime import Runtime
from app.services.ledger import posting
from app.services.ledger.types import AccountKey
from app.services.merchants.access import Staff
from app.services.redemptions import collecting, reservations
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_account_locks, take_out_references, take_out_row_locks
from tests.concurrency.meeting import meet_after, until_somebody_waits_for
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import TestPerson, make_person
from tests.factories.rewards import Counter, make_counter, make_overdue, make_reward, reserve

API = "/api/v1"
HAD, PRICE, STOCK, EACH, WORKERS = 40, 10, 9, 2, 3

_SETTLED = text("""
SELECT count(*) FROM ledger_transfers t JOIN redemptions r ON r.id = t.closes_id
WHERE r.person_id = :person
""")
_GOODS = text("""
SELECT s.remaining + coalesce(sum(r.quantity)
                              FILTER (WHERE r.status IN ('reserved', 'collected')), 0)
FROM reward_stocks s LEFT JOIN redemptions r ON r.reward_id = s.reward_id
WHERE s.reward_id = :reward GROUP BY s.remaining
""")


async def everybody_ends_one(app: FastAPI) -> dict[str, Any]:
    """Two holds; the first is collected, cancelled and expires, several times each, at once.

    The first two are decided just before the deadline, the third just after it.
    """
    async with rushes.one_client_of(app) as (api, runtime):
        person, counter = await make_person(runtime), await make_counter(runtime)
        reward = await make_reward(runtime, counter, points=PRICE, stock=STOCK)
        await give_points(runtime, person.id, HAD)
        hold, _ = [await reserve(runtime, person.id, reward) for _ in range(2)]
        ways: list[Callable[[], Awaitable[str]]] = [
            lambda: collected(api, counter, hold.pickup_code),
            lambda: cancelled(api, person, str(hold.id)),
            lambda: released(runtime, hold.id, hold.expires_at),
        ]
        ended = await rushes.at_once(way() for way in ways * EACH)
        async with runtime.database.read() as tx:
            goods = (await tx.execute(_GOODS, {"reward": reward.id})).scalar_one()
            settled = (await tx.execute(_SETTLED, {"person": person.id})).scalar_one()
        purses = [
            await balance(runtime, person.id),
            await balance(runtime, person.id, Purpose.held),
            await balance(runtime, counter.merchant.id, Purpose.takings),
        ]
        return {
            "ways": len(set(ended) - {"redemptions.not_reserved", "too late"}),
            "settled": settled,
            "goods": goods,
            "held": purses[1],
            "points": sum(purses),
        }


async def collected(api: httpx.AsyncClient, counter: Counter, code: str) -> str:
    path, body = f"{API}/merchant/redemptions/collect", {"pickup_code": code}
    reply = await api.post(path, headers=keyed(counter.staff), json=body)
    return str(reply.json().get("code", "collected"))


async def cancelled(api: httpx.AsyncClient, person: TestPerson, hold: str) -> str:
    reply = await api.post(f"{API}/redemptions/{hold}/cancel", headers=person.headers)
    return str(reply.json().get("code", "cancelled"))


async def released(runtime: Runtime, hold: UUID, at: datetime) -> str:
    """As the job does with one that is overdue."""
    try:
        async with runtime.database.transaction() as tx:
            await reservations.expire(tx, hold, at)
            query = text("SELECT status = 'expired' FROM redemptions WHERE id = :id")
            ours = (await tx.execute(query, {"id": hold})).scalar_one()
    except Refusal as refusal:
        return refusal.code
    return "released" if ours else "too late"


async def test_one_of_everybody_ends_a_hold(app: FastAPI) -> None:
    assert await everybody_ends_one(app) == {
        "ways": 1,
        "settled": 1,
        "goods": STOCK,
        "held": PRICE,
        "points": HAD,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_lock_condition_and_memory(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row's lock, the condition of the update and the ledger's memory: one suffices."""
    await without_any_guard(broken, monkeypatch)
    facts = await everybody_ends_one(broken)
    assert facts["settled"] > 1
    assert facts["held"] < PRICE


async def workers_release(app: FastAPI) -> dict[str, Any]:
    """Several holds of several people are overdue, and three workers release them."""
    runtime: Runtime = app.state.runtime
    counter = await make_counter(runtime)
    reward = await make_reward(runtime, counter, points=PRICE, stock=STOCK)
    people = [await make_person(runtime) for _ in range(3)]
    for person in people:
        await give_points(runtime, person.id, HAD)
        _, ends = [await reserve(runtime, person.id, reward) for _ in range(2)]
        await make_overdue(runtime, ends.id)
    await rushes.at_once(expiry.expire_reservations(runtime) for _ in range(WORKERS))
    async with runtime.database.read() as tx:
        goods = (await tx.execute(_GOODS, {"reward": reward.id})).scalar_one()
    return {
        "points": [await balance(runtime, one.id) for one in people],
        "held": [await balance(runtime, one.id, Purpose.held) for one in people],
        "goods": goods,
    }


async def test_workers_release_what_is_overdue_once(app: FastAPI) -> None:
    assert await workers_release(app) == {
        "points": [HAD - PRICE] * 3,
        "held": [PRICE] * 3,
        "goods": STOCK,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_workers_without_any_guard(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await without_any_guard(broken, monkeypatch)
    facts = await workers_release(broken)
    assert min(facts["held"]) < PRICE


async def without_any_guard(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out_row_locks(monkeypatch)
    monkeypatch.setattr(queries, "is_reserved", true)
    await take_out_references(broken, monkeypatch)
    meet_after(monkeypatch, queries, "lock", parties=EACH)


async def collected_while_it_ends(app: FastAPI) -> dict[str, Any]:
    """The counter decides just before the deadline, others lock the points just after it."""
    async with rushes.one_client_of(app) as (api, runtime):
        person, counter = await make_person(runtime), await make_counter(runtime)
        reward = await make_reward(runtime, counter, points=PRICE)
        await give_points(runtime, person.id, HAD)
        hold = await reserve(runtime, person.id, reward)
        outcomes = await rushes.at_once(
            [
                collected(api, counter, hold.pickup_code),
                *(locked(runtime, person.id, hold.expires_at) for _ in range(EACH)),
            ]
        )
        return {
            "collected": "collected" in outcomes,
            "points": await balance(runtime, person.id),
            "held": await balance(runtime, person.id, Purpose.held),
            "takings": await balance(runtime, counter.merchant.id, Purpose.takings),
        }


async def locked(runtime: Runtime, person: UUID, at: datetime) -> str:
    """Lock a person's points at a moment, as whoever posts does."""
    async with runtime.database.transaction() as tx:
        await posting.lock(tx, [AccountKey(person, Purpose.available)], at)
    return "locked"


async def test_the_counter_and_the_ledger_do_not_both_end_a_hold(app: FastAPI) -> None:
    found = await collected_while_it_ends(app)
    takings = PRICE if found.pop("collected") else 0
    assert found == {"points": HAD - takings, "held": 0, "takings": takings}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_two_who_end_a_hold_without_locks_and_memory(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see that it is open, and both give it back."""
    await take_out_account_locks(broken, monkeypatch)
    await take_out_references(broken, monkeypatch)
    meet_after(monkeypatch, posting_queries, "uses_of", parties=EACH)
    runtime: Runtime = broken.state.runtime
    person = await make_person(runtime)
    reward = await make_reward(runtime, await make_counter(runtime), points=PRICE)
    await give_points(runtime, person.id, HAD)
    hold = await reserve(runtime, person.id, reward)
    await rushes.at_once(locked(runtime, person.id, hold.expires_at) for _ in range(EACH))
    async with runtime.database.read() as tx:
        assert (await tx.execute(_SETTLED, {"person": person.id})).scalar_one() == EACH


async def test_who_ends_a_hold_waits_for_nobody_who_has_the_held_points(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held points are locked after the spendable ones, by everybody: there is no deadlock.

    The counter comes for the second hold while the first, overdue, is being ended.
    """
    person, counter = await make_person(runtime), await make_counter(runtime)
    reward = await make_reward(runtime, counter)
    await give_points(runtime, person.id, HAD)
    overdue, other = [await reserve(runtime, person.id, reward) for _ in range(2)]
    await make_overdue(runtime, overdue.id)
    real = hold_queries.overdue

    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:

        async def begin_to_collect(*arguments: Any) -> Any:
            monkeypatch.setattr(hold_queries, "overdue", real)
            group.create_task(collect(runtime, counter, other.pickup_code))
            await until_somebody_waits_for(runtime, tx)
            return await real(*arguments)

        monkeypatch.setattr(hold_queries, "overdue", begin_to_collect)
        await posting.lock(tx, [AccountKey(person.id, Purpose.available)], now())

    assert await balance(runtime, person.id) == HAD - PRICE
    assert await balance(runtime, person.id, Purpose.held) == 0
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == PRICE
    await assert_ledger_verifies(runtime)


async def collect(runtime: Runtime, counter: Counter, code: str) -> None:
    async with runtime.database.transaction() as tx:
        await collecting.collect_one(tx, Staff(counter.staff.id), code)
