"""F16: Sentinels replace the master of Redis during check-ins; one of them lies all the time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
import pytest_asyncio

from tests.faults.flaws import flawed
from tests.faults.liar import Liar, liar
from tests.faults.measured import Measured
from tests.faults.server import free_port
from tests.faults.stage import Stage, stage
from tests.faults.takeover import DOWN, assert_right_again, statuses_after, struck
from tests.faults.valkeys import SERVICE, Watched, watched
from tests.faults.waiting import until

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(scope="module")
def wrong() -> Iterator[Liar]:
    """A Sentinel that always names a master that is dead."""
    with liar(("127.0.0.1", free_port())) as found:
        yield found


@pytest_asyncio.fixture(scope="module")
async def one(redis: Watched, wrong: Liar) -> AsyncIterator[Stage]:
    first = f"//127.0.0.1:{wrong.address[1]},"
    async with stage(redis_url=redis.url.replace("//", first)) as found:
        yield found


async def test_the_master_is_killed(
    one: Stage, redis: Watched, wrong: Liar, measured: Measured
) -> None:
    before = redis.master()
    found = await struck(one, lambda: asyncio.to_thread(before.stop))
    await assert_right_again(one, measured, "F16", "master killed", found)
    assert redis.master() is not before
    assert wrong.asked > 0


async def test_the_master_is_demoted_and_still_answers(
    one: Stage, redis: Watched, measured: Measured
) -> None:
    before = redis.whole()
    sentinel = redis.sentinels[0]
    found = await struck(
        one, lambda: asyncio.to_thread(sentinel.ask, "SENTINEL", "FAILOVER", SERVICE)
    )
    await assert_right_again(one, measured, "F16", "master demoted", found)
    assert redis.master() is not before
    until(lambda: before.ask("ROLE")[0] == "slave")


async def test_the_master_is_frozen(one: Stage, redis: Watched, measured: Measured) -> None:
    before = redis.whole()
    found = await struck(one, lambda: asyncio.to_thread(before.freeze))
    before.thaw()
    await assert_right_again(one, measured, "F16", "master frozen", found)
    assert redis.master() is not before


async def test_control_who_never_asks_again_stays_without_redis(
    one: Stage, redis: Watched, measured: Measured
) -> None:
    before = redis.whole()
    with flawed(one.service, "first_master_for_ever") as stubborn:
        strike = partial(asyncio.to_thread, before.stop)
        statuses = await statuses_after(one, stubborn.port, strike)
    measured("F16", "control: statuses after the failover", statuses)
    assert statuses == {DOWN}
