"""`python -m bench.ledger`: transfers a second through ``posting.post``, against pgbench.

Two processes, a connection each, post lists as the service does: awards from funds to
people, which make lots, and charges from people to merchants, which use them; each with
its number in two passbooks and a business reference. pgbench's TPC-B-like run with eight
clients on the same PostgreSQL, in the same minutes, is the measure.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

from rich.console import Console
from rich.table import Table

from app.core.clock import now
from app.core.db import Database
from app.core.ids import NIL, new_id
from app.embedded import databases
from app.embedded.databases import create_database, renamed
from app.embedded.layout import Engines, postgres_program
from app.migrations import migrate
from app.models.ledger import Kind, Purpose
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, Posted, Posting
from bench.scratch import scratch_engines

PROCESSES = 2
CLIENTS, SCALE = 8, 10
FUNDS, PEOPLE, MERCHANTS = 1_000, 10_000, 1_000
HISTORY = 5_000_000
HISTORY_ACCOUNTS = 1_000_000
PART = 250_000
REFUSED = 0.05
AMOUNT = 3


@dataclass(frozen=True)
class Load:
    """Lists of ``size``; one fund and one merchant if ``hot``; a part of them refused."""

    name: str
    size: int
    hot: bool = False
    refused: float = 0.0


LOADS = (
    *(Load(f"random accounts, lists of {size}", size) for size in (1, 10, 100, 1000)),
    *(Load(f"one hot account, lists of {size}", size, hot=True) for size in (1, 10, 100, 1000)),
    Load("random accounts, lists of 100, 5 % refused", 100, refused=REFUSED),
    Load("one hot account, lists of 100, 5 % refused", 100, hot=True, refused=REFUSED),
)


def owner(kind: str, number: int) -> UUID:
    return uuid5(NIL, f"{kind} {number}")


class Poster:
    """One process's stream of lists: an award list, then the charges of the same people."""

    def __init__(self, load: Load, seed: int) -> None:
        self._load = load
        self._random = random.Random(seed)  # noqa: S311 - which accounts move is no secret
        self._expires_at = now() + timedelta(days=700)
        # People of another process would wait for us, and nobody is in two rushes at once.
        self._people = range(seed, PEOPLE, PROCESSES)

    def lists(self) -> Iterator[list[Posting]]:
        while True:
            people = [self._random.choice(self._people) for _ in range(self._load.size)]
            yield [self._award(person) for person in people]
            yield [self._charge(person) for person in people]

    def _award(self, person: int) -> Posting:
        fund = 0 if self._load.hot else self._random.randrange(FUNDS)
        return self._posting(
            AccountKey(owner("fund", fund), Purpose.fund),
            AccountKey(owner("person", person), Purpose.available),
            Kind.award,
            self._expires_at,
        )

    def _charge(self, person: int) -> Posting:
        if self._random.random() < 2 * self._load.refused:  # of all, awards are never refused
            person = PEOPLE + self._random.randrange(PEOPLE)  # has nothing
        merchant = 0 if self._load.hot else self._random.randrange(MERCHANTS)
        return self._posting(
            AccountKey(owner("person", person), Purpose.available),
            AccountKey(owner("merchant", merchant), Purpose.takings),
            Kind.charge,
            None,
        )

    @staticmethod
    def _posting(
        payer: AccountKey, payee: AccountKey, kind: Kind, expires_at: datetime | None
    ) -> Posting:
        one = new_id()
        return Posting(
            id=one,
            payer=payer,
            payee=payee,
            amount=AMOUNT,
            kind=kind,
            reason="商户消费：咖啡",
            reference=f"{kind}:{one}",
            source_type=kind,
            source_id=one,
            org_id=payer.owner_id,
            expires_at=expires_at,
        )


async def _post(url: str, load: Load, seed: int, seconds: float) -> tuple[int, float]:
    database = Database(url, pool_size=2)
    try:
        lists = Poster(load, seed).lists()
        for _ in range(4):  # connections and plans
            await _post_list(database, next(lists))
        done, started = 0, time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            done += await _post_list(database, next(lists))
    finally:
        await database.close()
    return done, passed


async def _post_list(database: Database, postings: list[Posting]) -> int:
    async with database.transaction() as tx:
        outcomes = await posting.post(tx, postings, now())
    return sum(isinstance(one, Posted) for one in outcomes)


def _process(url: str, load: Load, seed: int, seconds: float) -> float:
    done, passed = asyncio.run(_post(url, load, seed, seconds))
    return done / passed


def rate(pool: ProcessPoolExecutor, url: str, load: Load, seconds: float) -> float:
    """Transfers a second of all processes together; what is refused does not count."""
    runs = [pool.submit(_process, url, load, seed, seconds) for seed in range(PROCESSES)]
    return sum(run.result() for run in runs)


@contextmanager
def empty_ledger(found: Engines, name: str) -> Iterator[str]:
    """A migrated database with the accounts of the loads, all opened; yields its URL."""
    asyncio.run(create_database(found.admin_database_url, name))
    migrate(renamed(found.migration_database_url, name))
    url = renamed(found.database_url, name)
    asyncio.run(_open_accounts(url))
    yield url


async def _open_accounts(url: str) -> None:
    keys = [AccountKey(owner("fund", n), Purpose.fund) for n in range(FUNDS)]
    keys += [AccountKey(owner("merchant", n), Purpose.takings) for n in range(MERCHANTS)]
    keys += [AccountKey(owner("person", n), Purpose.available) for n in range(2 * PEOPLE)]
    database = Database(url, pool_size=2, patient=True)
    for start in range(0, len(keys), 2_000):
        async with database.transaction() as tx:
            await posting.lock(tx, keys[start : start + 2_000], now())
    await database.close()


# Each person of the past got five awards, each fund gave its share: numbers without gaps,
# balances that follow, a lot for each award. $1: awards of each fund, $2: funds.
_ACCOUNTS = """
INSERT INTO ledger_accounts (unit_id, owner_id, purpose, balance, floor, last_number)
SELECT 1, md5('old fund ' || n)::uuid, 'fund', -3 * $1, NULL, $1
FROM generate_series(0, $2::int - 1) n
UNION ALL
SELECT 1, md5('old person ' || n)::uuid, 'available', 15, 0, 5
FROM generate_series(0, $3::int - 1) n
"""
# Owners are found by their names: a numbering of all accounts would be made for each part.
_TRANSFERS = """
WITH made AS (
    INSERT INTO ledger_transfers (id, unit_id, from_account_id, to_account_id, amount,
        from_number, to_number, from_balance, to_balance, kind, reason, reference, source_type,
        source_id, org_id, created_at)
    SELECT uuidv7(age), 1, f.id, p.id, 3, k.n / $2 + 1, k.n % 5 + 1, -3 * (k.n / $2 + 1),
           3 * (k.n % 5 + 1), 'award', '活动参与', 'old:' || k.n, 'award', uuidv7(), f.owner_id,
           now() + age
    FROM generate_series($3::int, $4::int) k(n)
    CROSS JOIN LATERAL (SELECT interval '-400 days' * (1 - k.n::float / $5) AS age) a
    JOIN ledger_accounts f ON f.purpose = 'fund' AND f.last_number = $1
         AND f.owner_id = md5('old fund ' || k.n % $2::int)::uuid
    JOIN ledger_accounts p ON p.purpose = 'available' AND p.last_number = 5
         AND p.owner_id = md5('old person ' || k.n / 5)::uuid
    RETURNING id, to_account_id, org_id
)
INSERT INTO ledger_lots (id, account_id, transfer_id, amount, remaining, expires_at, org_id)
SELECT uuidv7(), to_account_id, id, 3, 3, now() + interval '700 days', org_id FROM made
"""
_INDEXES = """
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid IN ('ledger_transfers'::regclass, 'ledger_lots'::regclass)
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"""


async def add_history(found: Engines, name: str, transfers: int) -> None:
    """Put so many transfers of the past into the ledger (a multiple of 5,000).

    As PostgreSQL's own superuser, past the checks of foreign keys and without indexes until
    the end: with them each transfer of the past takes as long as one of the present.
    """
    connection = await databases.connect(found.admin_database_url, name)
    try:
        await connection.execute("SET session_replication_role = replica")
        each, people = transfers // FUNDS, transfers // 5
        await connection.execute(_ACCOUNTS, each, FUNDS, people)
        await connection.execute("ANALYZE ledger_accounts")
        indexes = await connection.fetch(_INDEXES)
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        for first in range(0, transfers, PART):
            last = min(first + PART, transfers) - 1
            await connection.execute(_TRANSFERS, each, FUNDS, first, last, transfers)
            print(f"\rhistory: {last + 1:,}", end="", file=sys.stderr, flush=True)
        for index in indexes:
            await connection.execute(index["definition"])
        print(file=sys.stderr)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")  # so that none falls into a measurement
    finally:
        await connection.close()


def pgbench(found: Engines, *words: str) -> float:
    """Run pgbench on its own database; return transactions a second."""
    parts = urlsplit(found.admin_database_url)
    query = parse_qs(parts.query)
    program = postgres_program("pgbench")
    environment = os.environ | {"PGHOST": query["host"][0], "PGUSER": str(parts.username)}
    if parts.password:
        environment["PGPASSWORD"] = parts.password
    done = subprocess.run(
        [str(program), *words, "pgbench"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("tps")), "tps = 0")
    return float(line.split()[2])


def measure(options: Namespace) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rates.setdefault(name, []).append(value)
        print(f"{name}: {value:,.0f}", file=sys.stderr)

    with (
        scratch_engines() as (_, found),
        ProcessPoolExecutor(PROCESSES) as pool,
        empty_ledger(found, "small") as small,
        empty_ledger(found, "large") as large,
    ):
        asyncio.run(create_database(found.admin_database_url, "pgbench"))
        pgbench(found, "-i", "-q", "-s", str(SCALE))
        asyncio.run(add_history(found, "small", 10_000))
        asyncio.run(add_history(found, "large", options.history))
        for _ in range(options.rounds):
            seconds = options.seconds
            note("pgbench", pgbench(found, "-n", f"-c{CLIENTS}", "-j2", f"-T{seconds}"))
            for load in LOADS:
                note(load.name, rate(pool, small, load, seconds))
                if load.size == 100 and not load.refused:
                    note(f"{load.name}, long ledger", rate(pool, large, load, seconds))
    return rates


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--history", type=int, default=HISTORY)
    options = parser.parse_args()
    medians = {name: median(values) for name, values in measure(options).items()}
    table = Table("load", "transfers/s", "to pgbench")
    for name, value in medians.items():
        table.add_row(name, f"{value:,.0f}", f"{value / medians['pgbench']:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
