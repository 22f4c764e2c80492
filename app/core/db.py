"""PostgreSQL: one engine a process; a request is one transaction, committed before the reply."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

import asyncpg
from sqlalchemy import Executable, Result, event, exc
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelSession

from app.core.bulkhead import Bulkhead
from app.core.db_errors import ENGINE_ERRORS, LOST, is_down, translated
from app.core.errors import Busy

# Milliseconds and seconds, in the order in which they strike: a row lock that is not
# free, a statement that is too slow, a server that is frozen (only the client notices).
LOCK_TIMEOUT_MS = 1_500
STATEMENT_TIMEOUT_MS = 1_800
COMMAND_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 1.5
GOODBYE_TIMEOUT_S = 0.1
# How long a request queues for a connection: a hall of 500 phones is worked off in that time.
PATIENCE_S = 10.0
# A plan made while the tables were empty stays bad: connections are replaced in turn.
RECYCLE_S = 600
PART_ROWS = 2_000
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection whose polite closing is short: a server that froze says no goodbye."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await super().close(timeout=timeout and min(timeout, GOODBYE_TIMEOUT_S))


class Row(asyncpg.Record):  # type: ignore[misc]
    """A row of ``Session.fetch``: columns by name, ``**row`` for a dataclass.

    A column called ``items``, ``keys``, ``values`` or ``get`` must be asked for as ``row["…"]``.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Session(SQLModelSession):
    """One transaction, as queries and services see it.

    ``exec`` takes SQLModel's selects. SQLModel deprecates ``execute`` for them; textual
    SQL has no other way, so here it stays what SQLAlchemy made it.
    """

    _driver: Any = None
    opened_at = 0.0  # on the monotonic clock; of a reader

    async def execute(  # type: ignore[override]
        self, statement: Executable, params: dict[str, Any] | None = None
    ) -> Result[Any]:
        return await AsyncSession.execute(self, statement, params)

    @property
    def is_alive(self) -> bool:
        """Whether the server has not hung up, as far as is known."""
        return self._driver is None or not self._driver.is_closed()

    @property
    def is_young(self) -> bool:
        """Whether its connection need not be replaced yet."""
        return time.monotonic() < self.opened_at + RECYCLE_S

    async def fetch(self, statement: str, params: dict[str, Any]) -> list[Row]:
        """Run a statement with ``:name`` parameters on the driver itself, in this transaction.

        For what a crowd causes: SQLAlchemy's way costs four times as much for a statement.
        """
        driver = await self._begun()
        sql, names = numbered(statement)
        rows: list[Row] = await driver.fetch(
            sql, *[params[name] for name in names], record_class=Row
        )
        return rows

    async def fetch_parts(self, statement: str, params: dict[str, Any]) -> AsyncIterator[list[Row]]:
        """Run a statement as ``fetch`` does, and hand out its rows in parts, however many."""
        driver = await self._begun()
        sql, names = numbered(statement)
        cursor = await driver.cursor(sql, *[params[name] for name in names], record_class=Row)
        while rows := await cursor.fetch(PART_ROWS):
            yield rows

    async def _begun(self) -> Any:
        """Return the driver's connection, in a transaction."""
        if self._driver is None:
            connection = await (await self.connection()).get_raw_connection()
            adapter: Any = connection.dbapi_connection
            if adapter.isolation_level != "autocommit" and adapter._transaction is None:
                # SQLAlchemy begins with its first statement, and commits only what it began.
                await adapter._start_transaction()
            self._driver = connection.driver_connection
        return self._driver


class Database:
    """Hands out transactions and turns engine trouble into ``Busy`` or ``Retry``."""

    def __init__(self, url: str, *, pool_size: int, patient: bool = False) -> None:
        """Make a pool for writing and one for reading, together ``pool_size`` connections.

        ``patient`` is for the command line and migrations: no statement time-outs.
        """
        readers = pool_size // 2
        self.engine: Final[AsyncEngine] = _engine(url, pool_size - readers, patient)
        # PostgreSQL itself refuses to write here.
        reader = _engine(url, readers, patient)
        event.listen(reader.sync_engine, "connect", _only_reads)
        for engine in (self.engine, reader):
            event.listen(engine.sync_engine, "checkout", _not_hung_up)
        # Each look sees its own snapshot anyway: BEGIN and COMMIT would be two round trips more.
        self._reader = reader.execution_options(isolation_level="AUTOCOMMIT")
        # Not made of the engine above: the first level that was asked for would stay.
        self._snapshots = reader.execution_options(isolation_level="REPEATABLE READ")
        self._readers: list[Session] = []  # that nobody uses now
        patience = 60 if patient else PATIENCE_S
        self._to_write = Bulkhead(pool_size - readers, patience)
        self._to_read = Bulkhead(readers, patience)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A read-write transaction: commits at the end, rolls back on any exception."""
        async with self._entered(self._to_write), self._session(self.engine) as session:
            yield session

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Session]:
        """For looking only: PostgreSQL itself refuses a write in it."""
        async with self._entered(self._to_read):
            if self._readers and self._readers[-1].is_alive and self._readers[-1].is_young:
                session = self._readers.pop()
            else:
                await self._close_one_reader()
                session = Session(self._reader, expire_on_commit=False)
                session.opened_at = time.monotonic()
            try:
                yield session
            except LOST:
                await session.invalidate()
                raise
            except BaseException:
                await session.close()
                raise
            # Kept open: there is nothing to commit, and to begin costs more than a query.
            session.expunge_all()
            self._readers.append(session)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        """A READ ONLY transaction that sees one moment however long it takes."""
        async with self._entered(self._to_read):
            await self._close_one_reader()
            async with self._session(self._snapshots) as session:
                yield session

    async def _close_one_reader(self) -> None:
        """Give a reader's connection back to the pool, so that there is one to take."""
        if self._readers:
            reader = self._readers.pop()
            await (reader.close() if reader.is_alive else reader.invalidate())

    @asynccontextmanager
    async def _session(self, engine: AsyncEngine) -> AsyncIterator[Session]:
        async with Session(engine, expire_on_commit=False) as session:
            try:
                await session.begin()
                yield session
                await session.commit()
            except LOST:
                # A rollback would wait for the same frozen server once more.
                await session.invalidate()
                raise

    @asynccontextmanager
    async def _entered(self, bulkhead: Bulkhead) -> AsyncIterator[None]:
        """Wait for a place at the engine; turn its trouble into what the callers know."""
        async with bulkhead:
            try:
                yield
            except (*ENGINE_ERRORS, OSError, TimeoutError) as error:
                if is_down(error):
                    self._note_trouble()
                raise translated(error) from error
            except asyncpg.InterfaceError as error:
                self._note_trouble()
                raise Busy(retry_after=1) from error

    def _note_trouble(self) -> None:
        self._to_write.trouble()
        self._to_read.trouble()

    async def close(self) -> None:
        while self._readers:
            await self._close_one_reader()
        await asyncio.shield(self.engine.dispose())
        await asyncio.shield(self._reader.dispose())


def _only_reads(connection: Any, _: object) -> None:
    """Keep a new connection read-only.

    Not a parameter of connecting: a URL that asks for ``target_session_attrs=read-write``
    would find no server that is.
    """
    connection.run_async(lambda driver: driver.execute("SET default_transaction_read_only = on"))


def _not_hung_up(connection: Any, *_: object) -> None:
    """Replace the whole pool when one of its connections turns out to be dead.

    ``fetch`` goes past SQLAlchemy, which would see to it: else each dead connection that a
    killed server leaves behind would be found by a request of its own, perhaps much later.
    """
    if connection.driver_connection.is_closed():
        raise exc.InvalidatePoolError


def _engine(url: str, size: int, patient: bool) -> AsyncEngine:
    # How a moment is written is part of what is sealed, so a database cannot choose it.
    settings = {"application_name": "qingxiang", "timezone": "UTC", "datestyle": "ISO, MDY"}
    if not patient:
        settings |= {
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": "10000",
            # A crowd's small reads: helpers would cost more than they bring.
            "max_parallel_workers_per_gather": "0",
        }
    return create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_recycle=RECYCLE_S,
        hide_parameters=True,  # an error's text must not carry personal data into a log
        connect_args={
            "connection_class": _Connection,
            "server_settings": settings,
            "timeout": 30 if patient else CONNECT_TIMEOUT_S,
            "command_timeout": None if patient else COMMAND_TIMEOUT_S,
        },
    )


@lru_cache(maxsize=500)
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Write ``:name`` as ``$1``; return the names in order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _PARAMETER.sub(number, statement), tuple(names)
