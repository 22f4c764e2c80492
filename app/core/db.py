"""PostgreSQL: connection pools, transactions, and statements on the driver itself.

A request is one transaction, committed before the reply.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

import asyncpg
from sqlalchemy import Executable, Result, event
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    AsyncSessionTransaction,
)
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.orm import Session as OrmSession
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelSession

from app.core import db_engine
from app.core.bulkhead import Bulkhead
from app.core.db_errors import DRIVER_ERRORS, ENGINE_ERRORS, LOST, is_down, is_too_late, translated
from app.core.errors import Busy
from app.core.server_clock import ServerClock

# How long a request waits for a connection. Check-ins of 500 phones at once are done within it.
PATIENCE_S = 10.0
PART_ROWS = 2_000
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


class Row(asyncpg.Record):  # type: ignore[misc]
    """A row of ``Session.fetch``: ``row.name`` is a column, ``**row`` fills a dataclass.

    Columns named ``items``, ``keys``, ``values`` or ``get`` are read as ``row["…"]``.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def is_locking(state: ORMExecuteState) -> bool:
    """Return whether a statement is a select that locks what it reads."""
    return getattr(state.statement, "_for_update_arg", None) is not None


@event.listens_for(OrmSession, "do_orm_execute")
def _read_anew(state: ORMExecuteState) -> None:
    """Let a select that locks fill objects that the session has read before the lock.

    Without it they keep what they had, though others have changed the row since.
    """
    if is_locking(state):
        state.update_execution_options(populate_existing=True)


class Session(SQLModelSession):
    """One transaction.

    ``exec`` runs SQLModel's selects, ``execute`` textual SQL. SQLModel marks ``execute`` as
    deprecated; this class restores SQLAlchemy's, as ``exec`` does not take textual SQL.
    """

    _driver: Any = None
    opened_at = 0.0  # monotonic clock; set for sessions of ``Database.read``
    clock: ServerClock

    async def execute(  # type: ignore[override]
        self, statement: Executable, params: dict[str, Any] | None = None
    ) -> Result[Any]:
        return await AsyncSession.execute(self, statement, params)

    @property
    def is_alive(self) -> bool:
        """Whether the connection is open, as far as the driver knows."""
        return self._driver is None or not self._driver.is_closed()

    @property
    def is_young(self) -> bool:
        """Whether the plans of the connection are not due to be made anew."""
        return time.monotonic() < self.opened_at + db_engine.PLANS_S

    def begin_nested(self) -> AsyncSessionTransaction:
        """Begin a savepoint. SQLAlchemy sends it when it is next asked for the connection."""
        self._driver = None
        return super().begin_nested()

    async def fetch(self, statement: str, params: dict[str, Any]) -> list[Row]:
        """Run a statement with ``:name`` parameters on the driver itself, in this transaction.

        For hot statements: through SQLAlchemy one costs four times as much processor time.
        """
        driver = await self._begun()
        sql, names = numbered(statement)
        rows: list[Row] = await driver.fetch(
            sql, *[params[name] for name in names], record_class=Row
        )
        return rows

    async def fetch_parts(self, statement: str, params: dict[str, Any]) -> AsyncIterator[list[Row]]:
        """Run a statement as ``fetch`` does; yield its rows in parts of ``PART_ROWS``."""
        driver = await self._begun()
        sql, names = numbered(statement)
        cursor = await driver.cursor(sql, *[params[name] for name in names], record_class=Row)
        while rows := await cursor.fetch(PART_ROWS):
            yield rows

    async def _begun(self) -> Any:
        """Return the driver's connection, after a transaction has begun on it."""
        if self._driver is None:
            connection = await (await self.connection()).get_raw_connection()
            adapter: Any = connection.dbapi_connection
            if adapter.isolation_level != "autocommit" and adapter._transaction is None:
                # SQLAlchemy begins a transaction with its own first statement, and commits only
                # a transaction that it began.
                await adapter._start_transaction()
            self._driver = connection.driver_connection
        return self._driver


class ReadPool:
    """Opens sessions for reading, and raises ``Busy`` or ``Retry`` for errors of the engine."""

    def __init__(self, url: str, *, size: int, patient: bool = False) -> None:
        """Make a pool of ``size`` connections.

        ``patient``: without time-outs of statements, for the command line and migrations.
        """
        reader = db_engine.make_engine(url, size, patient=patient, read_only=True)
        # Each statement has its own snapshot in READ COMMITTED too: BEGIN and COMMIT would only
        # be two more round trips.
        self._reader = reader.execution_options(isolation_level="AUTOCOMMIT")
        # Derived from ``reader``: an engine derived from the one above would stay in autocommit.
        self._snapshots = reader.execution_options(isolation_level="REPEATABLE READ")
        self._readers: list[Session] = []  # idle, with their connections
        self.clock: Final = ServerClock()
        self._patience_s = 60 if patient else PATIENCE_S
        self._to_read = Bulkhead(size, self._patience_s)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Session]:
        """Open a session for reading, in autocommit; PostgreSQL refuses writes in it."""
        async with self._entered(self._to_read):
            if self._readers and self._readers[-1].is_alive and self._readers[-1].is_young:
                session = self._readers.pop()
            else:
                await self._close_one_reader()
                session = self._new_session(self._reader)
                session.opened_at = time.monotonic()
            try:
                yield session
            except LOST:
                await session.invalidate()
                raise
            except BaseException:
                await session.close()
                raise
            # Kept open for the next reader: opening one costs more than a query.
            session.expunge_all()
            self._readers.append(session)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        """Open a read-only transaction with one snapshot (REPEATABLE READ)."""
        async with self._entered(self._to_read):
            await self._close_one_reader()
            async with self._session(self._snapshots) as session:
                yield session

    def _new_session(self, engine: AsyncEngine) -> Session:
        session = Session(engine, expire_on_commit=False)
        session.clock = self.clock
        return session

    async def _close_one_reader(self) -> None:
        """Return the connection of an idle reader to the pool, which may have no other."""
        if self._readers:
            reader = self._readers.pop()
            await (reader.close() if reader.is_alive else reader.invalidate())

    @asynccontextmanager
    async def _session(self, engine: AsyncEngine) -> AsyncIterator[Session]:
        async with self._new_session(engine) as session:
            try:
                await session.begin()
                yield session
                await session.commit()
            except LOST:
                # No rollback: it would wait for the same frozen server again.
                await session.invalidate()
                raise

    @asynccontextmanager
    async def _entered(self, bulkhead: Bulkhead) -> AsyncIterator[None]:
        """Wait to be admitted; translate errors of the engine (``db_errors``)."""
        async with bulkhead:
            try:
                yield
            except (*ENGINE_ERRORS, OSError, TimeoutError) as error:
                if is_down(error):
                    self._note_trouble()
                if is_too_late(error):
                    self.clock.forget()
                raise translated(error) from error
            except DRIVER_ERRORS as error:
                self._note_trouble()
                raise Busy(retry_after=1) from error

    def _note_trouble(self) -> None:
        self._to_read.trouble()

    async def close(self) -> None:
        while self._readers:
            await self._close_one_reader()
        await asyncio.shield(self._reader.dispose())


class Database(ReadPool):
    """A pool for reading, and one for transactions that write."""

    def __init__(self, url: str, *, pool_size: int, patient: bool = False) -> None:
        """Make both pools, together ``pool_size`` connections."""
        readers = pool_size // 2
        super().__init__(url, size=readers, patient=patient)
        self.engine: Final[AsyncEngine] = db_engine.make_engine(
            url, pool_size - readers, patient=patient
        )
        self._to_write = Bulkhead(pool_size - readers, self._patience_s)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Open a read-write transaction: commits at the end, rolls back on any exception."""
        async with self._entered(self._to_write), self._session(self.engine) as session:
            yield session

    def _note_trouble(self) -> None:
        self._to_write.trouble()
        super()._note_trouble()

    async def close(self) -> None:
        await super().close()
        await asyncio.shield(self.engine.dispose())


def columns(rows: Sequence[Any]) -> dict[str, tuple[Any, ...]]:
    """Return the columns of one named tuple or more, each by its name, as array parameters."""
    return dict(zip(rows[0]._fields, zip(*rows, strict=True), strict=True))


@lru_cache(maxsize=500)
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Write ``:name`` as ``$1``; return the names in order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _PARAMETER.sub(number, statement), tuple(names)
