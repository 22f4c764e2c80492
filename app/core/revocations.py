"""Revoked logins: kept in Redis as long as an access token could outlive its revocation."""

import time
from uuid import UUID

import structlog

from app.core.ratelimit import TAG
from app.core.redis import Breaker, Redis, RedisDown
from app.core.tokens import LIFETIME

log = structlog.get_logger(__name__)
_SECONDS = int(LIFETIME.total_seconds())


class Revocations:
    """PostgreSQL holds the truth for refresh tokens; this makes access tokens follow at once.

    With Redis down a revoked access token lives on for at most its 15 minutes elsewhere;
    the process that revoked it still knows.
    """

    def __init__(self, redis: Redis, breaker: Breaker) -> None:
        self._redis = redis
        self._breaker = breaker
        self._local: dict[UUID, float] = {}

    async def add(self, family: UUID) -> None:
        moment = time.monotonic()
        self._local = {f: until for f, until in self._local.items() if until > moment}
        self._local[family] = moment + _SECONDS
        try:
            await self._breaker.call(self._redis.set(self.bar(family), "1", ex=_SECONDS))
        except RedisDown:
            log.warning("revocation_not_shared")

    def known_here(self, family: UUID) -> bool:
        """Tell whether this process revoked it; the others see the bar in Redis."""
        return self._local.get(family, 0) > time.monotonic()

    @staticmethod
    def bar(family: UUID) -> str:
        """Name the key that exists while a family is revoked; the rate limiter looks for it."""
        return f"{TAG}:revoked:{family}"
