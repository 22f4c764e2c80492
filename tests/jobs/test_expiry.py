"""What nobody collects comes back: the points to their lots, the goods to the shelf."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.jobs import expiry
from app.jobs.expiry import expire_reservations, forget
from app.models.ledger import Purpose
from app.models.redemptions import RedemptionStatus
from app.models.rewards import Reward
from app.runtime import Runtime
from app.services.redemptions import reservations
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import TestPerson, make_person
from tests.factories.rewards import Counter, make_counter, make_overdue, make_reward


async def reserve(
    api: httpx.AsyncClient, runtime: Runtime, *, overdue: bool = True
) -> tuple[TestPerson, Counter, Reward, dict[str, Any]]:
    person, counter = await make_person(runtime), await make_counter(runtime)
    reward = await make_reward(runtime, counter, stock=5)
    await give_points(runtime, person.id, 30)
    body = {"reward_id": str(reward.id), "quantity": 2}
    made = await api.post("/api/v1/redemptions", json=body, headers=keyed(person))
    assert made.status_code == 201, made.text
    if overdue:
        await make_overdue(runtime, UUID(made.json()["id"]))
    return person, counter, reward, made.json()


async def left(runtime: Runtime, reward: Reward) -> int:
    async with runtime.database.read() as tx:
        query = text("SELECT remaining FROM reward_stocks WHERE reward_id = :id")
        return int((await tx.execute(query, {"id": reward.id})).scalar_one())


async def status(runtime: Runtime, redemption: str) -> str:
    async with runtime.database.read() as tx:
        query = text("SELECT status FROM redemptions WHERE id = :id")
        return str((await tx.execute(query, {"id": UUID(redemption)})).scalar_one())


async def test_the_next_look_at_the_balance_releases_what_is_overdue(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, _, reward, made = await reserve(api, runtime)
    other, *_ = await reserve(api, runtime)

    shown = (await api.get("/api/v1/me/points", headers=person.headers)).json()

    assert (shown["available"], shown["held"]) == (30, 0)
    assert await status(runtime, made["id"]) == RedemptionStatus.expired
    assert await left(runtime, reward) == 5
    assert await balance(runtime, other.id) == 10, "nobody else's"
    await assert_ledger_verifies(runtime)


async def test_what_is_overdue_can_be_spent_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, _, reward, _ = await reserve(api, runtime)
    body = {"reward_id": str(reward.id), "quantity": 3}

    again = await api.post("/api/v1/redemptions", json=body, headers=keyed(person))

    assert again.status_code == 201, again.text
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (0, 2)


async def test_points_and_goods_come_back(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, _, reward, made = await reserve(api, runtime)
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (10, 3)
    assert await expire_reservations(runtime) >= 1
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (30, 5)
    assert await balance(runtime, person.id, Purpose.held) == 0
    assert await status(runtime, made["id"]) == RedemptionStatus.expired
    await assert_ledger_verifies(runtime)


async def test_what_is_not_overdue_stays(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, _, _, made = await reserve(api, runtime, overdue=False)
    await expire_reservations(runtime)
    assert await status(runtime, made["id"]) == RedemptionStatus.reserved
    assert await balance(runtime, person.id, Purpose.held) == 20


async def test_the_counter_refuses_what_is_overdue_before_the_job_ran(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    _, counter, _, made = await reserve(api, runtime)
    response = await api.post(
        "/api/v1/merchant/redemptions/collect",
        json={"pickup_code": made["pickup_code"]},
        headers=keyed(counter.staff),
    )
    assert_refused(response, 409, "redemptions.not_reserved")


async def test_a_job_that_dies_half_way_is_finished_by_the_next(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await expire_reservations(runtime)
    people = [await reserve(api, runtime) for _ in range(4)]
    real, calls = reservations.expire, 0

    async def dying(tx: Any, redemption_id: UUID) -> None:
        nonlocal calls
        await real(tx, redemption_id)
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt  # after the work, before its commit

    monkeypatch.setattr(reservations, "expire", dying)
    with pytest.raises(KeyboardInterrupt):
        await expire_reservations(runtime)
    monkeypatch.undo()
    half = [await status(runtime, made["id"]) for *_, made in people]
    assert half.count("expired") == 2
    await expire_reservations(runtime)
    for person, _, reward, made in people:
        assert await status(runtime, made["id"]) == "expired"
        assert (await balance(runtime, person.id), await left(runtime, reward)) == (30, 5)
    await assert_ledger_verifies(runtime)


async def test_a_run_releases_all_that_is_overdue(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    made = [(await reserve(api, runtime))[3]["id"] for _ in range(5)]

    assert await expire_reservations(runtime) >= 5

    assert {await status(runtime, one) for one in made} == {"expired"}


async def test_running_again_gives_nothing_back_twice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, _, reward, made = await reserve(api, runtime)
    await expire_reservations(runtime)
    async with runtime.database.transaction() as tx:
        await reservations.expire(tx, UUID(made["id"]))
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (30, 5)


async def test_one_that_cannot_be_expired_does_not_hold_up_the_others(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = await reserve(api, runtime), await reserve(api, runtime)
    real = reservations.expire

    async def expire(tx: Any, redemption_id: UUID) -> None:
        if str(redemption_id) == broken[3]["id"]:
            raise RuntimeError("a row that somebody broke")
        await real(tx, redemption_id)

    monkeypatch.setattr(reservations, "expire", expire)
    try:
        await expire_reservations(runtime)
    except RuntimeError:
        pass
    finally:
        monkeypatch.undo()
    assert await status(runtime, fine[3]["id"]) == "expired"


async def test_forgetting_touches_no_ledger_row(runtime: Runtime) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 10)
    await forget(runtime)
    assert await balance(runtime, person.id) == 10
    await assert_ledger_verifies(runtime)
