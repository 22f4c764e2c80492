"""GCRA on the real Valkey, and what stands in when there is none."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.core.errors import Busy, RateLimited
from app.core.ratelimit import TAG, Limit, RateLimiter
from app.core.redis import Breaker, Redis, connect
from app.runtime import Runtime
from tests.faults.valkey import NOWHERE, private_valkey
from tests.faults.waiting import eventually

SLOW = Limit("slow", burst=5, per_second=0.001)
QUICK = Limit("quick", burst=2, per_second=20)
CLOSED = Limit("closed", burst=5, per_second=0.001, fail_closed=True)


@pytest.fixture
def limiter(runtime: Runtime) -> RateLimiter:
    return RateLimiter(runtime.redis, Breaker(runtime.redis), enabled=True)


@pytest.fixture
async def without_redis() -> AsyncIterator[RateLimiter]:
    client = connect(NOWHERE)
    breaker = Breaker(client)
    yield RateLimiter(client, breaker, enabled=True)
    await breaker.close()
    await client.aclose()


@pytest.fixture
def client() -> str:
    return str(uuid4())


async def taken(limiter: RateLimiter, limit: Limit, client: str, times: int) -> list[bool]:
    return [(await limiter.take(limit, client)).allowed for _ in range(times)]


async def test_a_burst_is_allowed_and_then_no_more(limiter: RateLimiter, client: str) -> None:
    assert await taken(limiter, SLOW, client, 7) == [True] * 5 + [False] * 2


async def test_what_remains_counts_down(limiter: RateLimiter, client: str) -> None:
    left = [(await limiter.take(SLOW, client)).remaining for _ in range(6)]
    assert left == [4, 3, 2, 1, 0, 0]


async def test_a_refusal_says_how_long(limiter: RateLimiter, client: str) -> None:
    await taken(limiter, SLOW, client, 5)
    verdict = await limiter.take(SLOW, client)
    assert 990 <= verdict.retry_after <= 1000
    with pytest.raises(RateLimited) as refused:
        verdict.enforce()
    assert refused.value.retry_after == verdict.retry_after


async def test_a_refused_request_costs_nothing(limiter: RateLimiter, client: str) -> None:
    await taken(limiter, SLOW, client, 5)
    waits = [(await limiter.take(SLOW, client)).retry_after for _ in range(20)]
    assert max(waits) <= 1000


async def test_it_refills_with_time(limiter: RateLimiter, client: str) -> None:
    assert await taken(limiter, QUICK, client, 2) == [True, True]

    async def allowed() -> bool:
        return (await limiter.take(QUICK, client)).allowed

    started = time.monotonic()
    for _ in range(4):
        await eventually(allowed, 5)
    assert time.monotonic() - started >= 3 / QUICK.per_second, "one every 50 ms, not faster"


async def test_clients_and_limits_do_not_disturb_each_other(
    limiter: RateLimiter, client: str
) -> None:
    await taken(limiter, SLOW, client, 5)
    assert await taken(limiter, SLOW, client + "x", 1) == [True]
    assert await taken(limiter, CLOSED, client, 1) == [True]


async def test_two_processes_share_the_count(runtime: Runtime, client: str) -> None:
    one = RateLimiter(runtime.redis, Breaker(runtime.redis), enabled=True)
    other = RateLimiter(runtime.redis, Breaker(runtime.redis), enabled=True)
    verdicts = await asyncio.gather(
        *(limiter.take(SLOW, client) for _ in range(20) for limiter in (one, other))
    )
    assert sum(verdict.allowed for verdict in verdicts) == 5


async def test_a_client_costs_one_key_that_expires(
    runtime: Runtime, limiter: RateLimiter, client: str
) -> None:
    await taken(limiter, SLOW, client, 3)
    keys = [key async for key in runtime.redis.scan_iter(match=f"*{client}*")]
    assert keys == [f"{{qx:admission}}:slow:{client}"]
    assert 0 < await runtime.redis.pttl(keys[0]) <= 3_000_000


async def test_a_clock_that_went_back_refuses_for_two_bursts_at_most(
    runtime: Runtime, limiter: RateLimiter, client: str
) -> None:
    """Another server has taken over, and its clock is a year behind."""
    ahead = (int(time.time()) + 365 * 86_400) * 1_000_000
    await runtime.redis.set(f"{TAG}:slow:{client}", ahead, ex=60)
    verdict = await limiter.take(SLOW, client)
    assert not verdict.allowed
    assert verdict.retry_after <= SLOW.window_s + 1 / SLOW.per_second


async def test_a_bar_is_seen_on_the_same_way(
    runtime: Runtime, limiter: RateLimiter, client: str
) -> None:
    bar = f"{{qx:admission}}:bar:{client}"
    assert not (await limiter.take(SLOW, client, bar=bar)).barred
    await runtime.redis.set(bar, "1", ex=60)
    assert (await limiter.take(SLOW, client, bar=bar)).barred
    switched_off = RateLimiter(runtime.redis, Breaker(runtime.redis), enabled=False)
    assert (await switched_off.take(SLOW, client, bar=bar)).barred


async def test_headers_follow_the_draft(limiter: RateLimiter, client: str) -> None:
    headers = (await limiter.take(SLOW, client)).headers()
    assert headers == {"RateLimit-Policy": '"slow";q=5;w=5000', "RateLimit": '"slow";r=4;t=0'}


async def test_switched_off_nothing_is_counted(runtime: Runtime, client: str) -> None:
    limiter = RateLimiter(runtime.redis, Breaker(runtime.redis), enabled=False)
    assert all(await taken(limiter, SLOW, client, 50))


async def test_without_redis_this_process_counts(without_redis: RateLimiter, client: str) -> None:
    assert await taken(without_redis, SLOW, client, 7) == [True] * 5 + [False] * 2
    with pytest.raises(RateLimited):
        (await without_redis.take(SLOW, client)).enforce()


async def test_without_redis_guessing_is_not_allowed_at_all(
    without_redis: RateLimiter, client: str
) -> None:
    verdict = await without_redis.take(CLOSED, client)
    assert not verdict.allowed
    with pytest.raises(Busy) as refused:
        verdict.enforce()
    assert refused.value.retry_after == 5


async def test_the_local_count_is_bounded(
    without_redis: RateLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.ratelimit._LOCAL_CLIENTS", 10)
    for number in range(50):
        await without_redis.take(SLOW, str(number))
    assert len(without_redis._local) <= 12


async def test_a_frozen_valkey_is_not_waited_for(
    tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.redis.SOCKET_TIMEOUT_S", 3600)
    with private_valkey(tmp_path) as valkey:
        redis: Redis = connect(valkey.url)
        breaker = Breaker(redis)
        limiter = RateLimiter(redis, breaker, enabled=True)
        assert (await limiter.take(SLOW, client)).allowed
        valkey.process.send_signal(signal.SIGSTOP)
        try:
            async with asyncio.timeout(60):  # only so that a failure is not an hour
                assert (await limiter.take(SLOW, client)).allowed
                verdicts = await asyncio.gather(*(limiter.take(CLOSED, client) for _ in range(500)))
            assert not any(verdict.allowed for verdict in verdicts)
        finally:
            valkey.process.send_signal(signal.SIGCONT)

        async def shared_again() -> bool:
            return not (await limiter.take(CLOSED, client)).redis_down

        await eventually(shared_again, 10)
        await breaker.close()
        await redis.aclose()
