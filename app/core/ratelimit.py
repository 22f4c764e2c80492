"""Rate limits: GCRA (generic cell rate algorithm) in Redis, shared by all processes.

Redis stores one integer for each client, the "theoretical arrival time" of its next request.
``burst`` requests may come at once, after that one every ``1/per_second`` seconds. The clock is
that of the Redis server. Concurrent requests are joined into one call of a Lua script.
"""

import time
from dataclasses import dataclass
from functools import cache, cached_property
from math import ceil
from typing import Literal, NamedTuple

from app.core.batching import Batcher
from app.core.errors import Busy, RateLimited, Refusal
from app.core.redis import Breaker, Redis, RedisDown
from app.core.redis_scripts import Script

# A hash tag: all keys of a call are in one slot of a Redis Cluster, those of revoked logins too.
TAG = "{qx:admission}"
# Answers a batch of questions. A "bar" is a key that bars the client if it exists (a revoked
# login); it is looked up here to save a round trip.
# KEYS: two for each question, the client and the bar.
# ARGV: one for each, such as "take 50000 15000000 1 1": the operation, the emission interval and
# the burst tolerance in microseconds, whether there is a bar, how many requests. Operations:
# "take" counts the request if it is allowed, "check" does not count, "charge" counts though it
# is not allowed, "pass" allows without counting. Nobody owes more than two bursts, or a server
# that took over with a clock that is behind would refuse until it has caught up.
# Returns four values for each: allowed, remaining requests, microseconds until the next request
# is allowed, whether the bar exists.
_GCRA = Script(
    """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local answers = {}
local function answer(allowed, remaining, wait)
  answers[#answers + 1] = allowed
  answers[#answers + 1] = remaining
  answers[#answers + 1] = wait
end
for i = 1, #KEYS / 2 do
  local key = KEYS[2 * i - 1]
  local what, interval, tolerance, has_bar, times =
    string.match(ARGV[i], '(%l+) (%d+) (%d+) (%d) (%d+)')
  interval, tolerance = tonumber(interval), tonumber(tolerance)
  if what == 'pass' then
    answer(1, math.floor(tolerance / interval), 0)
  else
    local tat = math.max(tonumber(redis.call('GET', key) or now), now)
    tat = math.min(tat, now + 2 * tolerance)
    local fresh = tat + interval * times
    if what == 'charge' then
      fresh = math.min(fresh, now + 2 * tolerance)
    end
    if what ~= 'charge' and fresh - now > tolerance then
      answer(0, 0, fresh - now - tolerance)
    elseif what == 'check' then
      answer(1, math.floor((tolerance - (tat - now)) / interval), 0)
    else
      redis.call('SET', key, string.format('%.0f', fresh), 'PX', math.ceil((fresh - now) / 1000))
      answer(1, math.max(math.floor((tolerance - (fresh - now)) / interval), 0), 0)
    end
  end
  answers[#answers + 1] = has_bar == '1' and redis.call('EXISTS', KEYS[2 * i]) or 0
end
return answers
""",
    TAG,
)
_LOCAL_CLIENTS = 50_000

What = Literal["take", "check", "charge"]


@dataclass(frozen=True)
class Limit:
    """``burst`` requests at once, then ``per_second``.

    While Redis is down, each process counts for itself; with ``fail_closed`` (logins, guesses
    of codes) requests are refused instead.
    """

    name: str
    burst: int
    per_second: float
    fail_closed: bool = False

    @property
    def interval_us(self) -> int:
        return int(1_000_000 / self.per_second)

    @property
    def window_s(self) -> int:
        """Seconds in which all ``burst`` requests are allowed again."""
        return ceil(self.burst / self.per_second)

    @cached_property
    def policy(self) -> str:
        """The field ``RateLimit-Policy``: quota and window in seconds."""
        return f'"{self.name}";q={self.burst};w={self.window_s}'


class Verdict(NamedTuple):
    """The answer for one request. ``barred``: the bar that was named exists."""

    limit: Limit
    allowed: bool
    remaining: int
    retry_after: int  # seconds, 0 when allowed
    redis_down: bool = False
    barred: bool = False

    def refusal(self) -> Refusal | None:
        """Return RateLimited, Busy if refused only because Redis is down, or None."""
        if self.redis_down:
            return Busy(retry_after=self.retry_after)
        if not self.allowed:
            return RateLimited(
                retry_after=max(self.retry_after, 1),
                headers=self.headers(),
                limit=self.limit.burst,
                window=self.limit.window_s,
            )
        return None

    def enforce(self) -> None:
        """Raise the refusal, if there is one."""
        if refusal := self.refusal():
            raise refusal

    def headers(self) -> dict[str, str]:
        """Return the headers of the IETF draft ``ratelimit-headers``."""
        return {
            "RateLimit-Policy": self.limit.policy,
            "RateLimit": f'"{self.limit.name}";r={self.remaining};t={self.retry_after}',
        }


class _Question(NamedTuple):
    limit: Limit
    key: str
    what: What | Literal["pass"]
    bar: str  # empty: none
    times: int


class RateLimiter:
    """Counts requests in Redis; while it is down, in this process."""

    def __init__(self, redis: Redis, breaker: Breaker, *, enabled: bool) -> None:
        self._redis = redis
        self._breaker = breaker
        self._enabled = enabled
        self._local: dict[str, float] = {}
        self._questions = Batcher(self._ask_list)

    @property
    def enabled(self) -> bool:
        """Whether anything is limited at all."""
        return self._enabled

    async def take(self, limit: Limit, client: str, *, bar: str = "") -> Verdict:
        """Count one request of a client, if it is allowed; also look up a bar."""
        return await self._ask(limit, client, "take", bar)

    async def take_unless(
        self, limit: Limit, client: str, bar: str, locked: Limit, guesser: str
    ) -> tuple[Verdict, Verdict]:
        """Do as ``take``; also check another limit, in the same call of Redis."""
        asked = (
            self._question(limit, client, "take", bar),
            self._question(locked, guesser, "check"),
        )
        if not self._enabled and not bar:
            return self._without_redis(*asked[0][:2]), self._without_redis(*asked[1][:2])
        one, other = await self._questions.submit_both(*asked)
        return (
            one or self._without_redis(*asked[0][:2]),
            other or self._without_redis(*asked[1][:2]),
        )

    async def check(self, limit: Limit, client: str) -> Verdict:
        """Tell whether a request would be allowed, without counting it."""
        return await self._ask(limit, client, "check")

    async def charge(self, limit: Limit, client: str, times: int = 1) -> Verdict:
        """Count requests, allowed or not. The debt is at most a burst."""
        return await self._ask(limit, client, "charge", times=times)

    async def _ask(
        self, limit: Limit, client: str, what: What, bar: str = "", times: int = 1
    ) -> Verdict:
        question = self._question(limit, client, what, bar, times)
        if not self._enabled and not bar:
            return self._without_redis(limit, question.key)
        return await self._questions.submit(question) or self._without_redis(limit, question.key)

    def _question(
        self, limit: Limit, client: str, what: What, bar: str = "", times: int = 1
    ) -> _Question:
        key = f"{TAG}:{limit.name}:{client}"
        return _Question(limit, key, what if self._enabled else "pass", bar, times)

    async def _ask_list(self, questions: list[_Question]) -> list[Verdict | None]:
        """Ask Redis once for the whole batch; return None for each if it is down."""
        keys = [key for one in questions for key in (one.key, one.bar or one.key)]
        args = [_argument(one.limit, one.what, bool(one.bar), one.times) for one in questions]
        try:
            found = await self._breaker.call(_GCRA.run(self._redis, keys, args))
        except RedisDown:
            return [None] * len(questions)
        return [
            Verdict(
                one.limit,
                allowed=bool(found[i]),
                remaining=found[i + 1],
                retry_after=ceil(found[i + 2] / 1_000_000),
                barred=bool(found[i + 3]),
            )
            for i, one in zip(range(0, len(found), 4), questions, strict=True)
        ]

    def _without_redis(self, limit: Limit, key: str) -> Verdict:
        if not self._enabled:
            return Verdict(limit, allowed=True, remaining=limit.burst, retry_after=0)
        if limit.fail_closed:
            return Verdict(limit, allowed=False, remaining=0, retry_after=5, redis_down=True)
        if len(self._local) > _LOCAL_CLIENTS:
            self._local.clear()
        moment, interval = time.monotonic(), 1 / limit.per_second
        fresh = max(self._local.get(key, moment), moment) + interval
        wait = fresh - moment - interval * limit.burst
        if wait > 0:
            return Verdict(limit, allowed=False, remaining=0, retry_after=ceil(wait))
        self._local[key] = fresh
        return Verdict(limit, allowed=True, remaining=int(-wait / interval), retry_after=0)


@cache
def _argument(limit: Limit, what: str, has_bar: bool, times: int) -> bytes:
    interval = limit.interval_us
    return f"{what} {interval} {interval * limit.burst} {int(has_bar)} {times}".encode()
