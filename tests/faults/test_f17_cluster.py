"""F17: nodes of a Redis Cluster fail during check-ins, and replicas take their slots."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
import pytest_asyncio

from app.core.ratelimit import TAG
from app.integrations.leaderboards import PREFIX
from tests.faults.flaws import flawed
from tests.faults.measured import Measured
from tests.faults.stage import Stage, stage
from tests.faults.takeover import DOWN, assert_right_again, statuses_after, struck
from tests.faults.valkeys import Cluster, cluster
from tests.faults.waiting import until

pytestmark = pytest.mark.faults
BOTH = pytest.mark.parametrize(("tag", "what"), [(TAG, "limits"), (PREFIX, "boards")])


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest_asyncio.fixture(scope="module")
async def one(redis: Cluster) -> AsyncIterator[Stage]:
    async with stage(redis_url=redis.url) as found:
        yield found


@BOTH
async def test_a_node_is_killed(
    one: Stage, redis: Cluster, measured: Measured, tag: str, what: str
) -> None:
    before = redis.whole(tag)
    found = await struck(one, lambda: asyncio.to_thread(before.stop))
    await assert_right_again(one, measured, "F17", f"node of the {what} killed", found)
    assert redis.master_of(tag) is not before


@BOTH
async def test_a_node_is_frozen(
    one: Stage, redis: Cluster, measured: Measured, tag: str, what: str
) -> None:
    before = redis.whole(tag)
    found = await struck(one, lambda: asyncio.to_thread(before.freeze))
    before.thaw()
    await assert_right_again(one, measured, "F17", f"node of the {what} frozen", found)
    until(lambda: redis.master_of(tag) is not before)


async def test_a_node_is_demoted_and_still_answers(
    one: Stage, redis: Cluster, measured: Measured
) -> None:
    before = redis.whole(TAG)
    replica = redis.replica_of(before)
    found = await struck(one, lambda: asyncio.to_thread(replica.ask, "CLUSTER", "FAILOVER"))
    await assert_right_again(one, measured, "F17", "node of the limits demoted", found)
    assert redis.master_of(TAG) is replica


async def test_control_who_is_too_patient_never_learns_of_a_failover(
    one: Stage, redis: Cluster, measured: Measured
) -> None:
    before = redis.whole(TAG)
    with flawed(one.service, "patient_with_nodes") as patient:
        strike = partial(asyncio.to_thread, before.freeze)
        statuses = await statuses_after(one, patient.port, strike)
        before.thaw()
    measured("F17", "control: statuses after the failover", statuses)
    assert statuses == {DOWN}
