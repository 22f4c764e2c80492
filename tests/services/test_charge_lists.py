"""Charges that stand in one list: the same code twice, the same key twice."""

from dataclasses import dataclass

import pytest

from app.core.clock import now
from app.core.errors import Refusal
from app.runtime import Runtime
from app.schemas.redemptions import ChargeOut
from app.services.idempotency import Attempt, KeyReused, Replied, Reply
from app.services.ledger.types import InsufficientPoints
from app.services.redemptions import charges
from app.services.redemptions.charges import CardCodeUsed, ChargeCommand
from tests.factories.ledger import balance, give_points
from tests.factories.people import TestPerson, make_person
from tests.factories.rewards import Counter, make_card_codes, make_counter


@dataclass(frozen=True)
class Shop:
    """A counter, and a customer with 50 points whose card shows one code."""

    runtime: Runtime
    counter: Counter
    customer: TestPerson
    code: str

    def charge(self, points: int) -> ChargeCommand:
        return ChargeCommand(self.counter.staff.id, self.code, points, "")

    async def charged(self, *points: int) -> list[ChargeOut | Refusal]:
        async with self.runtime.database.transaction() as tx:
            return await charges.charge(tx, [self.charge(one) for one in points], now())

    async def left(self) -> int:
        return await balance(self.runtime, self.customer.id)


@pytest.fixture
async def shop(runtime: Runtime) -> Shop:
    customer = await make_person(runtime)
    await give_points(runtime, customer.id, 50)
    (code,) = await make_card_codes(runtime, customer, 1)
    return Shop(runtime, await make_counter(runtime), customer, code)


async def test_a_code_pays_once_in_a_list(shop: Shop) -> None:
    outcomes = await shop.charged(10, 10, 20)
    assert [type(one) for one in outcomes] == [ChargeOut, CardCodeUsed, CardCodeUsed]
    assert await shop.left() == 40


async def test_a_code_that_did_not_pay_pays_the_next_in_the_list(shop: Shop) -> None:
    outcomes = await shop.charged(900, 10, 10)
    assert [type(one) for one in outcomes] == [InsufficientPoints, ChargeOut, CardCodeUsed]
    assert await shop.left() == 40


def answer_of(outcome: Replied | Refusal) -> str:
    if isinstance(outcome, Replied):
        return "replay" if outcome.is_replay else "new"
    return outcome.code


async def under_one_key(shop: Shop, key: str, *fingerprints: bytes) -> list[str]:
    """Run a list of attempts to charge 10, all with one key and with these bodies."""
    attempts: list[Attempt[ChargeCommand, ChargeOut]] = [
        Attempt(
            key=(shop.counter.staff.id, key),
            fingerprint=one,
            command=shop.charge(10),
            render=lambda _: Reply(201, b"{}"),
        )
        for one in fingerprints
    ]
    async with shop.runtime.database.transaction() as tx:
        outcomes = await charges.charge_once(tx, attempts, now())
    return [answer_of(one) for one in outcomes]


async def test_a_key_has_one_effect_in_a_list(shop: Shop) -> None:
    outcomes = await under_one_key(shop, "k1", b"a", b"b", b"a")
    assert outcomes == ["new", KeyReused.code, "replay"]
    assert await shop.left() == 40


async def test_who_repeats_is_not_told_of_another_in_the_list_who_does_not(shop: Shop) -> None:
    assert await under_one_key(shop, "k2", b"a") == ["new"]
    outcomes = await under_one_key(shop, "k2", b"b", b"a", b"a")
    assert outcomes == [KeyReused.code, "replay", "replay"]
    assert await shop.left() == 40
