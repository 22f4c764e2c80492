"""One reply, one write."""

import asyncio

import httpx
import uvicorn
from fastapi import FastAPI

from app.core.http import Protocol, _Gathering


class Wire(asyncio.Transport):
    """What a socket would have been given."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def turn() -> None:
    await asyncio.sleep(0)


async def test_what_one_turn_writes_leaves_in_one_piece() -> None:
    wire = Wire()
    gathering = _Gathering(wire, asyncio.get_running_loop())
    gathering.write(b"head ")
    gathering.write(bytearray(b"body"))
    assert wire.writes == []
    await turn()
    gathering.write(b"next")
    await turn()
    assert wire.writes == [b"head body", b"next"]


async def test_closing_loses_nothing() -> None:
    wire = Wire()
    gathering = _Gathering(wire, asyncio.get_running_loop())
    gathering.write(b"last words")
    gathering.close()
    await turn()
    assert (wire.writes, wire.closed) == ([b"last words"], True)


async def test_nothing_is_written_to_who_has_hung_up() -> None:
    wire = Wire()
    gathering = _Gathering(wire, asyncio.get_running_loop())
    gathering.write(b"too late")
    wire.closed = True
    await turn()
    assert wire.writes == []


async def test_a_server_speaks_through_it(unused_tcp_port: int) -> None:
    application = FastAPI()

    @application.get("/numbers")
    async def numbers() -> list[int]:
        return list(range(20_000))

    config = uvicorn.Config(
        application, port=unused_tcp_port, http=Protocol, ws="none", log_config=None
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await turn()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}") as client:
            for _ in range(3):  # one connection, kept alive
                assert (await client.get("/numbers")).json() == list(range(20_000))
            head = await client.head("/numbers")
            assert (head.status_code, head.content) == (405, b"")
    finally:
        server.should_exit = True
        await serving
