"""Valkey/Redis: fast and forgettable. A frozen server must cost at most a blink."""

import time
from collections.abc import Awaitable
from typing import Any, cast

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

# redis-py waits 5 s on a frozen server by default.
TIMEOUT_S = 0.1
BREAKER_S = 1.0

Redis = aioredis.Redis


class RedisDown(Exception):
    """Redis did not answer. The caller decides whether that means "go on" or "no"."""


def connect(url: str, *, timeout: float = TIMEOUT_S) -> Redis:
    """Make a client with short time-outs and no hidden retries."""
    return aioredis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        max_connections=256,
    )


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
            return await cast("Awaitable[Any]", answer)
        except (RedisError, OSError, TimeoutError) as error:
            self._closed_until = time.monotonic() + BREAKER_S
            raise RedisDown from error
