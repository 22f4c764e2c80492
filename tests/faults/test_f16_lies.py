"""F16: the only Sentinel lies for ten seconds: it names a replica, then a dead master."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from app.core.redis_urls import Node
from bench.service import Service
from tests.faults.flaws import flawed
from tests.faults.liar import Liar, liar
from tests.faults.measured import Measured
from tests.faults.server import free_port
from tests.faults.stage import Stage, stage
from tests.faults.takeover import TRIED, assert_right_again, struck
from tests.faults.valkeys import SERVICE, Server, pair
from tests.faults.waiting import until

pytestmark = pytest.mark.faults

LIE_S = 10.0
# What a window may still hold of a question that was asked before it.
EDGE_S = 0.5
LOOK_S = 0.05


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    with pair(tmp_path_factory.mktemp("redis")) as found:
        until(lambda: found[1].ask("ROLE")[3] == "connected")
        yield found


@pytest.fixture(scope="module")
def only(servers: list[Server]) -> Iterator[Liar]:
    with liar(at(servers[0])) as found:
        yield found


@pytest_asyncio.fixture(scope="module")
async def one(only: Liar) -> AsyncIterator[Stage]:
    url = f"redis+sentinel://127.0.0.1:{only.address[1]}/{SERVICE}"
    async with stage(redis_url=url) as found:
        yield found


def at(server: Server) -> Node:
    return "127.0.0.1", server.port


async def lie(service: Service, only: Liar, place: Node, master: Server) -> set[str]:
    """Let the Sentinel name a place, and the service ask it; return what it says of Redis then."""
    only.master = place
    await asyncio.to_thread(master.ask, "CLIENT", "KILL", "TYPE", "normal")
    await asyncio.sleep(EDGE_S)
    said, ends = set(), time.monotonic() + LIE_S / 2
    async with httpx.AsyncClient(base_url=service.url, timeout=5) as client:
        while time.monotonic() < ends:
            said.add((await client.get("/readyz")).json()["redis"])
            await asyncio.sleep(LOOK_S)
    return said


async def test_a_server_that_is_no_master_is_not_used(
    one: Stage, only: Liar, servers: list[Server], measured: Measured
) -> None:
    master, replica = servers
    spans: list[tuple[float, float]] = []
    said: set[str] = set()

    async def lies() -> None:
        for place in (at(replica), ("127.0.0.1", free_port())):
            began = time.monotonic() + EDGE_S
            said.update(await lie(one.service, only, place, master))
            spans.append((began, time.monotonic()))
        only.master = at(master)

    found = await struck(one, lies)
    tried = [
        each for span in spans for each in found.guesses.between(*span) if each.status == TRIED
    ]
    measured("F16", "guesses let through, Redis said to be", f"{len(tried)}, {said}")
    assert said == {"down"}
    assert tried == []
    await assert_right_again(one, measured, "F16", "lies ended", found)


async def test_control_a_replica_that_is_believed_is_used(
    one: Stage, only: Liar, servers: list[Server], measured: Measured
) -> None:
    master, replica = servers
    with flawed(one.service, "replicas_believed") as careless:
        said = await lie(careless, only, at(replica), master)
    only.master = at(master)
    measured("F16", "control: a replica, Redis said to be", said)
    assert "ok" in said
