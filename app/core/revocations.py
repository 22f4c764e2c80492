"""Revoked logins: kept in Redis as long as an access token could outlive its revocation."""

import time
from uuid import UUID

import structlog

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
            await self._breaker.call(self._redis.set(_key(family), "1", ex=_SECONDS))
        except RedisDown:
            log.warning("revocation_not_shared")

    async def has(self, family: UUID) -> bool:
        if self._local.get(family, 0) > time.monotonic():
            return True
        try:
            return bool(await self._breaker.call(self._redis.exists(_key(family))))
        except RedisDown:
            return False


def _key(family: UUID) -> str:
    return f"qx:revoked:{family}"
