"""A Cluster of one node: whatever touches two slots at once is refused by the server itself."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import SSLConnection
from redis.exceptions import RedisError

from app.core.ids import new_id
from app.core.ratelimit import TAG, Limit, RateLimiter
from app.core.redis import Breaker, Redis, RedisDown, connect
from app.core.revocations import Revocations
from app.integrations.leaderboards import PREFIX, START, Boards, new_generation
from tests.faults.valkeys import Cluster, cluster
from tests.faults.waiting import eventually, until

pytestmark = pytest.mark.long  # processes of its own, which it kills
LIMIT = Limit("slow", burst=5, per_second=0.001)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), masters=1, replicas=0) as found:
        yield found


@pytest.fixture
async def redis(one: Cluster) -> AsyncIterator[Redis]:
    client = connect(one.url)
    async with aclosing(client):
        yield client


@pytest.fixture
async def breaker(redis: Redis) -> AsyncIterator[Breaker]:
    found = Breaker(redis)
    yield found
    await found.close()


async def test_limits_and_revocations(redis: Redis, breaker: Breaker) -> None:
    limiter, revoked = RateLimiter(redis, breaker, enabled=True), Revocations(redis, breaker)
    family, client = new_id(), str(uuid4())
    found = [await limiter.take(LIMIT, client, bar=revoked.bar(family)) for _ in range(6)]
    assert [each.allowed for each in found] == [True] * 5 + [False]
    await revoked.add(family)
    assert (await limiter.check(LIMIT, client)).redis_down is False
    assert (await limiter.take(LIMIT, client, bar=revoked.bar(family))).barred


async def test_boards(redis: Redis, breaker: Breaker) -> None:
    boards = Boards(redis, breaker)
    people = [new_id() for _ in range(3)]
    names = [f"/{n}/:all:2020-01-01" for n in range(4)]
    for generation in (new_generation(), new_generation()):
        gains = {tuple(names): {str(person): 5 for person in people}}
        after = (7, new_id())
        assert await boards.apply(generation, START, after, gains)
        assert not await boards.apply(generation, START, after, gains)
        assert await boards.position(generation) == after
        await boards.show(generation)
        assert await boards.generation() == generation
        tops, ranks = await boards.read(
            generation, [(n, 9) for n in names], [(names[0], people[0])]
        )
        assert [len(top) for top in tops] == [3] * 4
        assert ranks[0] is not None
    left = [key async for key in redis.scan_iter(match=f"{PREFIX}:*") if await redis.ttl(key) == -1]
    assert len(left) == 1 + 1 + len(names), "those of the generation before expire"


async def test_control_two_slots_are_refused(redis: Redis) -> None:
    with pytest.raises(RedisError):
        await redis.eval("return 1", 2, "one", "another")


async def test_a_slot_that_nobody_serves_is_redis_down(one: Cluster) -> None:
    """redis-py raises what is no RedisError."""
    (node,) = one.nodes
    slot = node.ask("CLUSTER", "KEYSLOT", TAG)
    client = connect(one.url)
    breaker = Breaker(client)
    node.ask("CLUSTER", "DELSLOTS", slot)
    try:
        async with aclosing(client):
            with pytest.raises(RedisDown):
                await breaker.call(client.get(TAG))
            await breaker.close()
    finally:
        node.ask("CLUSTER", "ADDSLOTS", slot)
        until(one.is_whole)


@pytest.fixture
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("two"), masters=2, replicas=0) as found:
        yield found


async def test_a_ping_reaches_the_nodes_of_the_scripts(two: Cluster) -> None:
    """And learns from a silent one that there may be another; else its replica is never found."""
    client = connect(two.url)
    async with aclosing(client):
        assert await client.ping()
        before = two.master_of(PREFIX)
        before.freeze()
        try:
            with pytest.raises(RedisError):
                await client.ping()
        finally:
            before.thaw()
        until(two.is_whole)
        assert await client.ping()


async def test_control_redis_py_pings_another_node(two: Cluster) -> None:
    client = connect(two.url)
    async with aclosing(client):
        assert await client.ping()
        before = two.master_of(PREFIX)
        before.freeze()
        try:
            assert await RedisCluster.ping(cast("RedisCluster", client))
        finally:
            before.thaw()


async def test_a_ping_finds_the_master_that_took_over(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, masters=1, replicas=1) as found:
        before, replica = found.nodes
        client = connect(found.url)
        async with aclosing(client):
            assert await client.ping()
            before.stop()
            with pytest.raises(RedisError):
                await client.ping()
            replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")

            async def pinged() -> bool:
                try:
                    return bool(await client.ping())
                except RedisError:
                    return False

            await eventually(pinged)
            assert await client.set("key", "1")


async def test_with_tls_and_an_account() -> None:
    client = cast("RedisCluster", connect("rediss+cluster://u:p@n1,n2:7000?ssl_ca_certs=/ca.pem"))
    asked = [one.acquire_connection() for one in client.startup_nodes]
    assert {(one.host, one.port) for one in asked} == {("n1", 6379), ("n2", 7000)}
    for one in asked:
        assert isinstance(one, SSLConnection)
        assert (one.username, one.password, one.ca_certs) == ("u", "p", "/ca.pem")


async def test_nobody_there_is_known_at_once() -> None:
    client = connect("redis+cluster://127.0.0.1:1")
    breaker = Breaker(client)
    async with aclosing(client):
        with pytest.raises(RedisDown):
            await breaker.call(client.get("key"))
        assert breaker.is_open
        await breaker.close()
