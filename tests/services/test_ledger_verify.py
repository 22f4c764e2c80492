"""What is posted verifies; what somebody tampers with does not."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.clock import now
from app.core.embedded import Engines
from app.core.embedded.databases import connect
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.runtime import Runtime
from app.services import ledger
from app.services.ledger import AccountKey, Posted, Posting, Report
from tests.conftest import ScratchFactory
from tests.factories.ledger import (
    SOME_ORG,
    assert_ledger_verifies,
    award_posting,
    balance,
    give_points,
)
from tests.factories.people import make_person

TAKINGS = AccountKey(UUID(int=9), Purpose.takings)


def spending(person: UUID, amount: int) -> Posting:
    transfer = new_id()
    return Posting(
        id=transfer,
        payer=AccountKey(person, Purpose.available),
        payee=TAKINGS,
        amount=amount,
        kind=Kind.charge,
        reason="测试消费",
        reference=f"test:{transfer}",
        source_type="test",
        source_id=transfer,
        org_id=SOME_ORG,
    )


def refund_of(spent: Posting) -> Posting:
    transfer = new_id()
    return Posting(
        id=transfer,
        payer=TAKINGS,
        payee=spent.payer,
        amount=spent.amount,
        kind=Kind.refund,
        reason="测试退款",
        reference=f"refund:{spent.id}",
        source_type="test",
        source_id=spent.id,
        org_id=SOME_ORG,
        closes_id=spent.id,
    )


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
                return refund_of(self.spent.pop(rng.randrange(len(self.spent))))
            case 3 if self.posted:
                return rng.choice(self.posted)
            case _:
                return spending(person, amount)


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
            outcomes = await ledger.post(tx, postings, now())
        assert [isinstance(one, Posted) for one in outcomes] == expected
    for person in people:
        assert await balance(runtime, person) == model.balances[person]
    await assert_ledger_verifies(runtime)


async def test_an_empty_list_is_no_statement(runtime: Runtime) -> None:
    async with runtime.database.read() as tx:
        assert await ledger.post(tx, [], now()) == []


async def test_a_list_that_is_rolled_back_leaves_no_number_behind(runtime: Runtime) -> None:
    person = (await make_person(runtime)).id
    await give_points(runtime, person, 5)
    with suppress(Undone):
        async with runtime.database.transaction() as tx:
            await ledger.post(tx, [award_posting(person, 5)], now())
            raise Undone
    async with runtime.database.transaction() as tx:
        (posted,) = await ledger.post(tx, [award_posting(person, 5)], now())
    assert isinstance(posted, Posted)
    assert (posted.to_number, posted.to_balance) == (2, 10)


@pytest.fixture
async def tampered(scratch: ScratchFactory) -> AsyncIterator[FastAPI]:
    async with scratch() as application:
        yield application


async def verified(runtime: Runtime) -> Report:
    """Verify on two connections, as the command does."""
    async with runtime.database.snapshot() as tx, runtime.database.snapshot() as beside:
        return await ledger.verify(tx, beside=beside)


async def plant(found: Engines, runtime: Runtime, damage: str) -> None:
    """Damage the ledger as only a superuser can, past every CHECK."""
    database = str(runtime.settings.database_url).split("/")[3].split("?")[0]
    admin = await connect(found.admin_database_url, database)
    await admin.execute(damage)
    await admin.close()


DAMAGE = {
    "a balance that grew": (
        "UPDATE ledger_accounts SET balance = balance + 1 WHERE id = {account}",
        {"accounts: the balance is the sum", "units: all balances", "lots: what is left sums"},
    ),
    "a transfer that vanished": (
        "DELETE FROM ledger_transfers WHERE id = '{transfer}'",
        {"accounts: the balance is the sum", "accounts: transfers are numbered"},
    ),
    "an amount that changed": (
        "UPDATE ledger_transfers SET amount = amount + 1 WHERE id = '{transfer}'",
        {"accounts: the balance is the sum", "transfers: the balance after", "lot uses"},
    ),
    "a lot that is fuller": (
        "UPDATE ledger_lots SET amount = 13, remaining = 9 WHERE account_id = {account}",
        {"lots: what is left sums", "lots: each comes", "lot uses"},
    ),
    "a lot that vanished": (
        "DELETE FROM ledger_lots WHERE account_id = {account}",
        {"lots: what is left sums", "lot uses: each names"},
    ),
    "a use that vanished": (
        "DELETE FROM ledger_lot_uses USING ledger_lots WHERE id=lot_id AND account_id={account}",
        {"lots: what is left is", "lot uses: what a transfer"},
    ),
    "a number that is skipped": (
        "UPDATE ledger_transfers SET to_number = 99 WHERE id = '{transfer}'",
        {"accounts: transfers are numbered"},
    ),
    "a last number that lags": (
        "UPDATE ledger_accounts SET last_number = last_number - 1 WHERE id = {account}",
        {"accounts: transfers are numbered"},
    ),
    "a recorded balance that lies": (
        "UPDATE ledger_transfers SET to_balance = to_balance + 1 WHERE id = '{transfer}'",
        {"transfers: the balance after"},
    ),
    "a transfer of another unit": (
        "UPDATE ledger_transfers SET unit_id = 2 WHERE id = '{transfer}'",
        {"transfers: both accounts exist"},
    ),
    "an account that vanished": (
        "DELETE FROM ledger_accounts WHERE id = {account}",
        {"transfers: both accounts exist", "units: all balances"},
    ),
}


@pytest.mark.parametrize(("damage", "checks"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_found_and_placed(
    engines_and_template: tuple[Engines, str],
    tampered: FastAPI,
    damage: str,
    checks: set[str],
) -> None:
    runtime: Runtime = tampered.state.runtime
    person = uuid4()
    transfer = await give_points(runtime, person, 10)
    async with runtime.database.transaction() as tx:
        locked = await ledger.lock(tx, [AccountKey(person, Purpose.available)])
        await ledger.post(tx, [spending(person, 4)], now())
    account = locked[AccountKey(person, Purpose.available)].id
    assert (await verified(runtime)).holds

    await plant(engines_and_template[0], runtime, damage.format(account=account, transfer=transfer))

    report = await verified(runtime)
    assert not report.holds
    found = {one.check for one in report.differences}
    for check in checks:
        assert any(name.startswith(check) for name in found), (check, found)
    subjects = " ".join(one.subject for one in report.differences)
    assert f"account {account}" in subjects or str(transfer) in subjects or "lot " in subjects
    assert all(one.expected != one.found for one in report.differences)


async def test_two_connections_see_one_moment(
    engines_and_template: tuple[Engines, str], tampered: FastAPI
) -> None:
    """What happens after the first one has looked, the second one does not see."""
    runtime: Runtime = tampered.state.runtime
    await give_points(runtime, uuid4(), 10)
    async with runtime.database.snapshot() as tx, runtime.database.snapshot() as beside:
        await tx.execute(text("SELECT 1"))
        everywhere = "DELETE FROM ledger_lots; UPDATE ledger_accounts SET balance = balance + 1"
        await plant(engines_and_template[0], runtime, everywhere)
        report = await ledger.verify(tx, beside=beside)
    assert report.holds, report.differences
    assert not (await verified(runtime)).holds


async def test_a_report_counts_what_it_read(runtime: Runtime) -> None:
    await give_points(runtime, uuid4(), 10)
    report = await verified(runtime)
    assert report.rows.keys() == {"accounts", "transfers", "lots", "lot_uses"}
    assert report.rows["transfers"] >= 1
    assert report.checks == 13
