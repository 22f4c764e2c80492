"""What nobody collects comes back: the points to their lots, the goods to the shelf."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.jobs import expiry
from app.jobs.expiry import expire_reservations, forget
from app.models.ledger import Purpose
from app.models.redemptions import RedemptionStatus
from app.models.rewards import Reward
from app.runtime import Runtime
from app.services.ledger import posting
from app.services.ledger.types import AccountKey
from app.services.redemptions import reservations
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import (
    assert_ledger_verifies,
    balance,
    end_lots,
    give_points,
    make_debt,
)
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


async def test_what_is_overdue_is_shown_as_available_and_as_expired(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """At once, though nobody has ended it yet; and looking writes nothing."""
    person, _, reward, made = await reserve(api, runtime)
    await make_debt(runtime, person.id, 4)

    shown = (await api.get("/api/v1/me/points", headers=person.headers)).json()
    (redemption,) = (await api.get("/api/v1/me/redemptions", headers=person.headers)).json()[
        "items"
    ]

    assert (shown["available"], shown["held"], shown["owed"]) == (26, 0, 0)
    assert [one["points"] for one in shown["expiring"]] == [26]
    assert redemption["status"] == "expired"
    assert await status(runtime, made["id"]) == RedemptionStatus.reserved
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (10, 3)

    await expire_reservations(runtime)
    later = (await api.get("/api/v1/me/points", headers=person.headers)).json()
    assert later == shown, "as it was shown"


async def test_points_that_come_back_to_an_ended_lot_are_shown_as_they_will_be(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """They live on a while; what has ended of the rest is not there."""
    person, *_ = await reserve(api, runtime)
    await end_lots(runtime, person.id)
    at = now()

    shown = (await api.get("/api/v1/me/points", headers=person.headers)).json()

    assert (shown["available"], shown["held"]) == (20, 0)
    (expiring,) = shown["expiring"]
    days = (datetime.fromisoformat(expiring["expires_at"]) - at).days
    assert (expiring["points"], days) == (20, 30)


async def test_whoever_locks_the_points_ends_what_is_overdue(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The state and the goods follow when the job comes; the points come back once."""
    person, _, reward, made = await reserve(api, runtime)
    other, *_ = await reserve(api, runtime)

    await give_points(runtime, person.id, 1)

    assert (await balance(runtime, person.id), await left(runtime, reward)) == (31, 3)
    assert await balance(runtime, person.id, Purpose.held) == 0
    assert await status(runtime, made["id"]) == RedemptionStatus.reserved
    assert await balance(runtime, other.id) == 10, "nobody else's"
    await assert_ledger_verifies(runtime)

    await expire_reservations(runtime)
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (31, 5)
    assert await status(runtime, made["id"]) == RedemptionStatus.expired
    await assert_ledger_verifies(runtime)


async def test_a_hold_that_is_not_over_outlives_one_that_is(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The account names the next end, so that the second is ended in its turn."""
    person, _, reward, first = await reserve(api, runtime, overdue=False)
    body = {"reward_id": str(reward.id), "quantity": 1}
    second = await api.post("/api/v1/redemptions", json=body, headers=keyed(person))
    assert second.status_code == 201, second.text
    for made, held in ((first, 10), (second.json(), 0)):
        await make_overdue(runtime, made["id"])
        await give_points(runtime, person.id, 1)
        assert await balance(runtime, person.id, Purpose.held) == held
        await assert_ledger_verifies(runtime)


async def test_an_overdue_reservation_cannot_be_cancelled(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, _, _, made = await reserve(api, runtime)
    response = await api.post(f"/api/v1/redemptions/{made['id']}/cancel", headers=keyed(person))
    assert_refused(response, 409, "redemptions.not_reserved")
    assert response.json()["facts"]["status"] == "expired"
    assert await status(runtime, made["id"]) == RedemptionStatus.reserved


async def test_what_was_decided_in_time_but_came_after_the_end_changes_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The ledger, by a later clock, has ended the hold: the counter must not hand over."""
    person, counter, reward, made = await reserve(api, runtime, overdue=False)
    async with runtime.database.transaction() as tx:
        available = AccountKey(person.id, Purpose.available)
        await posting.lock(tx, [available], datetime.fromisoformat(made["expires_at"]))

    collected = await api.post(
        "/api/v1/merchant/redemptions/collect",
        json={"pickup_code": made["pickup_code"]},
        headers=keyed(counter.staff),
    )
    assert_refused(collected, 409, "redemptions.not_reserved")
    assert collected.json()["facts"]["status"] == "expired"
    cancelled = await api.post(f"/api/v1/redemptions/{made['id']}/cancel", headers=keyed(person))
    assert cancelled.status_code == 200

    assert (await balance(runtime, person.id), await left(runtime, reward)) == (30, 5)
    await assert_ledger_verifies(runtime)


async def test_an_overdue_reservation_does_not_count_against_a_personal_limit(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    reward = await make_reward(runtime, counter, limit_per_member=1, limit_period="year")
    await give_points(runtime, person.id, 30)
    body = {"reward_id": str(reward.id), "quantity": 1}
    first = await api.post("/api/v1/redemptions", json=body, headers=keyed(person))
    again = await api.post("/api/v1/redemptions", json=body, headers=keyed(person))
    assert_refused(again, 409, "rewards.limit_reached")
    await make_overdue(runtime, first.json()["id"])
    again = await api.post("/api/v1/redemptions", json=body, headers=keyed(person))
    assert again.status_code == 201, again.text


async def test_what_is_overdue_can_be_spent_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, _, reward, _ = await reserve(api, runtime)
    body = {"reward_id": str(reward.id), "quantity": 3}

    again = await api.post("/api/v1/redemptions", json=body, headers=keyed(person))

    assert again.status_code == 201, again.text
    assert await balance(runtime, person.id) == 0
    assert await left(runtime, reward) == 0, "the goods come back with the job"
    await expire_reservations(runtime)
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (0, 2)
    await assert_ledger_verifies(runtime)


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

    async def dying(*arguments: Any) -> None:
        nonlocal calls
        await real(*arguments)
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
        await reservations.expire(tx, UUID(made["id"]), now())
    assert (await balance(runtime, person.id), await left(runtime, reward)) == (30, 5)


async def test_one_that_cannot_be_expired_does_not_hold_up_the_others(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = await reserve(api, runtime), await reserve(api, runtime)
    real = reservations.expire

    async def expire(tx: Any, redemption_id: UUID, at: datetime) -> None:
        if str(redemption_id) == broken[3]["id"]:
            raise RuntimeError("a row that somebody broke")
        await real(tx, redemption_id, at)

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


_WRITE_OLD_AND_YOUNG = """
WITH family AS (INSERT INTO token_families (person_id) VALUES (:person) RETURNING id),
codes AS (INSERT INTO card_codes (code, person_id, expires_at)
    SELECT lpad(CAST(CAST(random() * 1e15 AS bigint) AS text), 18, '7'), :person,
        now() - n * interval '1 hour'
    FROM unnest(ARRAY[25, 23]) n),
tokens AS (INSERT INTO refresh_tokens (hash, family_id, expires_at)
    SELECT sha256(CAST(CAST(f.id AS text) || n AS bytea)), f.id, now() - n * interval '1 hour'
    FROM family f, unnest(ARRAY[1, -1]) n),
keys AS (INSERT INTO idempotency_keys (person_id, key, fingerprint, created_at)
    SELECT :person, n, '', now() - n * interval '1 day' FROM unnest(ARRAY[8, 6]) n)
INSERT INTO notices (id, person_id, kind, text, outbox_id)
SELECT uuidv7(make_interval(months => -n)), :person, 'old', 'old', -1000000 - n
FROM unnest(ARRAY[26, 23]) n
"""
_COUNT_THEM = """
SELECT (SELECT count(*) FROM card_codes WHERE person_id = :person) AS codes,
       (SELECT count(*) FROM refresh_tokens t JOIN token_families f ON f.id = t.family_id
        WHERE f.person_id = :person) AS tokens,
       (SELECT count(*) FROM idempotency_keys WHERE person_id = :person) AS keys,
       (SELECT count(*) FROM notices WHERE person_id = :person) AS notices
"""


async def test_of_each_old_and_young_row_the_young_one_stays(runtime: Runtime) -> None:
    person = {"person": (await make_person(runtime)).id}
    async with runtime.database.transaction() as tx:
        await tx.execute(text(_WRITE_OLD_AND_YOUNG), person)
        before = (await tx.execute(text(_COUNT_THEM), person)).one()

    await forget(runtime)

    async with runtime.database.read() as tx:
        after = (await tx.execute(text(_COUNT_THEM), person)).one()
    assert (tuple(before), tuple(after)) == ((2, 2, 2, 2), (1, 1, 1, 1))
