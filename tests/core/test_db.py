"""Readers are kept open between two looks: what that must not change. And snapshots."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from app.core import bulkhead, db, db_engine
from app.core.db import Database, Session
from app.core.db_errors import sqlstate
from app.core.errors import Busy
from app.core.settings import Settings
from app.queries import people
from app.runtime import Runtime
from tests.factories.people import make_person

PID = text("SELECT pg_backend_pid()")


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A database with one reader."""
    assert settings.database_url is not None
    found = Database(settings.database_url, pool_size=2)
    yield found
    await found.close()


async def pid(tx: Session) -> int:
    return int((await tx.execute(PID)).scalar_one())


async def kill(database: Database, victim: int) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": victim})


async def name_of(tx: Session, person: UUID) -> str:
    rows = await tx.fetch("SELECT display_name FROM people WHERE id = :id", {"id": person})
    return str(rows[0].display_name)


async def rename(runtime: Runtime, person: UUID, name: str) -> None:
    async with runtime.database.transaction() as tx:
        await tx.execute(
            text("UPDATE people SET display_name = :name WHERE id = :id"),
            {"name": name, "id": person},
        )


async def look_after(event: Awaitable[None], database: Database) -> None:
    """Look at something when the event has come, by a reader that was there before."""
    async with database.read() as tx:
        await event
        await tx.fetch("SELECT 1 AS one", {})


async def test_a_reader_is_used_again(database: Database) -> None:
    async with database.read() as tx:
        first = await pid(tx)
    async with database.read() as tx:
        assert await pid(tx) == first


async def test_a_reader_remembers_nothing(runtime: Runtime, database: Database) -> None:
    person = await make_person(runtime)
    async with database.read() as tx:
        assert (await people.find(tx, person.id)) is not None
    await rename(runtime, person.id, "新名字")
    async with database.read() as tx:
        found = await people.find(tx, person.id)
    assert found is not None
    assert found.display_name == "新名字"


async def test_a_reader_whose_server_hung_up_is_not_used_again(database: Database) -> None:
    async with database.read() as tx:
        rows = await tx.fetch("SELECT pg_backend_pid() AS pid", {})
    await kill(database, rows[0].pid)
    async with database.read() as tx:
        assert await pid(tx) != rows[0].pid


async def test_a_reader_is_replaced_in_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.read() as tx:
        first = await pid(tx)
    monkeypatch.setattr(db_engine, "PLANS_S", 0)  # or it would be kept out of the pool
    database._reader.sync_engine.pool._recycle = 0
    async with database.read() as tx:
        assert await pid(tx) != first


async def test_a_reader_that_failed_is_not_used_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulkhead, "CLOSED_S", 0)
    async with database.read() as tx:
        first = await pid(tx)
    with pytest.raises(Busy):
        await look_after(kill(database, first), database)
    async with database.read() as tx:
        assert await pid(tx) != first


async def test_a_snapshot_takes_the_place_of_a_kept_reader(database: Database) -> None:
    """There is one place, and the reader that waits in it must give it up."""
    async with database.read() as tx:
        first = await pid(tx)
    async with database.snapshot() as tx:
        assert await pid(tx) == first
    async with database.read() as tx:
        assert await pid(tx) == first


async def test_a_long_result_comes_in_parts_and_leaves_the_connection_free(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "PART_ROWS", 4)
    numbers = "SELECT n FROM generate_series(1, CAST(:most AS int)) n"
    parts = []
    async with database.snapshot() as tx:
        async for rows in tx.fetch_parts(numbers, {"most": 10}):
            parts.append([row.n for row in rows])
            assert await pid(tx) > 0
    assert parts == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


async def test_a_snapshot_sees_one_moment_and_a_reader_does_not(
    runtime: Runtime, database: Database
) -> None:
    person = (await make_person(runtime)).id
    await rename(runtime, person, "早")
    async with database.read() as tx:
        assert await name_of(tx, person) == "早"
        await rename(runtime, person, "中")
        assert await name_of(tx, person) == "中"
    async with database.snapshot() as tx:
        assert await name_of(tx, person) == "中"
        await rename(runtime, person, "晚")
        assert await name_of(tx, person) == "中"


@pytest.mark.parametrize("kind", ["read", "snapshot"])
async def test_who_only_looks_cannot_write(database: Database, runtime: Runtime, kind: str) -> None:
    person = await make_person(runtime)
    with pytest.raises(Busy) as refused:
        await _suspend_card(getattr(database, kind), person.id)
    assert sqlstate(refused.value) == "25006"  # read_only_sql_transaction


async def _suspend_card(
    opened: Callable[[], AbstractAsyncContextManager[Session]], person: UUID
) -> None:
    async with opened() as tx:
        await tx.fetch(
            "UPDATE cards SET status = 'suspended' WHERE person_id = :id", {"id": person}
        )


async def test_a_connection_that_the_driver_cannot_use_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose server was killed in the middle of an operation may seem open."""
    monkeypatch.setattr(bulkhead, "CLOSED_S", 0)
    async with database.read() as tx:
        first = await pid(tx)
    with pytest.raises(Busy):
        async with database.read():
            raise asyncpg.InternalClientError
    async with database.read() as tx:
        assert await pid(tx) != first


async def test_dead_connections_are_replaced_before_anybody_meets_them(
    settings: Settings, runtime: Runtime
) -> None:
    """A killed server leaves a pool full of them, and each might be found much later."""
    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=8)
    try:
        pids = await asyncio.gather(*(_hold(database) for _ in range(4)))
        assert len(set(pids)) == 4
        for one in pids:
            await kill(runtime.database, one)
        again = await asyncio.gather(*(_hold(database) for _ in range(4)))
        assert not set(again) & set(pids)
    finally:
        await database.close()


async def _hold(database: Database) -> int:
    """Use a connection of the pool for a moment in which others need theirs."""
    async with database.transaction() as tx:
        mine = await pid(tx)
        await tx.fetch("SELECT pg_sleep(0.1)", {})
        return mine


async def test_a_savepoint_undoes_what_was_fetched_in_it_and_nothing_else(runtime: Runtime) -> None:
    """On the driver itself too, which does not know of SQLAlchemy's savepoints."""
    person = (await make_person(runtime)).id
    rename_it = "UPDATE people SET display_name = :name WHERE id = :id"
    async with runtime.database.transaction() as tx:
        await tx.fetch(rename_it, {"name": "甲", "id": person})
        savepoint = await tx.begin_nested()
        await tx.fetch(rename_it, {"name": "乙", "id": person})
        await savepoint.rollback()
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            async with tx.begin_nested():
                await tx.fetch("SELECT CAST('x' AS int)", {})
        assert await name_of(tx, person) == "甲"
    async with runtime.database.read() as tx:
        assert await name_of(tx, person) == "甲"
