"""Revoked logins, kept in Redis for as long as an access token of them may be valid."""

import time
from uuid import UUID

import structlog

from app.core.ratelimit import TAG
from app.core.redis import Breaker, Redis, RedisDown
from app.core.tokens import LIFETIME

log = structlog.get_logger(__name__)
_SECONDS = int(LIFETIME.total_seconds())


class Revocations:
    """Access tokens of a revoked login are refused at once, not only when they expire.

    Refresh tokens are revoked in PostgreSQL. While Redis is down, only the process that revoked
    a login refuses its access tokens; others accept them until they expire (15 minutes).
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
        """Tell whether this process revoked a login; other processes look up ``bar``."""
        return self._local.get(family, 0) > time.monotonic()

    @staticmethod
    def bar(family: UUID) -> str:
        """Return the key that exists while a login is revoked; the rate limiter looks it up."""
        return f"{TAG}:revoked:{family}"
