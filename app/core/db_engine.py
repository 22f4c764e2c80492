"""Connections to PostgreSQL: their time-outs, and what happens when one is made or taken."""

import time
from collections.abc import Iterable
from typing import Any

import asyncpg
from asyncpg.protocol import protocol
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# Time-outs in the order in which they expire. PostgreSQL ends the wait for a row lock and a slow
# statement. If the server is frozen, only the client can end the wait.
LOCK_TIMEOUT_MS = 1_500
STATEMENT_TIMEOUT_MS = 1_800
COMMAND_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 1.5
GOODBYE_TIMEOUT_S = 0.1
# A connection is replaced after so many seconds.
RECYCLE_S = 600
# A connection keeps the plans of its prepared statements. A generic plan that was made while the
# tables were small reads whole tables later, so plans are made anew after so many seconds. That
# costs a round trip, and 0.1 to 1 ms for each statement that is used again.
PLANS_S = 10.0

# asyncpg asks of each element of an array whether it is an Iterable, by a method of Python. With
# types instead, the arrays of 16 awards take 0.65 of the time. Nothing else is passed as an array.
assert protocol.IterableABC is Iterable, "asyncpg has changed"
protocol.IterableABC = (list, tuple, set, frozenset, type({}.keys()), type({}.values()))


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is closed within ``GOODBYE_TIMEOUT_S``, even if the server is frozen."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await super().close(timeout=timeout and min(timeout, GOODBYE_TIMEOUT_S))


def make_engine(url: str, size: int, *, patient: bool, read_only: bool = False) -> AsyncEngine:
    """Make a pool of ``size`` connections.

    ``patient``: without time-outs of statements. ``read_only``: PostgreSQL refuses writes.
    """
    # Seals hash timestamps as text (docs/decisions/0017): their format must not depend on the
    # settings of a database.
    settings = {"application_name": "qingxiang", "timezone": "UTC", "datestyle": "ISO, MDY"}
    if not patient:
        settings |= {
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": "10000",
            # Reads are small and many: starting parallel workers costs more than they save.
            "max_parallel_workers_per_gather": "0",
        }
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_recycle=RECYCLE_S,
        hide_parameters=True,  # personal data must not reach a log in the text of an error
        connect_args={
            "connection_class": _Connection,
            "server_settings": settings,
            "timeout": 30 if patient else CONNECT_TIMEOUT_S,
            "command_timeout": None if patient else COMMAND_TIMEOUT_S,
        },
    )
    if read_only:
        event.listen(engine.sync_engine, "connect", _only_reads)
    event.listen(engine.sync_engine, "checkout", _not_hung_up)
    event.listen(engine.sync_engine, "checkout", _plan_anew)
    return engine


def _only_reads(connection: Any, _: object) -> None:
    """Make a new connection read-only.

    Not by a connection parameter: a URL with ``target_session_attrs=read-write`` then rejects
    every server, as none accepts writes.
    """
    connection.run_async(lambda driver: driver.execute("SET default_transaction_read_only = on"))


def _not_hung_up(connection: Any, *_: object) -> None:
    """Replace all connections of the pool when one of them is closed.

    SQLAlchemy does so after an error of its own statements. ``Session.fetch`` bypasses it:
    without this, each connection that a killed server closed would fail one more request.
    """
    if connection.driver_connection.is_closed():
        raise exc.InvalidatePoolError


def _plan_anew(connection: Any, record: Any, _: object) -> None:
    """Discard the plans of a connection that are older than ``PLANS_S``."""
    made_at = record.info.setdefault("planned_at", time.monotonic())
    if time.monotonic() >= made_at + PLANS_S:
        connection.run_async(lambda driver: driver.execute("DISCARD PLANS"))
        record.info["planned_at"] = time.monotonic()
