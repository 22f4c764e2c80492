"""Valkey/Redis: fast and forgettable. A frozen server must cost at most a blink."""

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

# Silent for two looks is down; see Breaker for what counts as silence.
LOOK_S = 0.04
SILENT_LOOKS = 2
SILENCE_S = 1.0
BREAKER_S = 1.0  # between two looks
# redis-py waits 5 s on a frozen server by default; ours strikes first, see Breaker.
SOCKET_TIMEOUT_S = 2.0
MAX_CONNECTIONS = 64
# How long a question may queue for a connection; a silent Redis ends it much sooner.
QUEUE_S = 10.0

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
        timeout=QUEUE_S,
    )
    return aioredis.Redis.from_pool(pool)


class Breaker:
    """After a failure nobody asks until Redis has answered a look in the background.

    So requests wait for a lost Redis in its first moment only, however long it is lost.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._looking: asyncio.Task[None] | None = None
        self._answered_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._looking is not None and not self._looking.done()

    async def close(self) -> None:
        """Look no more: the client is about to be closed."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def call(self, answer: Any) -> Any:
        """Await a redis-py command; raise RedisDown if it fails or the breaker is open."""
        if self.is_open:
            if hasattr(answer, "close"):
                answer.close()  # a coroutine that is never awaited would warn
            raise RedisDown
        try:
            return await self._in_time(answer)
        except (RedisError, OSError, TimeoutError) as error:
            if not self.is_open:
                self._looking = asyncio.create_task(self._look())
                log.warning("redis_down", error=type(error).__name__)
            raise RedisDown from error

    async def _look(self) -> None:
        """Ask until there is an answer; a server that wakes up answers what is under way."""
        while True:
            await asyncio.sleep(BREAKER_S)
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(SILENCE_S):
                    await self._redis.ping()
                log.info("redis_answers")
                return

    async def _in_time(self, answer: Awaitable[T]) -> T:
        """Await an answer while Redis shows life; raise TimeoutError once it is silent.

        In a rush the answer may be there unread, or the question may still queue for a
        connection: a plain time-out would blame Redis for our own lag, and shut out a hall
        that logs in. Silence is two looks in which nobody got an answer, in a loop that
        was not late for them: 80 ms; or a whole second, however late the loop is.
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
