"""The service with one guard taken out, for negative controls: never a switch inside app/.

Each function is an application factory for uvicorn. ``flawed`` serves one of them on the
engines of a running service, beside it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from app.core.db import Database, Session
from app.core.redis_urls import Node
from app.main import create_app
from bench.service import Service, running
from tests.faults.server import free_port

LATE_S = 0.5
_later: set["asyncio.Task[Any]"] = set()


@contextmanager
def flawed(one: Service, flaw: str, *, workers: int = 1, **environment: str) -> Iterator[Service]:
    """Serve the flawed application on the engines of ``one``."""
    settings, port = one.settings, free_port()
    assert settings.database_url is not None
    assert settings.redis_url is not None
    variables = {
        "QX_DATA_DIR": str(settings.data_dir),
        "QX_DATABASE_URL": settings.database_url,
        "QX_REDIS_URL": settings.redis_url,
        "QX_LOG_FORMAT": "json",
        **environment,
    }
    command = [
        *(sys.executable, "-m", "uvicorn", f"tests.faults.flaws:{flaw}", "--factory"),
        *("--port", str(port), "--workers", str(workers), "--no-access-log"),
    ]
    url = f"http://127.0.0.1:{port}"
    with running(command, variables, settings.data_dir / f"{flaw}.log", f"{url}/readyz") as process:
        yield Service(url, settings, process)


def reply_before_commit() -> FastAPI:
    """Answer first and commit half a second later."""
    orderly = Database.transaction

    @asynccontextmanager
    async def hasty(self: Database) -> AsyncIterator[Session]:
        transaction = orderly(self)
        session = await transaction.__aenter__()
        try:
            yield session
        except BaseException as error:
            await transaction.__aexit__(type(error), error, error.__traceback__)
            raise
        task = asyncio.create_task(_end_late(transaction))
        _later.add(task)
        task.add_done_callback(_later.discard)

    _replace(Database, "transaction", hasty)
    return create_app()


async def _end_late(transaction: Any) -> None:
    await asyncio.sleep(LATE_S)
    await transaction.__aexit__(None, None, None)


def keys_forgotten() -> FastAPI:
    """Do the work again at each repetition of a key."""
    from app.services import idempotency

    async def known(*_: Any) -> dict[Any, Any]:
        return {}

    async def keep(*_: Any) -> None:
        return None

    _replace(idempotency, "_known", known)
    _replace(idempotency, "_keep", keep)
    return create_app()


def without_time_outs() -> FastAPI:
    """Wait for PostgreSQL as long as it takes."""
    from app import runtime

    _replace(runtime, "Database", partial(Database, patient=True))
    return create_app()


def unchanged() -> FastAPI:
    """For controls whose flaw lies in how the service is operated."""
    return create_app()


def full_disk_unknown() -> FastAPI:
    """Take a full disk for a fault of the program."""
    from app.core import db_errors

    _replace(db_errors, "_UNABLE", db_errors._UNABLE - {"53100"})
    return create_app()


def one_by_one() -> FastAPI:
    """A transaction for each request: no lists, nobody waits his turn."""
    from app.core.batching import Batcher

    async def alone(self: Batcher[Any, Any], command: Any) -> Any:
        return (await self._run([command]))[0]

    _replace(Batcher, "submit", alone)
    return create_app()


def patient_with_redis() -> FastAPI:
    """Wait for Redis as long as its library does."""
    from app.core import redis

    async def wait(_: redis.Breaker, answer: Awaitable[Any]) -> Any:
        return await answer

    _replace(redis.Breaker, "_in_time", wait)
    _replace(redis, "SOCKET_TIMEOUT_S", 5.0)
    return create_app()


def open_without_redis() -> FastAPI:
    """Let everybody guess while Redis is down."""
    from app.core.ratelimit import Limit, RateLimiter, Verdict

    def let_through(_: RateLimiter, limit: Limit, __: str) -> Verdict:
        return Verdict(limit, allowed=True, remaining=limit.burst, retry_after=0)

    _replace(RateLimiter, "_without_redis", let_through)
    return create_app()


def first_master_for_ever() -> FastAPI:
    """Ask the Sentinels once."""
    from app.core.redis_sentinel import Masters

    find = Masters.find
    found: list[Node] = []

    async def once(self: Masters) -> Node:
        if not found:
            found.append(await find(self))
        self.address = found[0]
        return found[0]

    _replace(Masters, "find", once)
    return create_app()


def replicas_believed() -> FastAPI:
    """Take whomever a Sentinel names for a master."""
    from redis.asyncio.connection import Connection

    from app.core import redis_sentinel

    _replace(redis_sentinel, "_greet", Connection.on_connect)
    return create_app()


def patient_with_nodes() -> FastAPI:
    """Wait for a silent node of a Cluster longer than the breaker looks."""
    from app.core import redis_cluster

    _replace(redis_cluster, "SOCKET_TIMEOUT_S", 2.0)
    return create_app()


def _replace(place: Any, name: str, flaw: Any) -> None:
    """Take a guard out; fail if it is not there any more."""
    assert hasattr(place, name), f"{place} has no {name}: mend the control"
    setattr(place, name, flaw)
