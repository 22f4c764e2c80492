"""Leaderboards in Redis: a sorted set for each board, and the position in the ledger.

Scores and position change in one atomic step, so a batch applied twice counts once. A rebuild
fills a new generation and switches to it when it is complete: readers see the old boards or
the new ones. All keys share a hash tag, so that they are in one slot of a Redis Cluster.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from redis.exceptions import RedisError

from app.core.redis import Breaker, Redis, RedisDown
from app.core.redis_scripts import Script

PREFIX = "{qx:boards}"
# With a number: a release that keeps other boards takes the next one, and builds its own. Those
# of the release before expire an hour later.
GENERATION = f"{PREFIX}:generation-3"
START = (0, UUID(int=0))
STILL_READ_S = 60
ABANDONED_AFTER_S = 3600

# KEYS[1] position key, then the boards. ARGV: expected position, new position, then groups: how
# many boards and members, the indexes of the boards, pairs of (member, points). Each member of a
# group gains on each of its boards. Returns 1 if applied.
_APPLY = Script(
    """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
local group = 3
while group <= #ARGV do
  local members = group + 2 + ARGV[group]
  local next_group = members + 2 * ARGV[group + 1]
  for b = group + 2, members - 1 do
    local board = KEYS[tonumber(ARGV[b])]
    for m = members, next_group - 1, 2 do
      if tonumber(redis.call('ZINCRBY', board, ARGV[m + 1], ARGV[m])) == 0 then
        redis.call('ZREM', board, ARGV[m])
      end
    end
  end
  group = next_group
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
""",
    PREFIX,
)


# KEYS[1] board. ARGV: member, how many on each side. Returns the place of the first, from 0, and
# pairs of (member, points); nil if the member is not on the board.
_AROUND = Script(
    """
local place = redis.call('ZREVRANK', KEYS[1], ARGV[1])
if not place then return nil end
local first = math.max(place - ARGV[2], 0)
return {first, redis.call('ZREVRANGE', KEYS[1], first, place + ARGV[2], 'WITHSCORES')}
""",
    PREFIX,
)

# Points by member, by the boards on which all of these gain them.
Gains = Mapping[tuple[str, ...], Mapping[str, int]]
# What a pipeline is asked at once while the keys of all boards are gone through.
CHUNK = 1_000


def new_generation() -> str:
    """Return a new name: start of the build (hexadecimal seconds) and a random suffix."""
    return f"{int(time.time()):x}-{secrets.token_hex(4)}"


def _started(generation: str) -> int:
    return int(generation.split("-", maxsplit=1)[0], 16)


class Boards:
    """The boards of one Redis. All methods raise RedisDown when it does not answer."""

    def __init__(self, redis: Redis, breaker: Breaker) -> None:
        self._redis = redis
        self._breaker = breaker
        # The generation that this process is building while none is published.
        self.unfinished: str | None = None

    async def generation(self) -> str | None:
        """Return the published generation; None before the first build or after a flush."""
        return cast("str | None", await self._breaker.call(self._redis.get(GENERATION)))

    async def position(self, generation: str) -> tuple[int, UUID]:
        """Return the position in the ledger that a generation has reached."""
        found = await self._breaker.call(self._redis.get(f"{PREFIX}:{generation}:position"))
        return _parse(found) if found else START

    async def apply(
        self,
        generation: str,
        before: tuple[int, UUID],
        after: tuple[int, UUID],
        gains: Gains,
    ) -> bool:
        """Add gains and move the position; False if it was not ``before``."""
        boards = sorted({board for group in gains for board in group})
        index = {board: number for number, board in enumerate(boards, start=2)}
        keys = [f"{PREFIX}:{generation}:position"]
        keys += [f"{PREFIX}:{generation}:{board}" for board in boards]
        args: list[Any] = ["" if before == START else _render(before), _render(after)]
        for group, people in gains.items():
            args += [len(group), len(people), *(index[board] for board in group)]
            args += [part for pair in people.items() for part in pair]
        return bool(await self._breaker.call(_APPLY.run(self._redis, keys, args)))

    async def show(self, generation: str) -> None:
        """Publish a generation; the previous one expires after ``STILL_READ_S``.

        A generation that another worker is building is kept unless it is older than
        ``ABANDONED_AFTER_S``.
        """
        before = await self._breaker.call(self._redis.set(GENERATION, generation, get=True))
        abandoned = _started(generation) - ABANDONED_AFTER_S
        for key in await self._keys():
            owner = key.split(":")[2]
            if owner != generation and (owner == before or _started(owner) < abandoned):
                await self._breaker.call(self._redis.expire(key, STILL_READ_S, nx=True))

    async def _keys(self) -> list[str]:
        """Return the keys of all generations. Many round trips: the breaker bounds only one."""
        try:
            found = self._redis.scan_iter(match=f"{PREFIX}:*:*", count=1000)
            return [key async for key in found]
        except (RedisError, OSError, TimeoutError) as error:
            raise RedisDown from error

    async def forget(self, people: Sequence[UUID]) -> None:
        """Remove members from the boards of all generations, those under construction too."""
        members = [str(one) for one in people]
        boards = [key for key in await self._keys() if not key.endswith(":position")]
        for first in range(0, len(boards), CHUNK):
            asked = self._redis.pipeline(transaction=False)
            for key in boards[first : first + CHUNK]:
                asked.zrem(key, *members)
            await self._breaker.call(asked.execute())

    async def around(
        self, generation: str, board: str, member: UUID, each_side: int
    ) -> list[tuple[int, UUID, int]]:
        """Return place (from 1), member and points of a member and its neighbours, best first."""
        key = f"{PREFIX}:{generation}:{board}"
        answer = await self._breaker.call(_AROUND.run(self._redis, [key], [str(member), each_side]))
        if answer is None:
            return []
        first, found = answer
        pairs = zip(found[::2], found[1::2], strict=True)
        return [
            (place, UUID(one), int(float(points)))
            for place, (one, points) in enumerate(pairs, start=int(first) + 1)
        ]

    async def sizes(self, generation: str, boards: Sequence[str]) -> list[int]:
        """Return how many members boards have."""
        asked = self._redis.pipeline(transaction=False)
        for board in boards:
            asked.zcard(f"{PREFIX}:{generation}:{board}")
        return [int(size) for size in await self._breaker.call(asked.execute())]

    async def read(
        self, generation: str, tops: Sequence[tuple[str, int]], ranks: Sequence[tuple[str, UUID]]
    ) -> tuple[list[list[tuple[UUID, int]]], list[tuple[int, int] | None]]:
        """Return the top of boards (name, limit), and ranks (from 1) and points of members."""
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
