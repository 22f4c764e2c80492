"""A suspended card reserves, collects, pays and shows nothing from the commit that suspends it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest
from sqlmodel.sql.expression import SelectOfScalar

from app.models.cards import CardStatus
from app.models.ledger import Purpose
from app.models.rewards import Reward
from app.queries import cards as queries
from app.queries import redemptions as redemption_queries
from app.runtime import Runtime
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import TestPerson, make_person
from tests.factories.rewards import (
    Counter,
    make_card_codes,
    make_counter,
    make_reward,
    reserve,
    set_card_status,
)

API = "/api/v1"
SHARED_LOCK = "FOR SHARE OF c"


@dataclass(frozen=True)
class Holder:
    """Somebody with 30 points, 10 of them held by a reservation, and a code on the card."""

    api: httpx.AsyncClient
    runtime: Runtime
    person: TestPerson
    counter: Counter
    reward: Reward
    pickup_code: str

    async def reserve(self) -> httpx.Response:
        body = {"reward_id": str(self.reward.id), "quantity": 1}
        return await self.api.post(f"{API}/redemptions", headers=keyed(self.person), json=body)

    async def collect(self) -> httpx.Response:
        path, body = f"{API}/merchant/redemptions/collect", {"pickup_code": self.pickup_code}
        return await self.api.post(path, headers=keyed(self.counter.staff), json=body)

    async def pay(self) -> httpx.Response:
        [code] = await make_card_codes(self.runtime, self.person, 1)
        body = {"card_code": code, "points": 5, "note": ""}
        path = f"{API}/merchant/charges"
        return await self.api.post(path, headers=keyed(self.counter.staff), json=body)

    async def show(self) -> httpx.Response:
        return await self.api.get(f"{API}/me/card/code", headers=self.person.headers)

    async def set_card(self, status: CardStatus) -> None:
        async with self.runtime.database.transaction() as tx:
            await set_card_status(tx, self.person.id, status)

    async def points(self) -> tuple[int, int]:
        """Return what can be spent and what is held."""
        person = self.person.id
        return (
            await balance(self.runtime, person),
            await balance(self.runtime, person, Purpose.held),
        )


Act = Callable[[Holder], Awaitable[httpx.Response]]
# What a card is for, and what answers when it is active.
ACTS: dict[str, tuple[Act, int]] = {
    "reserve": (Holder.reserve, 201),
    "collect": (Holder.collect, 200),
    "pay": (Holder.pay, 201),
    "show": (Holder.show, 200),
}
every_act = pytest.mark.parametrize(("act", "done"), ACTS.values(), ids=ACTS)


@pytest.fixture
async def holder(api: httpx.AsyncClient, runtime: Runtime) -> Holder:
    person, counter = await make_person(runtime), await make_counter(runtime)
    reward = await make_reward(runtime, counter, points=10)
    await give_points(runtime, person.id, 30)
    reservation = await reserve(runtime, person.id, reward)
    return Holder(api, runtime, person, counter, reward, reservation.pickup_code)


@every_act
async def test_a_suspended_card_is_refused(holder: Holder, act: Act, done: int) -> None:
    await holder.set_card(CardStatus.suspended)
    refused = await act(holder)
    points = await holder.points()
    await holder.set_card(CardStatus.active)

    assert_refused(refused, 409, "cards.suspended")
    assert points == (20, 10)
    assert (await act(holder)).status_code == done, "control: the same with an active card"
    await assert_ledger_verifies(holder.runtime)


async def test_a_code_from_before_is_shown_no_more(holder: Holder) -> None:
    shown = await holder.show()
    await holder.set_card(CardStatus.suspended)

    assert shown.status_code == 200
    assert_refused(await holder.show(), 409, "cards.suspended")


async def test_a_suspended_card_is_seen_and_its_reservation_cancelled(holder: Holder) -> None:
    """What is held comes back; only spending is barred."""
    await holder.set_card(CardStatus.suspended)
    headers = holder.person.headers

    card = await holder.api.get(f"{API}/me/card", headers=headers)
    [held] = (await holder.api.get(f"{API}/me/redemptions", headers=headers)).json()["items"]
    cancelled = await holder.api.post(f"{API}/redemptions/{held['id']}/cancel", headers=headers)

    assert card.json()["status"] == "suspended"
    assert cancelled.status_code == 200
    assert await holder.points() == (30, 0)


# --- while the suspension is under way ---


async def _act_while_suspending(holder: Holder, act: Act) -> httpx.Response:
    """Act when the card is suspended but for the commit, which waits for whoever waits for it."""
    async with asyncio.TaskGroup() as group, holder.runtime.database.transaction() as tx:
        await set_card_status(tx, holder.person.id, CardStatus.suspended)
        acting = group.create_task(_answer(act, holder))
        waiting = group.create_task(until_somebody_waits_for(holder.runtime, tx))
        await asyncio.wait({acting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    return acting.result()


async def _answer(act: Act, holder: Holder) -> httpx.Response:
    return await act(holder)


@pytest.mark.parametrize("act", [act for act, _ in ACTS.values()], ids=ACTS)
async def test_whoever_acts_while_the_card_is_suspended_waits_and_is_refused(
    holder: Holder, act: Act
) -> None:
    assert_refused(await _act_while_suspending(holder, act), 409, "cards.suspended")
    assert await holder.points() == (20, 10)


@every_act
async def test_control_without_the_lock_on_the_card(
    holder: Holder, act: Act, done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SHARED_LOCK in queries.LOCK_CODES
    monkeypatch.setattr(queries, "LOCK_CODES", queries.LOCK_CODES.replace(SHARED_LOCK, ""))
    assert SHARED_LOCK in redemption_queries.LOCK_COLLECTABLE
    unshared = redemption_queries.LOCK_COLLECTABLE.replace(SHARED_LOCK, "")
    monkeypatch.setattr(redemption_queries, "LOCK_COLLECTABLE", unshared)
    assert hasattr(SelectOfScalar, "with_for_update")
    monkeypatch.setattr(SelectOfScalar, "with_for_update", lambda query, **_: query)

    assert (await _act_while_suspending(holder, act)).status_code == done
