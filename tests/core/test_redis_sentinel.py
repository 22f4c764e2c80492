"""Behind Sentinels: which of them is believed, and what must be a master."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from typing import Any

import pytest
from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from app.core import redis_sentinel
from app.core.redis import Redis, connect
from app.core.redis_sentinel import Masters, MasterSSLConnection
from app.core.redis_urls import Node
from tests.faults.liar import Liar, liar
from tests.faults.valkeys import Server, pair
from tests.faults.waiting import eventually, until

pytestmark = pytest.mark.long  # processes of its own, which it kills
RIGHT, WRONG = ("127.0.0.1", 7001), ("127.0.0.1", 7002)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not the subject."""
    monkeypatch.setattr(redis_sentinel, "ANSWER_S", 30)


@pytest.fixture
def three() -> Iterator[list[Liar]]:
    with ExitStack() as stack:
        yield [stack.enter_context(liar(RIGHT)) for _ in range(3)]


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A master and its replica."""
    with pair(tmp_path_factory.mktemp("pair")) as found:
        until(lambda: found[1].ask("ROLE")[3] == "connected")
        yield found


def url_of(sentinels: list[Liar]) -> str:
    return f"redis+sentinel://{','.join(f'127.0.0.1:{one.address[1]}' for one in sentinels)}/qx/0"


def name(sentinels: list[Liar], server: Server) -> None:
    for one in sentinels:
        one.master = ("127.0.0.1", server.port)


async def found_by(sentinels: list[Liar]) -> Node:
    masters = Masters([one.address for one in sentinels], "qx", decode_responses=True)
    async with aclosing(masters):
        return await masters.find()


@pytest.mark.parametrize("which", range(3))
async def test_one_that_lies_is_outvoted(three: list[Liar], which: int) -> None:
    three[which].master = WRONG
    three[which].failovers = 9
    assert await found_by(three) == RIGHT


async def test_divided_the_latest_failover_counts(three: list[Liar]) -> None:
    silent, before, after = three
    silent.flags = "master,s_down"
    before.master, before.failovers, after.failovers = WRONG, 4, 5
    assert await found_by(three) == RIGHT


async def test_a_majority_does_not_wait_for_one_that_is_silent(
    three: list[Liar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sentinel, "ANSWER_S", 3600)
    three[0].master = None
    async with asyncio.timeout(30):
        assert await found_by(three) == RIGHT


@pytest.mark.parametrize("flags", ["master,s_down", "master,s_down,o_down"])
async def test_a_master_that_is_down_is_none(three: list[Liar], flags: str) -> None:
    for one in three:
        one.flags = flags
    with pytest.raises(RedisConnectionError, match="no Sentinel knows a master"):
        await found_by(three)


async def test_silent_sentinels_name_nobody(
    three: list[Liar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sentinel, "ANSWER_S", 0.1)
    for one in three:
        one.master = None
    with pytest.raises(RedisConnectionError, match="no Sentinel knows a master"):
        await found_by(three)


async def read_from_the_replica(three: list[Liar], servers: list[Server]) -> object:
    name(three, servers[1])
    client = connect(url_of(three))
    async with aclosing(client):
        return await client.get("key")


async def test_a_replica_is_not_even_read(three: list[Liar], servers: list[Server]) -> None:
    with pytest.raises(RedisError, match="no master"):
        await read_from_the_replica(three, servers)


async def test_control_without_its_role_a_replica_is_read(
    three: list[Liar], servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sentinel, "_greet", Connection.on_connect)
    assert await read_from_the_replica(three, servers) is None


async def test_with_tls_and_accounts() -> None:
    """Servers and Sentinels have accounts of their own, and share what concerns TLS."""
    query = "ssl_ca_certs=/ca.pem&sentinel_username=s&sentinel_password=sp"
    client = connect(f"rediss+sentinel://u:up@s1,s2:26380/qx/3?{query}")
    async with aclosing(client):
        server: Any = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        assert isinstance(server, MasterSSLConnection)
        assert (server.username, server.password, server.db) == ("u", "up", 3)
        pools: list[Any] = [one.connection_pool for one in server._masters._sentinels]
        asked = [pool.make_connection() for pool in pools]
        assert [(one.host, one.port) for one in asked] == [("s1", 26379), ("s2", 26380)]
        for one in asked:
            assert isinstance(one, SSLConnection)
            assert (one.username, one.password, one.db) == ("s", "sp", 0)
            assert one.ca_certs == server.ca_certs == "/ca.pem"


async def several(client: Redis) -> list[object]:
    """Write on several connections at once; return what came of it."""
    asked = (client.set(f"key-{n}", "1") for n in range(5))
    return [type(one).__name__ for one in await asyncio.gather(*asked, return_exceptions=True)]


async def test_a_demoted_master_loses_all_connections(
    three: list[Liar], servers: list[Server]
) -> None:
    first, second = servers
    name(three, first)
    client = connect(url_of(three))
    async with aclosing(client):
        assert set(await several(client)) == {"bool"}
        second.ask("REPLICAOF", "NO", "ONE")
        first.ask("REPLICAOF", "127.0.0.1", second.port)
        name(three, second)
        with pytest.raises(RedisConnectionError, match="demoted"):
            await client.set("key", "1")
        assert set(await several(client)) == {"bool"}
        assert second.ask("GET", "key-4") == "1"


async def test_a_ping_asks_the_sentinels_anew(three: list[Liar], servers: list[Server]) -> None:
    """The old master may be cut off from them: it answers, and nobody follows it."""
    first, second = servers
    name(three, first)
    client = connect(url_of(three))
    async with aclosing(client):
        assert await client.ping()
        second.ask("REPLICAOF", "NO", "ONE")
        name(three, second)
        await client.set("key", "before")
        assert await client.ping()
        await client.set("key", "after")
    assert (first.ask("GET", "key"), second.ask("GET", "key")) == ("before", "after")


async def test_a_connection_that_stays_asks_seldom(
    three: list[Liar], servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sentinel, "ASK_EVERY_S", 3600)
    name(three, servers[0])
    client = connect(url_of(three[:1]))
    async with aclosing(client):
        for _ in range(20):
            await client.get("key")
    assert three[0].asked == 1


async def test_an_old_master_that_answers_is_left(
    three: list[Liar], servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentinels let it be for ten seconds; no command fails meanwhile."""
    monkeypatch.setattr(redis_sentinel, "ASK_EVERY_S", 0)
    first, second = servers
    name(three, first)
    client = connect(url_of(three))
    async with aclosing(client):
        await client.set("key", "before")
        second.ask("REPLICAOF", "NO", "ONE")
        name(three, second)

        async def arrives() -> bool:
            return bool(await client.set("key", "after")) and second.ask("GET", "key") == "after"

        await eventually(arrives)
    assert first.ask("ROLE")[0] == "master"


async def test_sentinels_that_fall_silent_change_nothing(
    three: list[Liar], servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sentinel, "ASK_EVERY_S", 0)
    name(three, servers[0])
    client = connect(url_of(three))
    async with aclosing(client):
        assert await client.set("key", "1")
        monkeypatch.setattr(redis_sentinel, "ANSWER_S", 0.1)
        for one in three:
            one.master, one.asked = None, 0

        async def asked_in_vain() -> bool:
            assert await client.set("key", "1")
            return all(one.asked > 2 for one in three)

        await eventually(asked_in_vain)
