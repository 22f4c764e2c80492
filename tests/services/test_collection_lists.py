"""Batches of collections: each outcome is its own, and codes and keys take turns."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.db import Session
from app.core.errors import LockTimeout, Refusal
from app.core.ids import new_id
from app.models.cards import CardStatus
from app.models.ledger import Purpose
from app.models.merchants import MerchantKind
from app.queries import redemptions as queries
from app.runtime import Runtime
from app.schemas.redemptions import CollectedOut
from app.services.idempotency import Attempt, KeyReused, Replied, Reply
from app.services.ledger import posting
from app.services.ledger.types import AccountKey
from app.services.redemptions import collecting
from app.services.redemptions.collecting import CollectCommand
from app.services.redemptions.reservations import RedemptionNotReserved
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_people, make_person
from tests.factories.rewards import (
    Counter,
    make_counter,
    make_overdue,
    make_reward,
    reserve,
    set_card_status,
)

_LOCK = text("SELECT id FROM ledger_accounts WHERE owner_id = :person FOR UPDATE")
PRICE = 10
LONG = timedelta(days=100)


@dataclass(frozen=True)
class Hall:
    """A shop and a fund counter of one organisation, and what residents reserved there."""

    runtime: Runtime
    shop: Counter
    bank: Counter

    async def reserved(self, person: TestPerson, at: Counter) -> tuple[str, UUID]:
        """Return the code and the id of a new reservation of a person with points for it."""
        await give_points(self.runtime, person.id, PRICE)
        reward = await make_reward(self.runtime, at, points=PRICE)
        made = await reserve(self.runtime, person.id, reward)
        return made.pickup_code, made.id

    async def collect(self, commands: Sequence[CollectCommand]) -> list[CollectedOut | Refusal]:
        async with self.runtime.database.transaction() as tx:
            return await collecting.collect(tx, commands, now())

    def attempt(
        self, key: str, code: str, fingerprint: bytes = b"a"
    ) -> Attempt[CollectCommand, CollectedOut]:
        return Attempt(
            key=(self.shop.staff.id, key),
            fingerprint=fingerprint,
            command=CollectCommand(self.shop.staff.id, code),
            render=lambda _: Reply(200, b"{}"),
        )

    async def at_once(self, *attempts: Attempt[CollectCommand, CollectedOut]) -> list[str]:
        outcomes = await asyncio.gather(*map(self.runtime.collections.submit, attempts))
        return [answer_of(one) for one in outcomes]


@pytest.fixture
async def hall(runtime: Runtime) -> Hall:
    org = await make_org(runtime)
    shop = await make_counter(runtime, org=org)
    bank = await make_counter(runtime, org=org, kind=MerchantKind.fund_counter)
    return Hall(runtime, shop, bank)


def answer_of(outcome: Replied | Refusal) -> str:
    if isinstance(outcome, Replied):
        refusal = outcome.refusal.code if outcome.refusal else "new"
        return "replay" if outcome.is_replay else refusal
    return outcome.code


async def test_each_of_a_batch_has_its_own_outcome(hall: Hall) -> None:
    """Shops and fund counters, and every refusal, in one batch; the collected ones are settled."""
    runtime, shop, bank = hall.runtime, hall.shop.staff.id, hall.bank.staff.id
    one, other, frozen = await make_people(runtime, 3)
    first, first_id = await hall.reserved(one, hall.shop)
    second, _ = await hall.reserved(one, hall.shop)
    given, given_id = await hall.reserved(other, hall.bank)
    late, late_id = await hall.reserved(other, hall.shop)
    await make_overdue(runtime, late_id)
    barred, _ = await hall.reserved(frozen, hall.shop)
    fund = await balance(runtime, hall.bank.merchant.org_id, Purpose.fund)
    async with runtime.database.transaction() as tx:
        await set_card_status(tx, frozen.id, CardStatus.suspended)

    outcomes = await hall.collect(
        [
            CollectCommand(shop, first.lower()),
            CollectCommand(bank, second),  # of another merchant
            CollectCommand(bank, given),
            CollectCommand(shop, late),
            CollectCommand(shop, barred),
            CollectCommand(shop, "00000000"),
            CollectCommand(one.id, second),
            CollectCommand(shop, second, hall.bank.merchant.id),
        ]
    )

    assert [one.code if isinstance(one, Refusal) else one.id for one in outcomes] == [
        first_id,
        "redemptions.not_found",
        given_id,
        "redemptions.not_reserved",
        "cards.suspended",
        "redemptions.not_found",
        "auth.forbidden",
        "merchants.not_yours",
    ]
    assert await balance(runtime, hall.shop.merchant.id, Purpose.takings) == PRICE
    assert await balance(runtime, hall.bank.merchant.org_id, Purpose.fund) == fund + PRICE
    assert await balance(runtime, one.id, Purpose.held) == PRICE, "the second still waits"
    again = await hall.collect([CollectCommand(shop, first), CollectCommand(shop, second)])
    assert isinstance(again[0], RedemptionNotReserved)
    assert again[0].facts["status"] == "collected"
    assert isinstance(again[1], CollectedOut)
    await assert_ledger_verifies(runtime)


async def test_a_batch_takes_as_many_statements_as_one(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, real = [0], Session.fetch

    async def counted(tx: Session, *arguments: object, **named: object) -> object:
        counts[-1] += 1
        return await real(tx, *arguments, **named)  # type: ignore[arg-type]

    people = await make_people(hall.runtime, 5)
    codes = [(await hall.reserved(one, hall.shop))[0] for one in people]
    commands = [CollectCommand(hall.shop.staff.id, code) for code in codes]
    await hall.collect(commands[:1])  # opens the merchant's account
    monkeypatch.setattr(Session, "fetch", counted)
    await hall.collect(commands[1:2])
    counts.append(0)
    assert len(await hall.collect(commands[2:])) == 3
    assert counts[0] == counts[1] > 5


async def test_one_code_and_one_key_take_turns(hall: Hall) -> None:
    """At once: a code with two keys, written in two ways; a key with two codes."""
    person = await make_person(hall.runtime)
    code, _ = await hall.reserved(person, hall.shop)
    other, _ = await hall.reserved(person, hall.shop)
    attempts = [hall.attempt("k1", code), hall.attempt("k2", code.lower())]
    assert await hall.at_once(*attempts) == ["new", "redemptions.not_reserved"]
    attempts = [hall.attempt("k3", other), hall.attempt("k3", code, b"b")]
    assert await hall.at_once(*attempts, hall.attempt("k3", other)) == [
        "new",
        KeyReused.code,
        "replay",
    ]
    assert await balance(hall.runtime, hall.shop.merchant.id, Purpose.takings) == 2 * PRICE


async def test_points_that_are_locked_are_waited_for_alone(hall: Hall) -> None:
    runtime = hall.runtime
    locked, free = await make_people(runtime, 2)
    stuck, _ = await hall.reserved(locked, hall.shop)
    code, _ = await hall.reserved(free, hall.shop)
    async with runtime.database.transaction() as tx:
        await tx.execute(_LOCK, {"person": locked.id})
        outcomes = await asyncio.gather(
            runtime.collections.submit(hall.attempt("k5", stuck)),
            runtime.collections.submit(hall.attempt("k6", code)),
            return_exceptions=True,
        )
    assert isinstance(outcomes[0], LockTimeout)
    assert isinstance(outcomes[1], Replied)
    assert await balance(runtime, locked.id, Purpose.held) == PRICE


async def test_a_hold_that_the_ledger_ended_is_not_collected(hall: Hall) -> None:
    """Somebody else ended it after the deadline; this counter decided just before."""
    runtime, person = hall.runtime, await make_person(hall.runtime)
    code, _ = await hall.reserved(person, hall.shop)
    async with runtime.database.transaction() as tx:
        await posting.lock(tx, [AccountKey(person.id, Purpose.available)], now() + LONG)
    [outcome] = await hall.collect([CollectCommand(hall.shop.staff.id, code)])
    assert isinstance(outcome, RedemptionNotReserved)
    assert outcome.facts["status"] == "expired"
    assert await balance(runtime, person.id) == PRICE


async def test_a_lost_reply_is_given_again(hall: Hall, api: httpx.AsyncClient) -> None:
    """The same key gives the same bytes; an empty batch asks nothing."""
    code, _ = await hall.reserved(await make_person(hall.runtime), hall.shop)
    path, body = "/api/v1/merchant/redemptions/collect", {"pickup_code": code}
    headers = keyed(hall.shop.staff, str(new_id()))
    first = await api.post(path, headers=headers, json=body)
    again = await api.post(path, headers=headers, json=body)
    assert (first.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    other = await api.post(path, headers=keyed(hall.shop.staff), json=body)
    assert_refused(other, 409, "redemptions.not_reserved")
    assert await hall.collect([]) == []


async def _two_collect(hall: Hall) -> CollectedOut | Refusal:
    """Two processes collect one code; the second begins before the first commits.

    Returns what the second is told.
    """
    runtime = hall.runtime
    code, _ = await hall.reserved(await make_person(runtime), hall.shop)
    command = CollectCommand(hall.shop.staff.id, code)
    async with asyncio.TaskGroup() as group, runtime.database.transaction() as tx:
        [first] = await collecting.collect(tx, [command], now())
        other = group.create_task(hall.collect([command]))
        await until_somebody_waits_for(runtime, tx)
    assert isinstance(first, CollectedOut)
    assert await balance(runtime, hall.shop.merchant.id, Purpose.takings) == PRICE
    [second] = other.result()
    return second


async def test_another_process_waits_for_the_row(hall: Hall) -> None:
    second = await _two_collect(hall)
    assert isinstance(second, RedemptionNotReserved)
    assert second.facts["status"] == "collected"


async def test_control_without_the_lock_on_the_row(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the reservation for open. The ledger, the second guard, knows that it was settled.

    Without that too, two are told that they hand it over; the points move once.
    """
    head, found, _ = queries.LOCK_COLLECTABLE.partition("FOR UPDATE OF r")
    assert found
    monkeypatch.setattr(queries, "LOCK_COLLECTABLE", head)
    assert isinstance(await _two_collect(hall), RedemptionNotReserved)
    monkeypatch.setattr(collecting, "_settled", lambda _, outcome: outcome)
    other = replace(hall, shop=await make_counter(hall.runtime))
    assert isinstance(await _two_collect(other), CollectedOut)
