"""Replicas: which server is read. F15 has real ones; here are those that must not be used."""

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.core import replicas as module
from app.core.db import Database, ReadPool
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.replicas import Notes, Position, Replicas
from app.core.settings import Settings

LAG_S = 5.0
# A port on which nobody listens: refused at once.
NOWHERE = "postgresql+asyncpg://qx_app@127.0.0.1:1/qingxiang"
HERE, ELSEWHERE = (7, 1), (7, 2)


@pytest.fixture
def url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    found = Database(url, pool_size=2)
    yield found
    await found.close()


@pytest.fixture
async def replicas(database: Database, url: str) -> AsyncIterator[Replicas]:
    """Two that nobody can reach."""
    found = Replicas(database, url, [NOWHERE, NOWHERE], size=1, lag_s=LAG_S)
    yield found
    await found.close()


def refresh(replicas: Replicas, *, age_s: float = 0) -> None:
    """Let the replicas count as measured so many seconds ago."""
    for replica in replicas.each:
        replica._as_of = time.monotonic() - age_s


def test_a_position_is_as_recent_as_the_last_note_that_it_has_reached() -> None:
    notes = Notes(keep_s=10)
    for at, lsn in ((1.0, 100), (2.0, 100), (3.0, 200)):
        notes.add(at, Position(HERE, lsn))
    assert [notes.reached(Position(HERE, lsn)) for lsn in (99, 100, 199, 200, 900)] == [
        *(None, 2.0, 2.0, 3.0, 3.0)
    ]


def test_old_notes_are_forgotten() -> None:
    notes = Notes(keep_s=10)
    for at in (1.0, 5.0, 12.0):
        notes.add(at, Position(HERE, int(at)))
    assert [notes.reached(Position(HERE, lsn)) for lsn in (4, 5, 12)] == [None, 5.0, 12.0]


def test_positions_of_another_history_say_nothing() -> None:
    """After a promotion numbers go on from where the new timeline begins."""
    notes = Notes(keep_s=10)
    notes.add(1.0, Position(HERE, 100))
    assert notes.reached(Position(ELSEWHERE, 900)) is None
    notes.add(2.0, Position(ELSEWHERE, 50))
    found = [notes.reached(Position(history, 900)) for history in (HERE, ELSEWHERE)]
    assert found == [1.0, 2.0]


async def test_without_replicas_nothing_is_measured(
    database: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "_repeat", never)
    replicas = Replicas(database, url, [], size=1, lag_s=LAG_S)
    async with replicas.watched():
        await replicas.settle()
        assert replicas.source() is database
    await replicas.close()


async def test_the_primary_itself_is_no_replica(database: Database, url: str) -> None:
    """A standby that was promoted is one, and follows nobody."""
    replicas = Replicas(database, url, [url], size=1, lag_s=LAG_S)
    await replicas._note(database)
    refresh(replicas)
    await replicas.each[0].look(replicas._notes)
    assert replicas._notes._noted
    assert replicas.source() is database
    await replicas.close()


async def test_one_that_does_not_answer_rests(replicas: Replicas, database: Database) -> None:
    refresh(replicas)
    await replicas.each[0].look(Notes(LAG_S))
    assert replicas.each[0].staleness_s is None
    assert {replicas.source() for _ in range(4)} == {replicas.each[1]}
    await replicas.each[1].look(Notes(LAG_S))
    assert replicas.source() is database


async def test_fresh_ones_take_turns(replicas: Replicas) -> None:
    refresh(replicas)
    first, second = replicas.each
    assert {replicas.source(), replicas.source()} == {first, second}


async def test_one_beyond_the_bound_is_not_read(replicas: Replicas, database: Database) -> None:
    [replica, _] = replicas.each
    refresh(replicas, age_s=LAG_S + 1)
    assert replicas.source() is database
    with pytest.raises(Retry):
        async with replica.read():
            raise AssertionError


async def one(pool: ReadPool) -> int:
    async with pool.read() as tx:
        [row] = await tx.fetch("SELECT 1 AS one", {})
    return int(row.one)


async def test_what_a_replica_fails_to_read_is_read_from_the_primary(replicas: Replicas) -> None:
    refresh(replicas)
    assert await replicas.run(one) == 1
    for replica in replicas.each:
        replica._to_read._closed_until = 0
    assert [replica.is_fresh for replica in replicas.each].count(False) == 1, "it rests"


async def test_while_its_bulkhead_is_closed_the_primary_serves(
    replicas: Replicas, database: Database
) -> None:
    refresh(replicas)
    for replica in replicas.each:
        replica._to_read.trouble()
    assert replicas.source() is database


async def test_an_overloaded_replica_does_not_send_its_load_to_the_primary(
    replicas: Replicas,
) -> None:
    asked: list[ReadPool] = []

    async def slow(pool: ReadPool) -> None:
        asked.append(pool)
        async with pool.read():
            raise asyncpg.QueryCanceledError  # by the time-out of statements

    refresh(replicas)
    with pytest.raises(Busy):
        await replicas.run(slow)
    assert len(asked) == 1
    assert all(replica.is_fresh for replica in replicas.each)


async def test_who_has_just_written_reads_the_primary(
    replicas: Replicas, database: Database
) -> None:
    async def itself(pool: ReadPool) -> ReadPool:
        return pool

    refresh(replicas)
    assert await replicas.run(itself, from_primary=True) is database
