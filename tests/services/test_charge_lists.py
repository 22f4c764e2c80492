"""Charges with one code or one key: they run one after the other, never in one list."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.errors import LockTimeout, Refusal
from app.runtime import Runtime
from app.schemas.redemptions import ChargeOut
from app.services import idempotency
from app.services.idempotency import Attempt, KeyInFlight, KeyReused, Replied, Reply
from app.services.ledger.types import InsufficientPoints
from app.services.redemptions import charges
from app.services.redemptions.card_codes import CardCodeUsed
from app.services.redemptions.charges import ChargeCommand
from tests.factories.ledger import balance, give_points
from tests.factories.people import TestPerson, make_person
from tests.factories.rewards import Counter, make_card_codes, make_counter

_LOCK = text("SELECT id FROM ledger_accounts WHERE owner_id = :person FOR UPDATE")
ChargeAttempt = Attempt[ChargeCommand, ChargeOut]


@dataclass(frozen=True)
class Shop:
    """A counter, and a customer with 50 points whose card shows one code."""

    runtime: Runtime
    counter: Counter
    customer: TestPerson
    code: str

    def charge(self, points: int) -> ChargeCommand:
        return ChargeCommand(self.counter.staff.id, self.code, points, "")

    def attempt(self, key: str, fingerprint: bytes, points: int = 10) -> ChargeAttempt:
        return Attempt(
            key=(self.counter.staff.id, key),
            fingerprint=fingerprint,
            command=self.charge(points),
            render=lambda _: Reply(201, b"{}"),
        )

    async def charged(self, *points: int) -> list[ChargeOut | Refusal]:
        """Charge one amount after the other, each in a transaction."""
        outcomes: list[ChargeOut | Refusal] = []
        for one in points:
            async with self.runtime.database.transaction() as tx:
                outcomes += await charges.charge(tx, [self.charge(one)], now())
        return outcomes

    async def at_once(self, *attempts: ChargeAttempt) -> list[str]:
        """Submit attempts to the batcher at the same moment."""
        outcomes = await asyncio.gather(*map(self.runtime.charges.submit, attempts))
        return [answer_of(one) for one in outcomes]

    async def left(self) -> int:
        return await balance(self.runtime, self.customer.id)


@pytest.fixture
async def shop(runtime: Runtime) -> Shop:
    customer = await make_person(runtime)
    await give_points(runtime, customer.id, 50)
    (code,) = await make_card_codes(runtime, customer, 1)
    return Shop(runtime, await make_counter(runtime), customer, code)


def answer_of(outcome: Replied | Refusal) -> str:
    if isinstance(outcome, Replied):
        refusal = outcome.refusal.code if outcome.refusal else "new"
        return "replay" if outcome.is_replay else refusal
    return outcome.code


async def test_a_code_pays_once(shop: Shop) -> None:
    outcomes = await shop.charged(10, 10, 20)
    assert [type(one) for one in outcomes] == [ChargeOut, CardCodeUsed, CardCodeUsed]
    assert await shop.left() == 40


async def test_a_code_that_did_not_pay_pays_the_next(shop: Shop) -> None:
    outcomes = await shop.charged(900, 10, 10)
    assert [type(one) for one in outcomes] == [InsufficientPoints, ChargeOut, CardCodeUsed]
    assert await shop.left() == 40


async def test_charges_with_one_code_at_once_take_turns(shop: Shop) -> None:
    attempts = [shop.attempt(f"turn {points}", b"a", points) for points in (900, 10, 20)]
    outcomes = await shop.at_once(*attempts)
    assert outcomes == [InsufficientPoints.code, "new", CardCodeUsed.code]
    assert await shop.left() == 40


async def test_a_key_has_one_effect_at_once(shop: Shop) -> None:
    attempts = [shop.attempt("k1", one) for one in (b"a", b"b", b"a")]
    assert await shop.at_once(*attempts) == ["new", KeyReused.code, "replay"]
    assert await shop.left() == 40


async def test_who_repeats_is_not_told_of_another_who_does_not(shop: Shop) -> None:
    assert await shop.at_once(shop.attempt("k2", b"a")) == ["new"]
    attempts = [shop.attempt("k2", one) for one in (b"b", b"a", b"a")]
    assert await shop.at_once(*attempts) == [KeyReused.code, "replay", "replay"]
    assert await shop.left() == 40


async def test_a_key_has_one_effect_at_once_with_two_codes(shop: Shop) -> None:
    (other,) = await make_card_codes(shop.runtime, shop.customer, 1)
    attempts = [shop.attempt("k3", b"a"), replace(shop, code=other).attempt("k3", b"a")]
    assert await shop.at_once(*attempts) == ["new", "replay"]
    assert await shop.left() == 40


async def test_a_customer_whose_account_is_locked_is_waited_for_alone(shop: Shop) -> None:
    """The lock is held until all have an answer; the others of the list are paid."""
    runtime, locked = shop.runtime, await make_person(shop.runtime)
    await give_points(runtime, locked.id, 50)
    (code,) = await make_card_codes(runtime, locked, 1)
    async with runtime.database.transaction() as tx:
        await tx.execute(_LOCK, {"person": locked.id})
        outcomes = await asyncio.gather(
            runtime.charges.submit(replace(shop, code=code).attempt("k4", b"a")),
            runtime.charges.submit(shop.attempt("k5", b"a")),
            return_exceptions=True,
        )

    assert isinstance(outcomes[0], LockTimeout)
    assert isinstance(outcomes[1], Replied)
    assert (await shop.left(), await balance(runtime, locked.id)) == (40, 50)


async def test_a_key_that_is_in_flight_is_waited_for_alone(shop: Shop) -> None:
    (other,) = await make_card_codes(shop.runtime, shop.customer, 1)
    in_flight, new = shop.attempt("k6", b"a"), replace(shop, code=other).attempt("k7", b"a")
    async with shop.runtime.database.transaction() as tx:
        await idempotency.claim(tx, in_flight.key, b"a")
        outcomes = await asyncio.gather(
            *map(shop.runtime.charges.submit, (in_flight, new)), return_exceptions=True
        )

    assert isinstance(outcomes[0], KeyInFlight)
    assert isinstance(outcomes[1], Replied)
    assert await shop.left() == 40
