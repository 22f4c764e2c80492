"""The breaker: one waits, the others do not."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core import redis as module
from app.core.redis import Breaker, RedisDown, connect
from app.runtime import Runtime
from tests.faults.valkey import NOWHERE, private_valkey
from tests.faults.waiting import eventually


async def answer(value: object) -> object:
    if isinstance(value, Exception):
        raise value
    return value


async def test_an_answer_passes() -> None:
    assert await Breaker().call(answer("PONG")) == "PONG"


@pytest.mark.parametrize("error", [RedisConnectionError(), OSError(), TimeoutError()])
async def test_a_failure_becomes_redis_down_and_opens(error: Exception) -> None:
    breaker = Breaker()
    with pytest.raises(RedisDown):
        await breaker.call(answer(error))
    assert breaker.is_open


async def test_a_mistake_of_ours_stays_a_mistake() -> None:
    breaker = Breaker()
    with pytest.raises(ValueError, match="ours"):
        await breaker.call(answer(ValueError("ours")))
    assert not breaker.is_open


async def test_while_it_is_open_nobody_asks() -> None:
    breaker, asked = Breaker(), []

    async def ask() -> None:
        asked.append(1)

    with pytest.raises(RedisDown):
        await breaker.call(answer(OSError()))
    for _ in range(10):
        with pytest.raises(RedisDown):
            await breaker.call(ask())
    assert asked == []


async def test_it_closes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BREAKER_S", 0.05)
    breaker = Breaker()
    with pytest.raises(RedisDown):
        await breaker.call(answer(OSError()))

    async def closed() -> bool:
        return not breaker.is_open

    await eventually(closed, 2)
    assert await breaker.call(answer("PONG")) == "PONG"


async def test_nobody_there_is_known_at_once() -> None:
    client = connect(NOWHERE)
    with pytest.raises(RedisDown):
        await Breaker().call(client.ping())
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
            async with asyncio.timeout(30):  # only so that a failure is not an hour
                answers = await asyncio.gather(
                    *(Breaker().call(client.ping()) for _ in range(50)), return_exceptions=True
                )
            assert all(isinstance(one, RedisDown) for one in answers)
        finally:
            valkey.process.send_signal(signal.SIGCONT)
        await client.aclose()


async def lagging_ping(runtime: Runtime) -> object:
    """Connect and ask while this process is too busy to look at any answer in time."""
    assert runtime.settings.redis_url is not None
    client = connect(runtime.settings.redis_url)
    asked = asyncio.ensure_future(Breaker().call(client.ping()))
    for _ in range(6):
        await asyncio.sleep(0)
        time.sleep(3 * module.LOOK_S)  # noqa: ASYNC251 - the lag that is meant
    try:
        return await asked
    finally:
        await client.aclose()


async def test_our_own_lag_is_not_blamed_on_redis(runtime: Runtime) -> None:
    assert await lagging_ping(runtime)


async def test_control_a_plain_time_out_would_blame_redis(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", module.LOOK_S)
    with pytest.raises(RedisDown):
        await lagging_ping(runtime)


async def test_a_server_that_refuses_to_work_counts_as_down(runtime: Runtime) -> None:
    """Such as one that is out of memory: limits fall back, guessing is refused."""
    with pytest.raises(RedisDown):
        await Breaker().call(runtime.redis.eval("return redis.call('NO-SUCH-COMMAND')", 0))
