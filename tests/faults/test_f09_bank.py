"""F9: clients move points among a hundred accounts while PostgreSQL is killed again and again.

Half of the accounts are people's, half are limited funds: awards and their reversals go between.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.core.clock import now
from app.core.db import Database
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.ids import new_id
from app.embedded import databases
from app.embedded.databases import create_database, renamed
from app.embedded.layout import Engines
from app.embedded.lease import engines
from app.migrations import migrate
from app.models.ledger import Kind, Purpose
from app.queries.ledger import posting as posting_queries
from app.services.ledger import posting, verification
from app.services.ledger.types import AccountKey, Outcome, Posted, Posting
from tests.factories.ledger import award_posting, make_posting
from tests.faults.measured import Measured
from tests.faults.victims import kill, postgres_of

pytestmark = pytest.mark.faults

ACCOUNTS, CLIENTS = 100, 16
SECONDS = 120.0
KILLS = 12
EACH = 100
LONGEST_LIST = 5
CONTROL_S = 5.0
PAUSE_S = 0.05

_SNAPSHOT = text("""
SELECT owner_id, balance FROM ledger_accounts
WHERE owner_id = ANY(CAST(:owners AS uuid[])) AND purpose IN ('available', 'budget') AND unit_id = 1
""")


@dataclass
class Bank:
    """``moved`` is what each account must have gained by what was acknowledged."""

    database: Database
    owner_url: str
    people: list[UUID] = field(default_factory=lambda: [new_id() for _ in range(ACCOUNTS // 2)])
    orgs: list[UUID] = field(default_factory=lambda: [new_id() for _ in range(ACCOUNTS // 2)])
    moved: Counter[UUID] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    snapshots: int = 0
    wrong: list[tuple[int, int]] = field(default_factory=list)  # sum, least

    async def open(self) -> None:
        async with self.database.transaction() as tx:
            await posting.post(tx, [award_posting(one, EACH) for one in self.people], now())
            await posting.post(tx, [_budget(one) for one in self.orgs], now())

    @property
    def owners(self) -> list[UUID]:
        return self.people + self.orgs

    async def client(self, seed: int, until: float) -> None:
        """Move points until the time is over, each list until it is acknowledged."""
        dice = random.Random(seed)
        while time.monotonic() < until:
            wishes = [self._wish(dice) for _ in range(dice.randint(1, LONGEST_LIST))]
            outcomes = await self._insist(partial(self._post, wishes))
            for wish, outcome in zip(wishes, outcomes, strict=True):
                self.outcomes[type(outcome).__name__] += 1
                if isinstance(outcome, Posted):
                    self.moved[wish.payer.owner_id] -= wish.amount
                    self.moved[wish.payee.owner_id] += wish.amount

    async def watch(self, until: float) -> None:
        """Look at one moment after the other."""
        while time.monotonic() < until:
            with suppress(Busy):
                balances = list((await self.balances()).values())
                self.snapshots += 1
                if sum(balances) != ACCOUNTS * EACH or min(balances) < 0:
                    self.wrong.append((sum(balances), min(balances)))

    async def balances(self) -> dict[UUID, int]:
        async with self.database.snapshot() as tx:
            rows = await tx.execute(_SNAPSHOT, {"owners": self.owners})
            return {row.owner_id: row.balance for row in rows}

    async def _post(self, wishes: list[Posting]) -> list[Outcome]:
        async with self.database.transaction() as tx:
            return await posting.post(tx, wishes, now())

    async def _insist(self, work: Callable[[], Awaitable[list[Outcome]]]) -> list[Outcome]:
        while True:
            try:
                return await work()
            except (Busy, Retry):
                self.outcomes["tried again"] += 1
                await asyncio.sleep(PAUSE_S)

    def _wish(self, dice: random.Random) -> Posting:
        fund = AccountKey(dice.choice(self.orgs), Purpose.budget)
        purse = AccountKey(dice.choice(self.people), Purpose.available)
        payer, payee, kind = dice.choice([(fund, purse, Kind.award), (purse, fund, Kind.reversal)])
        amount, ends = dice.randint(1, EACH), now() + timedelta(days=700)
        return make_posting(payer, payee, amount, kind, org=fund.owner_id, expires_at=ends)


def _budget(org: UUID) -> Posting:
    income, fund = AccountKey(org, Purpose.income), AccountKey(org, Purpose.budget)
    return make_posting(income, fund, EACH, Kind.budget, org=org)


@asynccontextmanager
async def bank(found: Engines, name: str) -> AsyncIterator[Bank]:
    """A bank in a database of its own."""
    await create_database(found.admin_database_url, name)
    owner_url = renamed(found.migration_database_url, name)
    await asyncio.to_thread(migrate, owner_url)
    # Half of the connections are for writing.
    database = Database(renamed(found.database_url, name), pool_size=2 * CLIENTS)
    try:
        one = Bank(database, owner_url)
        await one.open()
        yield one
    finally:
        await database.close()


async def test_every_snapshot_sums_to_the_total(tmp_path: Path, measured: Measured) -> None:
    with engines(tmp_path) as found:
        async with bank(found, "bank") as one:
            until = time.monotonic() + SECONDS
            async with asyncio.timeout(SECONDS + 60), asyncio.TaskGroup() as group:
                for seed in range(CLIENTS):
                    group.create_task(one.client(seed, until))
                group.create_task(one.watch(until))
                for _ in range(KILLS):
                    await asyncio.sleep(SECONDS / (KILLS + 1))  # the rhythm of the faults
                    kill(postgres_of(tmp_path))
            balances = await one.balances()
            expected = {owner: EACH + one.moved[owner] for owner in one.owners}
            async with one.database.snapshot() as tx:
                report = await verification.verify(tx)
            posted, refused = (one.outcomes[kind] for kind in ("Posted", "InsufficientPoints"))
            measured("F9", "transfers, refused", f"{posted:,}, {refused:,}")
            measured("F9", "kills, lists tried again", f"{KILLS}, {one.outcomes['tried again']:,}")
            measured("F9", "snapshots, wrong ones", f"{one.snapshots:,}, {len(one.wrong)}")
            assert (one.wrong, balances) == ([], expected)
            assert min(one.snapshots, posted, refused) > 0
            assert report.differences == []


async def test_control_without_the_lock_of_the_accounts(
    tmp_path: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unique numbers, a second guard, are taken away too."""
    unlocked, found_lock, _ = posting_queries.LOCK_ACCOUNTS.partition("FOR UPDATE")
    assert found_lock
    monkeypatch.setattr(posting_queries, "LOCK_ACCOUNTS", unlocked)
    with engines(tmp_path) as found:
        async with bank(found, "unlocked") as one:
            owner = await databases.connect(one.owner_url)
            await owner.execute(
                "DROP INDEX uq_ledger_transfers_from; DROP INDEX uq_ledger_transfers_to"
            )
            await owner.close()
            until = time.monotonic() + CONTROL_S
            async with asyncio.TaskGroup() as group:
                for seed in range(CLIENTS):
                    group.create_task(careless(one, seed, until))
                group.create_task(one.watch(until))
    measured("F9", "control: wrong snapshots without the lock", len(one.wrong))
    assert one.wrong


async def careless(one: Bank, seed: int, until: float) -> None:
    """Go on when a constraint or an assertion stops a list: the sums are wrong all the same."""
    while time.monotonic() < until:
        with suppress(IntegrityError, AssertionError):
            await one.client(seed, until)
