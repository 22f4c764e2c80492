"""Valkey/Redis: the client, and a circuit breaker for the time in which it does not answer.

The URL tells whether there is one server, a service behind Sentinels or a Cluster; nothing else
of the application knows (docs/decisions/0026).
"""

import asyncio
import math
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar, cast

import redis.asyncio as aioredis
import structlog
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core import redis_cluster, redis_urls
from app.core.redis_cluster import ClusterClient
from app.core.redis_sentinel import MasterConnection, Masters, MasterSSLConnection, SentinelClient
from app.core.redis_urls import RedisUrl

log = structlog.get_logger(__name__)

# When Redis counts as silent: see ``Breaker._in_time``.
LOOK_S = 0.04
SILENT_LOOKS = 2
SILENCE_S = 1.0
BREAKER_S = 1.0  # between two pings while it is down
# redis-py's own time-out; that of the breaker expires first.
SOCKET_TIMEOUT_S = 2.0
MAX_CONNECTIONS = 64
# How long a command may wait for a connection; if Redis is silent, the breaker ends it sooner.
QUEUE_S = 10.0

Redis = aioredis.Redis
T = TypeVar("T")


class RedisDown(Exception):
    """Redis did not answer. The caller decides whether to go on without it or to refuse."""


def connect(url: str) -> Redis:
    """Make a client with time-outs and without retries. Raises ValueError for a wrong URL."""
    given = redis_urls.parse(url)
    if given.kind == "cluster":
        return _of_cluster(given)
    if given.kind == "sentinel":
        return _of_service(given)
    pool = aioredis.BlockingConnectionPool.from_url(url, **_connection_options(), **_pool_options())
    return aioredis.Redis.from_pool(pool)


def _of_service(given: RedisUrl) -> Redis:
    of_server = dict(parse_url(given.server))
    with_tls = of_server.pop("connection_class", None) is SSLConnection
    options = {**_connection_options(), **of_server}
    # Sentinels have no databases, and accounts of their own; TLS is the same.
    of_sentinel = {k: v for k, v in options.items() if k not in ("db", "username", "password")}
    of_sentinel |= {"ssl": with_tls, **dict(given.sentinel_login)}
    for name in ("host", "port"):
        del options[name], of_sentinel[name]
    masters = Masters(given.nodes, given.service, **of_sentinel)
    pool = aioredis.BlockingConnectionPool(
        connection_class=MasterSSLConnection if with_tls else MasterConnection,
        masters=masters,
        **options,
        **_pool_options(),
    )
    return SentinelClient(masters, pool)


def _of_cluster(given: RedisUrl) -> Redis:
    options = _connection_options() | {
        "socket_timeout": redis_cluster.SOCKET_TIMEOUT_S,
        "socket_connect_timeout": redis_cluster.SOCKET_TIMEOUT_S,
        "max_connections": redis_cluster.MAX_CONNECTIONS,
        "startup_nodes": [ClusterNode(host, port) for host, port in given.nodes],
        # The nodes of the URL stay those that are asked, whatever the Cluster says of itself.
        "dynamic_startup_nodes": False,
    }
    return cast("Redis", ClusterClient.from_url(given.server, **options))


def _connection_options() -> dict[str, Any]:
    return {
        "decode_responses": True,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
    }


def _pool_options() -> dict[str, Any]:
    # Commands wait for a connection: a new one takes longer than the wait.
    return {"max_connections": MAX_CONNECTIONS, "timeout": QUEUE_S}


class Breaker:
    """A circuit breaker: after a failure all calls fail at once until a ping is answered.

    The pings are sent in the background, so that requests wait only for the first failure.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._looking: asyncio.Task[None] | None = None
        self._answered_at = 0.0
        self.recovered_at = -math.inf  # monotonic time of the last recovery

    @property
    def is_open(self) -> bool:
        return self._looking is not None and not self._looking.done()

    async def close(self) -> None:
        """Stop pinging: the client is about to be closed."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def call(self, answer: Any) -> Any:
        """Await a redis-py command; raise RedisDown if it fails or the breaker is open."""
        if self.is_open:
            if hasattr(answer, "close"):
                answer.close()  # else Python warns of a coroutine that was never awaited
            raise RedisDown
        try:
            return await self._in_time(answer)
        except (RedisError, OSError, TimeoutError) as error:
            if not self.is_open:
                self._looking = asyncio.create_task(self._look())
                log.warning("redis_down", error=type(error).__name__)
            raise RedisDown from error

    async def _look(self) -> None:
        """Ping until there is an answer, then close the breaker."""
        while True:
            await asyncio.sleep(BREAKER_S)
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(SILENCE_S):
                    await self._redis.ping()
                self.recovered_at = time.monotonic()
                log.info("redis_answers")
                return

    async def _in_time(self, answer: Awaitable[T]) -> T:
        """Await an answer; raise TimeoutError once Redis is silent.

        Not a plain time-out: under load the event loop may be late to read an answer that has
        arrived, or the command may still wait for a connection. Redis is silent if no call at
        all got an answer in two successive intervals of ``LOOK_S``, and the event loop was on
        time for both (80 ms), or if none got one for ``SILENCE_S``, however late the loop was.
        """
        task = asyncio.ensure_future(answer)
        asked_at, silent_looks = time.monotonic(), 0
        try:
            while True:
                started = time.monotonic()
                await asyncio.wait({task}, timeout=LOOK_S)
                moment = time.monotonic()
                if task.done():
                    self._answered_at = moment
                    return task.result()
                if self._answered_at >= started:
                    silent_looks = 0
                elif moment - started < LOOK_S * 1.1:
                    silent_looks += 1
                silence = moment - max(self._answered_at, asked_at)
                if silent_looks == SILENT_LOOKS or silence > SILENCE_S:
                    raise TimeoutError
        finally:
            task.cancel()
