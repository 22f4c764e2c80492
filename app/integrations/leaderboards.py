"""Boards in Redis: a sorted set a board, and beside them the position in the ledger.

Scores and position move in one atomic step, so a batch that is applied twice counts once.
A rebuild fills a new generation and switches to it when it has caught up: readers see the
old boards or the new ones, never half of either. All keys share a hash tag, so that they
live in one slot of a Redis Cluster.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from app.core.redis import Breaker, Redis

PREFIX = "{qx:boards}"
GENERATION = f"{PREFIX}:generation"
START = (0, UUID(int=0))
STILL_READ_S = 60
ABANDONED_AFTER_S = 3600

# KEYS[1] position key, then the boards. ARGV: expected position, new position, then
# triples of (index of the board, member, points). Returns 1 if applied.
_APPLY = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for i = 3, #ARGV, 3 do
  local board = KEYS[tonumber(ARGV[i])]
  if tonumber(redis.call('ZINCRBY', board, ARGV[i + 2], ARGV[i + 1])) == 0 then
    redis.call('ZREM', board, ARGV[i + 1])
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


def new_generation() -> str:
    """Name a generation by when its building began (hexadecimal seconds), and by chance."""
    return f"{int(time.time()):x}-{secrets.token_hex(4)}"


def _started(generation: str) -> int:
    return int(generation.split("-", maxsplit=1)[0], 16)


class Boards:
    """The boards of one Redis. Every method raises RedisDown when it does not answer."""

    def __init__(self, redis: Redis, breaker: Breaker) -> None:
        self._redis = redis
        self._breaker = breaker
        self._apply = redis.register_script(_APPLY)
        # The generation that somebody builds here for want of one that is shown.
        self.unfinished: str | None = None

    async def generation(self) -> str | None:
        """Return the generation that is shown; None before the first build or after a flush."""
        return cast("str | None", await self._breaker.call(self._redis.get(GENERATION)))

    async def position(self, generation: str) -> tuple[int, UUID]:
        """Return how far into the ledger a generation has come."""
        found = await self._breaker.call(self._redis.get(f"{PREFIX}:{generation}:position"))
        return _parse(found) if found else START

    async def apply(
        self,
        generation: str,
        before: tuple[int, UUID],
        after: tuple[int, UUID],
        gains: Mapping[tuple[str, str], int],
    ) -> bool:
        """Add gains by (board, person) and move the position; False if it was not ``before``."""
        boards = sorted({board for board, _ in gains})
        index = {board: number for number, board in enumerate(boards, start=2)}
        keys = [f"{PREFIX}:{generation}:position"]
        keys += [f"{PREFIX}:{generation}:{board}" for board in boards]
        args: list[Any] = ["" if before == START else _render(before), _render(after)]
        for (board, person), points in gains.items():
            args += [index[board], person, points]
        return bool(await self._breaker.call(self._apply(keys=keys, args=args)))

    async def show(self, generation: str) -> None:
        """Switch readers to a generation; the one before goes when nobody reads it any more.

        Another worker's half-built generation is left alone; one that was abandoned goes
        after an hour.
        """
        before = await self._breaker.call(self._redis.set(GENERATION, generation, get=True))
        abandoned = _started(generation) - ABANDONED_AFTER_S
        async for key in self._redis.scan_iter(match=f"{PREFIX}:*:*", count=1000):
            owner = key.split(":")[2]
            if owner != generation and (owner == before or _started(owner) < abandoned):
                await self._breaker.call(self._redis.expire(key, STILL_READ_S, nx=True))

    async def look(
        self, generation: str, tops: Sequence[tuple[str, int]], ranks: Sequence[tuple[str, UUID]]
    ) -> tuple[list[list[tuple[UUID, int]]], list[tuple[int, int] | None]]:
        """Return the best of boards (name, how many), and somebody's rank (from 1) and points."""
        asked = self._redis.pipeline(transaction=False)
        for board, limit in tops:
            key = f"{PREFIX}:{generation}:{board}"
            asked.zrevrange(key, 0, limit - 1, withscores=True)
        for board, person in ranks:
            asked.zrevrank(f"{PREFIX}:{generation}:{board}", str(person), withscore=True)
        answers = await self._breaker.call(asked.execute())
        places = [
            [(UUID(member), int(score)) for member, score in rows] for rows in answers[: len(tops)]
        ]
        found = [(int(r[0]) + 1, int(float(r[1]))) if r else None for r in answers[len(tops) :]]
        return places, found


def _render(position: tuple[int, UUID]) -> str:
    return f"{position[0]} {position[1]}"


def _parse(text: str) -> tuple[int, UUID]:
    xact, transfer = text.split(" ")
    return int(xact), UUID(transfer)
