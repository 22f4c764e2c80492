"""Redemption days at once: the last item, the last place, a limit, and a hand-over, each once."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import true
from sqlmodel.sql.expression import Select

from app.core import db
from app.models.ledger import Purpose
from app.queries import records as record_queries
from app.queries import redemptions as redemption_queries
from app.queries.redemption_days import orders as queries
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_account_locks
from tests.concurrency.meeting import meet_after
from tests.concurrency.test_holds import without_any_guard
from tests.engines import as_owner
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.redemption_days import make_buyer, make_day, slot_body

AT_ONCE = 4
Rush = Callable[[FastAPI], Awaitable[dict[str, int]]]


async def the_last_item(app: FastAPI) -> dict[str, int]:
    async with rushes.one_client_of(app) as (api, runtime):
        day = await make_day(api, runtime, stock=1)
        people = [await make_buyer(runtime) for _ in range(AT_ONCE)]
        return rushes.outcomes(await rushes.at_once(day.order(one) for one in people))


async def the_last_place(app: FastAPI) -> dict[str, int]:
    async with rushes.one_client_of(app) as (api, runtime):
        day = await make_day(api, runtime, slots=[slot_body(1)])
        slot = day.body["slots"][0]["id"]
        people = [await make_buyer(runtime) for _ in range(AT_ONCE)]
        replies = await rushes.at_once(day.order(one, slot_id=slot) for one in people)
        return rushes.outcomes(replies)


async def a_limit_of_one(app: FastAPI) -> dict[str, int]:
    """One person orders several times at once, who may have one more."""
    async with rushes.one_client_of(app) as (api, runtime):
        day = await make_day(api, runtime, limit_per_person=2)
        person = await make_buyer(runtime)
        await day.ordered(person)  # which opens the account of held points
        replies = await rushes.at_once(day.order(person) for _ in range(AT_ONCE))
        return rushes.outcomes(replies)


LAST: dict[str, tuple[Rush, str, str]] = {
    "day_orders.out_of_stock": (
        the_last_item,
        "enough",
        "ALTER TABLE redemption_day_items DROP CONSTRAINT ck_redemption_day_items_numbers",
    ),
    "day_orders.slot_full": (
        the_last_place,
        "not_full",
        "ALTER TABLE redemption_day_slots DROP CONSTRAINT ck_redemption_day_slots_taken",
    ),
}


@pytest.mark.parametrize("code", LAST)
async def test_the_last_is_taken_once(app: FastAPI, code: str) -> None:
    assert await LAST[code][0](app) == {"201": 1, code: AT_ONCE - 1}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.parametrize("code", LAST)
@pytest.mark.long
async def test_control_without_the_condition(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    rush, condition, constraint = LAST[code]
    monkeypatch.setattr(queries, condition, lambda *_: true())
    await as_owner(broken.state.runtime.settings, constraint)
    assert (await rush(broken))["201"] == AT_ONCE


async def test_a_limit_holds_at_once(app: FastAPI) -> None:
    expected = {"201": 1, "day_orders.limit_reached": AT_ONCE - 1}
    assert await a_limit_of_one(app) == expected


@pytest.mark.long
async def test_control_of_the_limit(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, queries, "live_orders", parties=AT_ONCE)
    assert (await a_limit_of_one(broken))["201"] > 1


async def two_counters(app: FastAPI) -> dict[str, Any]:
    """Two counters scan one person at once, who has two orders; return what the fund got.

    More points are put aside for another day.
    """
    async with rushes.one_client_of(app) as (api, runtime):
        day = await make_day(api, runtime, 10, 20)
        person = await make_buyer(runtime)
        order = await day.ordered(person)
        await day.ordered(person, 1)
        await (await make_day(api, runtime, 30)).ordered(person)
        before = await balance(runtime, day.org.id, Purpose.fund)
        replies = await rushes.at_once(day.hand_over(order) for _ in range(2))
        fund = await balance(runtime, day.org.id, Purpose.fund) - before
        return rushes.outcomes(replies) | {"fund": fund}


async def test_an_order_is_handed_over_once(app: FastAPI) -> None:
    facts = await two_counters(app)
    assert facts.pop("200") == 1
    assert facts.pop("fund") == 30
    assert set(facts) <= {"redemptions.not_reserved", "day_orders.nothing_to_hand_over"}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_hand_over(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of the rows, the condition of the update and the ledger's memory: one suffices."""
    await without_any_guard(broken, monkeypatch)
    monkeypatch.setattr(Select, "with_for_update", lambda query, **_: query)
    head, found, _ = redemption_queries.LOCK_COLLECTABLE.partition("FOR UPDATE OF r")
    assert found
    monkeypatch.setattr(redemption_queries, "LOCK_COLLECTABLE", head)
    meet_after(monkeypatch, redemption_queries, "lock_collectable", parties=2)
    assert (await two_counters(broken))["fund"] > 30


async def a_code_and_its_proxy(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A counter has read whose order a pick-up code is of when another one takes it by a proxy.

    The person has a second order. Return the outcomes and what the fund got.
    """
    async with rushes.one_client_of(app) as (api, runtime):
        day, person = await make_day(api, runtime, 10, 20), await make_buyer(runtime)
        order = await day.ordered(person)
        await day.ordered(person, 1)
        path = f"/api/v1/redemptions/{order['id']}/proxy"
        proxy = (await api.post(path, headers=keyed(person), json={"name": None})).json()["code"]
        by_code = queries.by_code
        others: list[Any] = []

        async def interrupted(*args: Any) -> Any:
            found = await by_code(*args)
            if not others:
                others.append(None)
                others[0] = await day.act(day.counter.staff, "handovers", pickup_code=proxy)
            return found

        monkeypatch.setattr(queries, "by_code", interrupted)
        replies = [await day.hand_over(order), *others]
        fund = await balance(runtime, day.org.id, Purpose.fund)
        return rushes.outcomes(replies) | {"fund": fund}


async def test_two_codes_of_an_order_hand_over_no_other_one(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order whose code was shown must still wait; the person's other order is no substitute."""
    facts = await a_code_and_its_proxy(app, monkeypatch)
    assert facts == {"200": 1, "redemptions.not_reserved": 1, "fund": 10}
    await assert_ledger_verifies(app.state.runtime)


async def two_answers(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A person accepts a substitute and declines it at once; each has read it before it waits."""
    async with rushes.one_client_of(app) as (api, runtime):
        day, person = await make_day(api, runtime, 20, 15), await make_buyer(runtime)
        order = await day.ordered(person)
        body = {"order_id": order["id"], "item_id": day.item(1), "reason": "原奖品破损"}
        made = await day.act(day.counter.staff, "substitutions", **body)
        answer = f"substitutions/{made.json()['id']}/answer"
        meet_after(monkeypatch, record_queries, "find", parties=2)
        replies = await rushes.at_once(
            day.act(person, answer, accept=accept) for accept in (True, False)
        )
        return rushes.outcomes(replies)


async def test_a_substitute_is_answered_once(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await two_answers(app, monkeypatch) == {"200": 1, "day_orders.wrong_state": 1}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_answer(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock alone does not suffice: the row is read anew."""
    monkeypatch.setattr(db, "is_locking", lambda _: False)
    assert await two_answers(broken, monkeypatch) != {"200": 1, "day_orders.wrong_state": 1}
