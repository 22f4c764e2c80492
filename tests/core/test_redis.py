"""The breaker: one waits, the others do not."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core import redis as module
from app.core.redis import Breaker, Redis, RedisDown, connect
from app.runtime import Runtime
from tests.faults.valkey import NOWHERE, private_valkey
from tests.faults.waiting import eventually


class Counted:
    """Redis, and how often it was looked for."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.looks = 0

    async def ping(self) -> object:
        self.looks += 1
        return await self._client.ping()


@asynccontextmanager
async def breaker_of(client: Redis | Counted) -> AsyncIterator[Breaker]:
    breaker = Breaker(cast("Redis", client))
    try:
        yield breaker
    finally:
        await breaker.close()


@pytest.fixture
async def breaker(runtime: Runtime) -> AsyncIterator[Breaker]:
    async with breaker_of(runtime.redis) as breaker:
        yield breaker


async def answer(value: object) -> object:
    if isinstance(value, Exception):
        raise value
    return value


async def test_an_answer_passes(breaker: Breaker) -> None:
    assert await breaker.call(answer("PONG")) == "PONG"


@pytest.mark.parametrize("error", [RedisConnectionError(), OSError(), TimeoutError()])
async def test_a_failure_becomes_redis_down_and_opens(breaker: Breaker, error: Exception) -> None:
    with pytest.raises(RedisDown):
        await breaker.call(answer(error))
    assert breaker.is_open


async def test_a_mistake_of_ours_stays_a_mistake(breaker: Breaker) -> None:
    with pytest.raises(ValueError, match="ours"):
        await breaker.call(answer(ValueError("ours")))
    assert not breaker.is_open


async def test_while_redis_is_away_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long: the looks are not made by those who have a question."""
    monkeypatch.setattr(module, "BREAKER_S", 0.01)
    client, asked = connect(NOWHERE), []
    counted = Counted(client)

    async def ask() -> None:
        asked.append(1)

    async with breaker_of(counted) as breaker:

        async def nobody_asks_by_the_third_look() -> bool:
            with pytest.raises(RedisDown):
                await breaker.call(ask())
            return counted.looks >= 3

        with pytest.raises(RedisDown):
            await breaker.call(answer(OSError()))
        await eventually(nobody_asks_by_the_third_look, 10)
    assert asked == []
    await client.aclose()


async def test_it_closes_once_redis_answers(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BREAKER_S", 0.01)
    counted = Counted(runtime.redis)
    async with breaker_of(counted) as breaker:
        for failures in (1, 2):
            with pytest.raises(RedisDown):
                await breaker.call(answer(OSError()))

            async def closed() -> bool:
                return not breaker.is_open

            await eventually(closed, 10)
            assert counted.looks == failures
            assert await breaker.call(answer("PONG")) == "PONG"


async def test_nobody_there_is_known_at_once() -> None:
    client = connect(NOWHERE)
    async with breaker_of(client) as breaker:
        with pytest.raises(RedisDown):
            await breaker.call(client.ping())
    await client.aclose()


async def test_a_frozen_server_is_given_up_long_before_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOCKET_TIMEOUT_S", 3600)
    with private_valkey(tmp_path) as valkey:
        client = connect(valkey.url)
        await client.ping()
        valkey.process.send_signal(signal.SIGSTOP)
        try:
            # The bound is only so that a failure is not an hour.
            async with asyncio.timeout(30), breaker_of(client) as breaker:
                answers = await asyncio.gather(
                    *(breaker.call(client.ping()) for _ in range(50)), return_exceptions=True
                )
            assert all(isinstance(one, RedisDown) for one in answers)
        finally:
            valkey.process.send_signal(signal.SIGCONT)
        await client.aclose()


async def lagging_ping(runtime: Runtime) -> object:
    """Connect and ask while this process is too busy to look at any answer in time."""
    assert runtime.settings.redis_url is not None
    client = connect(runtime.settings.redis_url)
    async with breaker_of(client) as breaker, aclosing(client):
        asked = asyncio.ensure_future(breaker.call(client.ping()))
        for _ in range(6):
            await asyncio.sleep(0)
            time.sleep(3 * module.LOOK_S)  # noqa: ASYNC251 - the lag that is meant
        return await asked


async def test_our_own_lag_is_not_blamed_on_redis(runtime: Runtime) -> None:
    assert await lagging_ping(runtime)


async def test_control_a_plain_time_out_would_blame_redis(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", module.LOOK_S)
    with pytest.raises(RedisDown):
        await lagging_ping(runtime)


async def test_a_server_that_refuses_to_work_counts_as_down(
    runtime: Runtime, breaker: Breaker
) -> None:
    """Such as one that is out of memory: limits fall back, guessing is refused."""
    with pytest.raises(RedisDown):
        await breaker.call(runtime.redis.eval("return redis.call('NO-SUCH-COMMAND')", 0))
