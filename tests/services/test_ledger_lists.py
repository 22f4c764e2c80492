"""Lists of postings do what a simple model does, whole or not at all."""

import random
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest

from app.core.clock import now
from app.models.ledger import Kind
from app.runtime import Runtime
from app.services.ledger import posting as ledger_posting
from app.services.ledger.types import Posted, Posting
from tests.factories.ledger import (
    assert_ledger_verifies,
    award_posting,
    balance,
    charge_posting,
    give_points,
    refund_posting,
)
from tests.factories.people import make_person


class Undone(Exception):
    pass


class Model:
    """The same world in a few lines: balances, and what was spent and may come back."""

    def __init__(self, people: list[UUID]) -> None:
        self.people = people
        self.balances: dict[UUID, int] = defaultdict(int)
        self.spent: list[Posting] = []
        self.posted: list[Posting] = []

    def expect(self, posting: Posting) -> bool:
        """Tell whether the posting must stand, and take note if so."""
        if posting in self.posted:
            return True
        if posting.kind is Kind.award or posting.kind is Kind.refund:
            self.balances[posting.payee.owner_id] += posting.amount
        elif self.balances[posting.payer.owner_id] < posting.amount:
            return False
        else:
            self.balances[posting.payer.owner_id] -= posting.amount
            self.spent.append(posting)
        self.posted.append(posting)
        return True

    def draw(self, rng: random.Random) -> Posting:
        person, amount = rng.choice(self.people), rng.randint(1, 20)
        match rng.randrange(5):
            case 0 | 1:
                expires = now() + timedelta(days=rng.randint(1, 700))
                return award_posting(person, amount, expires_at=expires)
            case 2 if self.spent:
                return refund_posting(self.spent.pop(rng.randrange(len(self.spent))))
            case 3 if self.posted:
                return rng.choice(self.posted)
            case _:
                return charge_posting(person, amount)


@pytest.mark.parametrize("seed", range(4))
async def test_random_lists_do_what_a_simple_model_does(runtime: Runtime, seed: int) -> None:
    rng = random.Random(seed)
    people = [(await make_person(runtime)).id for _ in range(4)]
    model = Model(people)
    for _ in range(12):
        postings: list[Posting] = []
        expected = []
        for _ in range(rng.randint(1, 25)):
            posting = model.draw(rng)
            postings.append(posting)
            expected.append(model.expect(posting))
        async with runtime.database.transaction() as tx:
            outcomes = await ledger_posting.post(tx, postings, now())
        assert [isinstance(one, Posted) for one in outcomes] == expected
    for person in people:
        assert await balance(runtime, person) == model.balances[person]
    await assert_ledger_verifies(runtime)


async def test_an_empty_list_is_no_statement(runtime: Runtime) -> None:
    async with runtime.database.read() as tx:
        assert await ledger_posting.post(tx, [], now()) == []


async def test_a_list_that_is_rolled_back_leaves_no_number_behind(runtime: Runtime) -> None:
    person = (await make_person(runtime)).id
    await give_points(runtime, person, 5)
    with suppress(Undone):
        async with runtime.database.transaction() as tx:
            await ledger_posting.post(tx, [award_posting(person, 5)], now())
            raise Undone
    async with runtime.database.transaction() as tx:
        (posted,) = await ledger_posting.post(tx, [award_posting(person, 5)], now())
    assert isinstance(posted, Posted)
    assert (posted.to_number, posted.to_balance) == (2, 10)
