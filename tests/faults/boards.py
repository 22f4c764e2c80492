"""The leaderboards in Redis against the ledger."""

from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from app.core.clock import now, period_start
from app.integrations.leaderboards import GENERATION, PREFIX
from app.queries import leaderboards as board_queries
from app.services.ledger.types import POINTS
from tests.faults.stage import Stage


async def boards_exact(one: Stage) -> bool:
    """Whether the board of all time in Redis is what the ledger says, person by person."""
    org = await one.crowd.org()
    async with one.look() as tx:
        found = await board_queries.top(
            tx,
            org.path,
            period_start(now(), "all"),
            unit=POINTS,
            born_until=now().date(),
            limit=1_000_000,
        )
    redis: Any = one.runtime.redis
    try:
        board = f"{PREFIX}:{await redis.get(GENERATION)}:{org.path}:all:*"
        keys = [key async for key in redis.scan_iter(match=board, count=1000)]
        scores = await redis.zrange(keys[0], 0, -1, withscores=True) if keys else []
    except (RedisError, OSError, TimeoutError):
        return False
    return {UUID(person): int(points) for person, points in scores} == dict(found)
