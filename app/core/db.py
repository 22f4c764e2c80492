"""PostgreSQL: one engine a process; a request is one transaction, committed before the reply."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import Executable, Result, exc
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelSession

from app.core.errors import Busy

# Milliseconds and seconds, in the order in which they strike: a row lock that is not
# free, a statement that is too slow, a server that is frozen (only the client notices).
LOCK_TIMEOUT_MS = 1_500
STATEMENT_TIMEOUT_MS = 2_000
COMMAND_TIMEOUT_S = 2.5
CONNECT_TIMEOUT_S = 1.5
# How long a request queues for a connection: a hall of 500 phones is worked off in that time.
POOL_TIMEOUT_S = 10.0
# A plan made while the tables were empty stays bad: connections are replaced in turn.
RECYCLE_S = 600


class Session(SQLModelSession):
    """One transaction, as queries and services see it.

    ``exec`` takes SQLModel's selects. SQLModel deprecates ``execute`` for them; textual
    SQL has no other way, so here it stays what SQLAlchemy made it.
    """

    async def execute(  # type: ignore[override]
        self, statement: Executable, params: dict[str, Any] | None = None
    ) -> Result[Any]:
        return await AsyncSession.execute(self, statement, params)


_DEADLOCK_OR_SERIALIZATION = {"40P01", "40001"}
_TIMED_OUT = {"55P03", "57014"}  # lock_not_available, query_canceled
_GONE = {"57P01", "57P02", "57P03", "53300", "53100", "53200", "58030", "25006"}


class Retry(Exception):
    """A deadlock or serialization failure: the whole transaction may simply run again."""


class Database:
    """Hands out transactions and turns engine trouble into ``Busy`` or ``Retry``."""

    def __init__(self, url: str, *, pool_size: int, patient: bool = False) -> None:
        """``patient`` is for the command line and migrations: no statement time-outs."""
        settings = {"application_name": "qingxiang", "timezone": "UTC"}
        if not patient:
            settings |= {
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": "10000",
            }
        self.engine: Final[AsyncEngine] = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=60 if patient else POOL_TIMEOUT_S,
            pool_recycle=RECYCLE_S,
            hide_parameters=True,  # an error's text must not carry personal data into a log
            connect_args={
                "server_settings": settings,
                "timeout": 30 if patient else CONNECT_TIMEOUT_S,
                "command_timeout": None if patient else COMMAND_TIMEOUT_S,
            },
        )
        self._reader = self.engine.execution_options(postgresql_readonly=True)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A read-write transaction: commits at the end, rolls back on any exception."""
        async with self._session(self.engine) as session:
            yield session

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Session]:
        """A READ ONLY transaction: PostgreSQL itself refuses a write in it."""
        async with self._session(self._reader) as session:
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        """A READ ONLY transaction that sees one moment however long it takes."""
        engine = self._reader.execution_options(isolation_level="REPEATABLE READ")
        async with self._session(engine) as session:
            yield session

    @asynccontextmanager
    async def _session(self, engine: AsyncEngine) -> AsyncIterator[Session]:
        try:
            async with (
                Session(engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session
        except (exc.SQLAlchemyError, asyncpg.PostgresError, OSError, TimeoutError) as error:
            raise _translated(error) from error
        except asyncpg.InterfaceError as error:
            raise Busy(retry_after=1) from error

    async def close(self) -> None:
        await asyncio.shield(self.engine.dispose())


def sqlstate(error: BaseException) -> str | None:
    """Find PostgreSQL's error code in whatever wraps it."""
    seen: BaseException | None = error
    while seen is not None:
        code = getattr(seen, "sqlstate", None)
        if isinstance(code, str):
            return code
        seen = getattr(seen, "orig", None) or seen.__cause__
    return None


def _translated(error: Exception) -> Exception:
    code = sqlstate(error)
    if code in _DEADLOCK_OR_SERIALIZATION:
        return Retry(code)
    if code in _TIMED_OUT or code in _GONE or (code or "").startswith("08"):
        return Busy(retry_after=1)
    lost = isinstance(error, (OSError, TimeoutError, exc.TimeoutError, exc.InterfaceError))
    if lost or getattr(error, "connection_invalidated", False):
        return Busy(retry_after=1)
    return error
