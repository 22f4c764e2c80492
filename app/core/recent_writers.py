"""Who has just written: those people read from the primary, where their own writes are."""

import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from app.core.batching import Batcher
from app.core.redis import Breaker, Redis, RedisDown

# A hash tag: all keys of a call are in one slot of a Redis Cluster.
TAG = "{qx:writers}"
# Added to the bound of staleness. Covers the time in which one process knows already that Redis
# answers again and another does not (``redis.BREAKER_S``, ``redis.SILENCE_S``).
MARGIN_S = 3.0


class RecentWriters:
    """A key in Redis for each person who has written, for longer than a replica may be late.

    While Redis does not answer, and for the same time after, everybody counts as a writer. What
    Redis forgets when it is restarted or fails over is not known to processes that did not notice.
    """

    def __init__(self, redis: Redis, breaker: Breaker, *, lag_s: float) -> None:
        self._redis = redis
        self._breaker = breaker
        self._kept_s = lag_s + MARGIN_S
        self._marks = Batcher(self._mark)
        self._questions = Batcher(self._ask)

    async def add(self, person: UUID) -> None:
        """Note that a person has written. Call it after the commit and before the reply."""
        await self._marks.submit(person)

    async def has(self, person: UUID) -> bool:
        """Tell whether a person may have written within the bound of staleness."""
        return await self._questions.submit(person)

    async def _mark(self, people: Sequence[UUID]) -> Sequence[None]:
        pipeline = self._redis.pipeline(transaction=False)
        for person in set(people):
            pipeline.set(_key(person), "1", px=int(self._kept_s * 1000))
        with suppress(RedisDown):  # see ``_ask``; other processes notice on their own
            await self._breaker.call(pipeline.execute())
        return [None] * len(people)

    async def _ask(self, people: Sequence[UUID]) -> Sequence[bool]:
        try:
            found = await self._breaker.call(self._redis.mget([_key(one) for one in people]))
        except RedisDown:
            return [True] * len(people)
        if time.monotonic() < self._breaker.recovered_at + self._kept_s:
            return [True] * len(people)
        return [one is not None for one in found]


def _key(person: UUID) -> str:
    return f"{TAG}:{person}"
