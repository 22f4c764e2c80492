"""Rate limits: GCRA in one Lua call, one integer a client, the same across processes.

GCRA keeps the "theoretical arrival time" of the next request; ``burst`` requests may
come at once, then one every ``1/rate`` seconds. Time is the Redis server's, so that
processes need not agree on theirs.
"""

import time
from dataclasses import dataclass
from math import ceil
from typing import Any

from app.core.errors import Busy, RateLimited
from app.core.redis import Breaker, Redis, RedisDown

# KEYS[1] the client. ARGV: emission interval and burst tolerance in microseconds, cost,
# and what to do: "take" counts if allowed, "check" only asks, "charge" counts anyway.
# Returns {allowed, remaining requests, microseconds until the next one is allowed}.
_GCRA = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, tolerance, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local fresh = tat + interval * cost
if cost < 0 then
  fresh = math.max(fresh, now)
elseif ARGV[4] == 'charge' then
  fresh = math.min(fresh, now + 2 * tolerance)
elseif fresh - now > tolerance then
  return {0, 0, fresh - now - tolerance}
end
if ARGV[4] == 'check' then
  return {1, math.floor((tolerance - (tat - now)) / interval), 0}
end
if fresh > now then
  redis.call('SET', KEYS[1], string.format('%.0f', fresh), 'PX', math.ceil((fresh - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
return {1, math.floor((tolerance - (fresh - now)) / interval), 0}
"""
_LOCAL_CLIENTS = 50_000


@dataclass(frozen=True)
class Limit:
    """``burst`` requests at once, refilled at ``per_second``.

    ``fail_closed``: without Redis the answer is "no" (logins, code guessing); otherwise
    an in-process count stands in.
    """

    name: str
    burst: int
    per_second: float
    fail_closed: bool = False

    @property
    def interval_us(self) -> int:
        return int(1_000_000 / self.per_second)

    @property
    def window_seconds(self) -> int:
        return ceil(self.burst / self.per_second)


@dataclass(frozen=True)
class Verdict:
    limit: Limit
    allowed: bool
    remaining: int
    retry_after: int  # seconds, 0 when allowed
    redis_down: bool = False

    def enforce(self) -> None:
        """Raise RateLimited, or Busy where the answer is "no" only because Redis is down."""
        if self.redis_down:
            raise Busy(retry_after=self.retry_after)
        if not self.allowed:
            raise RateLimited(retry_after=max(self.retry_after, 1), headers=self.headers())

    def headers(self) -> dict[str, str]:
        """Give the fields of the IETF draft ``ratelimit-headers``."""
        limit = self.limit
        return {
            "RateLimit-Policy": f'"{limit.name}";q={limit.burst};w={limit.window_seconds}',
            "RateLimit": f'"{limit.name}";r={self.remaining};t={self.retry_after}',
        }


class RateLimiter:
    """Asks Redis; when it is down, counts in this process or refuses, as the limit says."""

    def __init__(self, redis: Redis, breaker: Breaker, *, enabled: bool) -> None:
        self._script = redis.register_script(_GCRA)
        self._breaker = breaker
        self._enabled = enabled
        self._local: dict[str, float] = {}

    async def take(self, limit: Limit, client: str, cost: int = 1) -> Verdict:
        """Count one request of a client, if it is allowed. A negative cost gives back."""
        return await self._ask(limit, client, cost, "take")

    async def check(self, limit: Limit, client: str) -> Verdict:
        """Tell whether one more would be allowed, without counting it."""
        return await self._ask(limit, client, 1, "check")

    async def charge(self, limit: Limit, client: str) -> Verdict:
        """Count one request that has happened, allowed or not."""
        return await self._ask(limit, client, 1, "charge")

    async def _ask(self, limit: Limit, client: str, cost: int, what: str) -> Verdict:
        if not self._enabled:
            return Verdict(limit, allowed=True, remaining=limit.burst, retry_after=0)
        key = f"qx:limit:{limit.name}:{client}"
        tolerance = limit.interval_us * limit.burst
        try:
            answer: Any = await self._breaker.call(
                self._script(keys=[key], args=[limit.interval_us, tolerance, cost, what])
            )
        except RedisDown:
            return self._without_redis(limit, key, cost)
        allowed, remaining, wait_us = (int(part) for part in answer)
        return Verdict(limit, bool(allowed), remaining, ceil(wait_us / 1_000_000))

    def _without_redis(self, limit: Limit, key: str, cost: int) -> Verdict:
        if limit.fail_closed:
            return Verdict(limit, allowed=False, remaining=0, retry_after=5, redis_down=True)
        if len(self._local) > _LOCAL_CLIENTS:
            self._local.clear()
        moment, interval = time.monotonic(), 1 / limit.per_second
        fresh = max(self._local.get(key, moment), moment) + interval * cost
        wait = fresh - moment - interval * limit.burst
        if wait > 0:
            return Verdict(limit, allowed=False, remaining=0, retry_after=ceil(wait))
        self._local[key] = fresh
        return Verdict(limit, allowed=True, remaining=int(-wait / interval), retry_after=0)
