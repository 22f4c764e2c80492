"""Valkey/Redis: the client, and a circuit breaker for the time in which it does not answer."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

import redis.asyncio as aioredis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

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
    """Make a client with time-outs and without retries."""
    pool = aioredis.BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        # Commands wait for one of these: a new connection takes longer than the wait.
        max_connections=MAX_CONNECTIONS,
        timeout=QUEUE_S,
    )
    return aioredis.Redis.from_pool(pool)


class Breaker:
    """A circuit breaker: after a failure all calls fail at once until a ping is answered.

    The pings are sent in the background, so that requests wait only for the first failure.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._looking: asyncio.Task[None] | None = None
        self._answered_at = 0.0

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
