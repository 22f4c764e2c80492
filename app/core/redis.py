"""Valkey/Redis: fast and forgettable. A frozen server must cost at most a blink."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

TIMEOUT_S = 0.1
BREAKER_S = 1.0
# redis-py waits 5 s on a frozen server by default; ours strikes first, see Breaker.
SOCKET_TIMEOUT_S = 2.0
MAX_CONNECTIONS = 32
# How often a wait that was itself late is given another try.
MAX_WAITS = 10

Redis = aioredis.Redis
T = TypeVar("T")


class RedisDown(Exception):
    """Redis did not answer. The caller decides whether that means "go on" or "no"."""


def connect(url: str) -> Redis:
    """Make a client with time-outs and no hidden retries."""
    pool = aioredis.BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        # A crowd shares a few connections: each new one costs more than a turn in the queue.
        max_connections=MAX_CONNECTIONS,
        timeout=SOCKET_TIMEOUT_S,
    )
    return aioredis.Redis.from_pool(pool)


class Breaker:
    """After a failure nobody asks again for a second, so 1,000 requests do not wait each."""

    def __init__(self) -> None:
        self._closed_until = 0.0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self._closed_until

    async def call(self, answer: Any) -> Any:
        """Await a redis-py command; raise RedisDown if it fails or the breaker is open."""
        if self.is_open:
            if hasattr(answer, "close"):
                answer.close()  # a coroutine that is never awaited would warn
            raise RedisDown
        try:
            return await _in_time(answer)
        except (RedisError, OSError, TimeoutError) as error:
            self._closed_until = time.monotonic() + BREAKER_S
            raise RedisDown from error


async def _in_time(answer: Awaitable[T]) -> T:
    """Await an answer for 100 ms, raise TimeoutError after that.

    When this process is busy, the answer may have been there all the time, unread: a plain
    time-out would then blame Redis for our own lag, and shut out a hall that logs in. So
    a wait that lasted much longer than it should have, because the event loop was late,
    does not count.
    """
    task = asyncio.ensure_future(answer)
    try:
        for _ in range(MAX_WAITS):
            started = time.monotonic()
            await asyncio.wait({task}, timeout=TIMEOUT_S)
            if task.done():
                return task.result()
            if time.monotonic() - started < TIMEOUT_S * 1.1:
                break
        raise TimeoutError
    finally:
        task.cancel()
