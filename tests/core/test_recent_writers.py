"""Who has just written, over all processes; and whom to count as such without Redis."""

import time
from collections.abc import AsyncIterator

import pytest

from app.core.ids import new_id
from app.core.recent_writers import RecentWriters, _key
from app.core.redis import Breaker, connect
from app.runtime import Runtime
from tests.faults.valkey import NOWHERE

LAG_S = 5.0


@pytest.fixture
async def breaker(runtime: Runtime) -> AsyncIterator[Breaker]:
    found = Breaker(runtime.redis)
    yield found
    await found.close()


def writers(runtime: Runtime, breaker: Breaker) -> RecentWriters:
    return RecentWriters(runtime.redis, breaker, lag_s=LAG_S)


async def test_a_writer_is_known_to_every_process_for_the_bound(
    runtime: Runtime, breaker: Breaker
) -> None:
    here, there = writers(runtime, breaker), writers(runtime, breaker)
    writer, other = new_id(), new_id()
    await here.add(writer)
    assert [await there.has(one) for one in (writer, other)] == [True, False]
    left_ms = await runtime.redis.pttl(_key(writer))
    assert left_ms > LAG_S * 1000, "longer than a replica may be late"
    await runtime.redis.delete(_key(writer))
    assert not await there.has(writer)


async def test_without_redis_everybody_may_have_written() -> None:
    redis = connect(NOWHERE)
    breaker = Breaker(redis)
    lost = RecentWriters(redis, breaker, lag_s=LAG_S)
    await lost.add(new_id())
    assert await lost.has(new_id())
    await breaker.close()
    await redis.aclose()


async def test_and_for_the_bound_after_it_is_back(runtime: Runtime, breaker: Breaker) -> None:
    """Another process may have written, and not have been able to tell."""
    known = writers(runtime, breaker)
    breaker.recovered_at = time.monotonic()
    assert await known.has(new_id())
    breaker.recovered_at -= known._kept_s
    assert not await known.has(new_id())
