"""One reply, one write; and an end to what a client may send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect

from app.core.http import MAX_AHEAD, MAX_HEAD_BYTES, Protocol, _Gathering

GET = b"GET /numbers HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /length HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n2\r\n{}\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


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
        try:
            return len(await request.body())
        except ClientDisconnect:
            return 0

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


async def said(port: int, *pieces: bytes) -> bytes:
    """Send piece after piece; return all that is answered until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        async with asyncio.timeout(10):
            with suppress(ConnectionError):  # hanging up may overtake the answer
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                while part := await reader.read(100_000):
                    answer += part
    finally:
        writer.close()
    return answer


@pytest.mark.parametrize("more", [b"a" * 1_000, b"\r\nX: y" * 200], ids=["long", "many"])
@pytest.mark.parametrize(
    "beginning", [GET + b"X: ", CHUNKED + b"0\r\nX: "], ids=["head", "trailer"]
)
async def test_what_has_no_end_is_hung_up_on(
    unused_tcp_port: int, beginning: bytes, more: bytes
) -> None:
    pieces = [more] * (16 * MAX_HEAD_BYTES // len(more))
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, beginning, *pieces)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_trailers_that_end_are_no_harm(unused_tcp_port: int) -> None:
    request = CHUNKED.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, request + b"0\r\nX: y\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n2")


async def test_who_asks_too_far_ahead_is_hung_up_on(unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, (GET + b"\r\n") * (MAX_AHEAD + 2))
    assert answer == b""


async def test_an_upgrade_is_answered_as_if_nothing_had_been_asked(unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, GET + UPGRADE + b"\r\n" + GET + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1") == 1, "what follows is in another protocol"


@pytest.mark.parametrize("apart", [False, True])
async def test_a_body_behind_an_upgrade_is_never_a_request(
    unused_tcp_port: int, apart: bool
) -> None:
    body = GET + b"\r\n"
    head = b"POST /length HTTP/1.1\r\nHost: x\r\n" + UPGRADE
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    async with serving(unused_tcp_port):
        pieces = (head, body) if apart else (head + body,)
        answer = await said(unused_tcp_port, *pieces)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_many_requests_in_one_piece_are_all_answered(unused_tcp_port: int) -> None:
    one = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1_000
    async with serving(unused_tcp_port):
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(one * MAX_AHEAD)
        for _ in range(MAX_AHEAD):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(4) == b"1000"
        writer.close()
