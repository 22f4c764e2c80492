"""One reply, one write; and a head that ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import uvicorn
from fastapi import FastAPI, Request

from app.core.http import MAX_HEAD_BYTES, Protocol, _Gathering


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


@asynccontextmanager
async def serving(port: int) -> AsyncIterator[str]:
    """A small application behind uvicorn and our protocol."""
    application = FastAPI()

    @application.get("/numbers")
    async def numbers() -> list[int]:
        return list(range(20_000))

    @application.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    config = uvicorn.Config(application, port=port, http=Protocol, ws="none", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await turn()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


async def test_a_server_speaks_through_it(unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port) as url, httpx.AsyncClient(base_url=url) as client:
        for _ in range(3):  # one connection, kept alive
            assert (await client.get("/numbers")).json() == list(range(20_000))
            assert (await client.post("/length", content=b"x" * 200_000)).json() == 200_000
        head = await client.head("/numbers")
        assert (head.status_code, head.content) == (405, b"")


async def test_a_head_without_end_is_hung_up_on(unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port):
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"GET /numbers HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(2 * MAX_HEAD_BYTES // 1_000):
            writer.write(b"a" * 1_000)
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):  # it may overtake the answer
                assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        writer.close()


async def test_many_requests_in_one_piece_are_all_answered(unused_tcp_port: int) -> None:
    one = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1_000
    async with serving(unused_tcp_port):
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(one * 200)
        for _ in range(200):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(4) == b"1000"
        writer.close()
