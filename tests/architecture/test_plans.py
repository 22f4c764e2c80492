"""Query plans of the most frequent reads: index range scans, no sequential scans.

The statements are captured from the services and explained with the values of the call, and as
the generic plan that a connection uses after five calls.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import Engine, event

from app.embedded.databases import connect, create_database, drop_database, renamed
from app.embedded.layout import Engines
from app.migrations import migrate
from app.runtime import open_runtime
from app.services import orgs
from bench.crowds import CITY, COMMUNITY, DISTRICT, Size, gather, rank
from bench.growth import READS, Read, World
from tests.engines import settings_for

SIZE = Size(people=20_000, entries=4_000, activities=8_000, others=8_000)
# Tables that grow with use. The tree of organisations does not.
GROWING = {
    *("people", "activities", "activity_lists", "signups", "notices", "charges", "redemptions"),
    *("ledger_accounts", "ledger_transfers", "awards", "checkins"),
    *("activity_texts", "activity_words"),
}
# Rows that one read may visit. A page of 20 needs far fewer.
MOST_ROWS = 3_000
BY_NAME = {read.name: read for read in READS}
# Negative control: without the index on the right, the reads on the left must fail.
INDEXES = {
    "passbook: newest page": ("ledger_transfers", "uq_ledger_transfers_to"),
    "statement: which entries a period has": ("ledger_transfers", "uq_ledger_transfers_from"),
    "statement: entries in the middle": ("ledger_transfers", "uq_ledger_transfers_to"),
    "activities: city": ("activity_lists", "pk_activity_lists"),
    "activities: community, category": ("activity_lists", "pk_activity_lists"),
    "activities: city, q in 1 of 50": ("activity_words", "pk_activity_words"),
    "activities: city, q in none": ("activity_words", "pk_activity_words"),
    "activities: city, q in every description": ("activity_texts", "pk_activity_texts"),
    "leaderboard: page and own rank": ("people", "pk_people"),
    "own sign-ups": ("signups", "ix_signups_person"),
    "own notices": ("notices", "ix_notices_person"),
    "merchant's statement": ("charges", "ix_charges_refunded"),
}


@dataclass(frozen=True)
class Statement:
    sql: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Crowd:
    world: World
    owner: Any
    admin: Any


@pytest_asyncio.fixture(scope="module")
async def crowd(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Crowd]:
    found, _ = engines_and_template
    name = f"scratch_{os.getpid()}_plans"
    await create_database(found.admin_database_url, name)
    owner_url = renamed(found.migration_database_url, name)
    await asyncio.to_thread(migrate, owner_url)
    await gather(found.admin_database_url, name, owner_url, SIZE)
    owner = await connect(owner_url)
    admin = await connect(found.admin_database_url, name)
    async with open_runtime(settings_for(found, name, redis_db=8 + worker_number)) as runtime:
        await runtime.redis.flushdb()
        await rank(runtime.redis, SIZE.people)
        async with runtime.database.read() as tx:
            nodes = {c: (await orgs.get_by_code(tx, c)).id for c in (CITY, DISTRICT, COMMUNITY)}
        yield Crowd(World(runtime, SIZE, nodes), owner, admin)
    await owner.close()
    await admin.close()
    await drop_database(found.admin_database_url, name)


async def statements_of(read: Read, world: World) -> list[Statement]:
    """Return the statements of a read, sent through SQLAlchemy and directly to asyncpg."""
    caught: list[Statement] = []

    def catch(_c: Any, _k: Any, sql: str, values: tuple[Any, ...], *_: Any) -> None:
        caught.append(Statement(sql, values))

    def catch_fetch(sent: asyncpg.connection.LoggedQuery) -> None:
        caught.append(Statement(sent.query, tuple(sent.args)))

    async with world.runtime.database.read() as tx:
        connection = await (await tx.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        event.listen(Engine, "before_cursor_execute", catch)
        try:
            with driver.query_logger(catch_fetch):
                assert read.items(await read.ask(world, tx)) >= 0
                await asyncio.sleep(0)  # the logger is called in the next iteration of the loop
        finally:
            event.remove(Engine, "before_cursor_execute", catch)
    assert caught, f"{read.name} sent nothing"
    return caught


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def scans(plan: dict[str, Any]) -> list[str]:
    """Return the growing tables that a plan scans sequentially."""
    return [
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING
    ]


def is_parallel(plan: dict[str, Any]) -> bool:
    return any(node["Node Type"].startswith("Gather") for node in nodes(plan))


def rows_read(plan: dict[str, Any]) -> int:
    """Return the number of rows visited by the leaves of an executed plan, without ``orgs``."""
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(plan)
        if "Plans" not in node
        and "orgs" not in node.get("Relation Name", node.get("Index Name", ""))
    )


async def explained(owner: Any, statement: Statement) -> dict[str, Any]:
    """Execute a statement with its values; return its plan."""
    rows = await owner.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", *statement.values
    )
    plan: dict[str, Any] = json.loads(rows)[0]["Plan"]
    return plan


async def generic(owner: Any, statement: Statement) -> dict[str, Any]:
    """Return the generic plan."""
    await owner.execute("SET plan_cache_mode = force_generic_plan")
    await owner.execute(f"PREPARE hot AS {statement.sql}")
    try:
        values = f"({', '.join(['NULL'] * len(statement.values))})" if statement.values else ""
        rows = await owner.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE hot{values}")
    finally:
        await owner.execute("DEALLOCATE hot")
        await owner.execute("RESET plan_cache_mode")
    plan: dict[str, Any] = json.loads(rows)[0]["Plan"]
    return plan


@asynccontextmanager
async def _rolled_back(owner: Any) -> AsyncIterator[None]:
    transaction = owner.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@contextmanager
def _told(name: str, statement: Statement) -> Iterator[None]:
    """Describe read and statement for the failure message."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"{name}:\n{statement.sql}")
        raise


async def _assert_cheap(owner: Any, name: str, statement: Statement) -> None:
    with _told(name, statement):
        plan = await explained(owner, statement)
        assert scans(plan) == []
        assert not is_parallel(plan), "starting a process takes longer than a page"
        assert rows_read(plan) <= MOST_ROWS
        assert scans(await generic(owner, statement)) == []


async def _assert_all_cheap(owner: Any, name: str, statements: list[Statement]) -> None:
    for statement in statements:
        await _assert_cheap(owner, name, statement)


@pytest.mark.parametrize("name", BY_NAME)
async def test_a_hot_read_is_ranges_of_indexes(crowd: Crowd, name: str) -> None:
    statements = await statements_of(BY_NAME[name], crowd.world)
    await _assert_all_cheap(crowd.owner, name, statements)


@pytest.mark.parametrize("name", BY_NAME)
async def test_a_hot_read_does_not_hang_on_statistics(crowd: Crowd, name: str) -> None:
    """A new database has no statistics until autovacuum runs."""
    statements = await statements_of(BY_NAME[name], crowd.world)
    async with _rolled_back(crowd.admin):
        await crowd.admin.execute(
            "DELETE FROM pg_statistic WHERE starelid IN"
            " (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
        )
        for statement in statements:
            with _told(name, statement):
                assert rows_read(await explained(crowd.admin, statement)) <= MOST_ROWS


@pytest.mark.parametrize("name", INDEXES)
async def test_without_its_index_a_read_would_be_caught(crowd: Crowd, name: str) -> None:
    statements = await statements_of(BY_NAME[name], crowd.world)
    table, index = INDEXES[name]
    async with _rolled_back(crowd.owner):
        if index.startswith("pk_"):
            await crowd.owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {index} CASCADE")
        else:
            await crowd.owner.execute(f"DROP INDEX {index}")
        with pytest.raises(AssertionError):
            await _assert_all_cheap(crowd.owner, name, statements)


async def test_a_table_read_from_end_to_end_would_be_caught(crowd: Crowd) -> None:
    whole = Statement("SELECT sum(length(title)) FROM activities", ())
    with pytest.raises(AssertionError, match="activities"):
        await _assert_cheap(crowd.owner, "whole", whole)


async def test_an_index_read_from_end_to_end_would_be_caught(crowd: Crowd) -> None:
    await crowd.owner.execute("SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0")
    try:
        whole = Statement("SELECT count(activity_id) FROM activity_lists WHERE list >= $1", ("/",))
        assert scans(await explained(crowd.owner, whole)) == []
        with pytest.raises(AssertionError, match=str(MOST_ROWS)):
            await _assert_cheap(crowd.owner, "whole", whole)
    finally:
        await crowd.owner.execute("RESET ALL")
