"""One reply, one write; and an end to what a client may send."""

import asyncio
import gc
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from weakref import ref

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from app.api.middleware import RequestContext
from app.core.http import GatheringTransport, Protocol
from app.core.http_limits import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED

GET = b"GET /numbers HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /length HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
LAST = GET + b"Connection: close\r\n\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


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

    def pause_reading(self) -> None:
        """Nothing is read from it."""

    def resume_reading(self) -> None:
        """Nor after a pause."""


async def turn() -> None:
    await asyncio.sleep(0)


async def test_what_one_turn_writes_leaves_in_one_piece() -> None:
    wire = Wire()
    gathering = GatheringTransport(wire, asyncio.get_running_loop())
    gathering.write(b"head ")
    gathering.write(bytearray(b"body"))
    assert wire.writes == []
    await turn()
    gathering.write(b"next")
    await turn()
    assert wire.writes == [b"head body", b"next"]


async def test_closing_loses_nothing() -> None:
    wire = Wire()
    gathering = GatheringTransport(wire, asyncio.get_running_loop())
    gathering.write(b"last words")
    gathering.close()
    await turn()
    assert (wire.writes, wire.closed) == ([b"last words"], True)


async def test_nothing_is_written_to_who_has_hung_up() -> None:
    wire = Wire()
    gathering = GatheringTransport(wire, asyncio.get_running_loop())
    gathering.write(b"too late")
    wire.closed = True
    await turn()
    assert wire.writes == []


@asynccontextmanager
async def serving(
    port: int, layer: Callable[[ASGIApp], ASGIApp] = lambda app: app
) -> AsyncIterator[str]:
    """A small application, in a layer of middleware, behind uvicorn and our protocol."""
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

    @application.post("/name")
    async def name(request: Request) -> str:
        await request.body()
        return request.headers.get("x-name", "nobody")

    config = uvicorn.Config(
        layer(application),
        port=port,
        http=Protocol,
        ws="none",
        log_config=None,
        timeout_keep_alive=60,
    )
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


async def test_head_is_get_without_its_body(unused_tcp_port: int) -> None:
    """On one connection: a body that nobody expects would be read as the next reply."""
    head = GET.replace(b"GET", b"HEAD", 1) + b"\r\n"
    async with serving(unused_tcp_port, lambda app: RequestContext(app, ["*"])):
        answer = await said(unused_tcp_port, head + head + LAST)
    *heads, body = answer.split(b"\r\n\r\n")
    assert [one[:12] for one in heads] == [b"HTTP/1.1 200"] * 3, "nothing stands before a head"
    assert json.loads(body) == list(range(20_000))
    assert all(f"content-length: {len(body)}".encode() in one for one in heads)


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
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


async def test_trailers_that_end_are_no_harm(unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, CHUNKED + b"0\r\nX: y\r\n\r\n" + LAST)
    assert statuses(answer) == [200, 200]
    assert b"\r\n\r\n2HTTP/1.1" in answer


async def test_a_trailer_is_no_header(unused_tcp_port: int) -> None:
    """It could log somebody in whom the front did not see, or forge where a request is from."""
    asked = CHUNKED.replace(b"/length", b"/name") + b"0\r\nX-Name: root\r\n\r\n"
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, asked + LAST)
    assert b'"nobody"' in answer


async def test_a_long_head_is_refused_among_others(unused_tcp_port: int) -> None:
    long = GET + b"X: " + b"a" * (MAX_HEAD_BYTES + 1_000) + b"\r\n\r\n"
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, GET + b"\r\n" + long + LAST)
    assert statuses(answer) == [200]


async def test_a_body_is_not_refused_after_its_reply(unused_tcp_port: int) -> None:
    """Who sends requests ahead would take the refusal for the reply to the next."""
    async with serving(unused_tcp_port):
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(GET + b"Transfer-Encoding: chunked\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length
        await reader.readexactly(int(length[1]))
        writer.write(b"no length\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_who_asks_too_far_ahead_is_answered_so_far(unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, (POST + b"\r\n") * (MAX_PIPELINED + 50))
    assert statuses(answer) == [200] * (1 + MAX_PIPELINED)


@pytest.mark.parametrize(
    "bad",
    [
        b"GARBAGE\r\n\r\n",
        GET + b"X: " + b"a" * 16 * MAX_HEAD_BYTES,
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
        CHUNKED + b"no length\r\n",
    ],
    ids=["malformed", "too long", "no proxy", "malformed body"],
)
async def test_what_came_before_a_bad_request_is_answered(unused_tcp_port: int, bad: bytes) -> None:
    """A refusal in its place would be taken for the reply to it."""
    async with serving(unused_tcp_port):
        after = await said(unused_tcp_port, GET + b"\r\n" + bad)
        alone = await said(unused_tcp_port, bad)
    assert statuses(after)[:1] == [200]
    assert 200 not in statuses(alone)


@pytest.mark.parametrize("beginning", [GET, CHUNKED + b"0\r\n"], ids=["head", "trailers"])
async def test_headers_have_a_number(unused_tcp_port: int, beginning: bytes) -> None:
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, beginning + b"X: y\r\n" * MAX_HEADERS + b"\r\n")
    assert statuses(answer) == [400]


async def test_nothing_more_is_read_while_requests_wait(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = Protocol.on_response_complete

    def noted(self: Protocol) -> None:
        original(self)
        seen.append((len(self.pipeline), self.flow.read_paused))

    monkeypatch.setattr(Protocol, "on_response_complete", noted)
    async with serving(unused_tcp_port):
        await said(unused_tcp_port, (POST + b"\r\n") * 3 + LAST)
    assert seen[:3] == [(2, True), (1, True), (0, True)]


async def test_a_malformed_body_is_told_so(unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, CHUNKED + b"no length\r\n")
    assert statuses(answer) == [400]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("wish", [b"h2c", b"websocket"])
async def test_an_upgrade_is_ignored(unused_tcp_port: int, wish: bytes, apart: bool) -> None:
    """The body that follows is a body, and what follows that is the next request."""
    body = GET + b"\r\n"
    head = POST + b"Connection: Upgrade\r\nUpgrade: %s\r\n" % wish
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    pieces = (head[:30], head[30:], body, LAST) if apart else (head + body + LAST,)
    async with serving(unused_tcp_port):
        answer = await said(unused_tcp_port, *pieces)
    assert statuses(answer) == [200, 200]
    assert b"\r\n\r\n%dHTTP/1.1" % len(body) in answer


def on_a_wire(go_on: asyncio.Event) -> tuple[Protocol, Wire]:
    """Return our protocol before an application that answers when it is told to."""

    async def hold(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await PlainTextResponse("")(scope, receive, send)

    config = uvicorn.Config(hold, log_config=None)
    config.load()
    protocol, wire = Protocol(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def answered(wire: Wire) -> list[int]:
    for _ in range(10):
        await turn()
    return statuses(b"".join(wire.writes))


async def test_after_a_refusal_nothing_more_is_heard() -> None:
    go_on = asyncio.Event()
    protocol, wire = on_a_wire(go_on)
    for piece in (POST + b"\r\n", CHUNKED + b"no length\r\n", b"more\r\n", POST + b"\r\n"):
        protocol.data_received(piece)
        assert await answered(wire) == []
    go_on.set()
    assert (await answered(wire), wire.closed) == ([200], True)


async def test_a_long_body_is_no_overhead() -> None:
    go_on = asyncio.Event()
    protocol, wire = on_a_wire(go_on)
    protocol.data_received(POST + b"Content-Length: %d\r\n\r\n" % (3 * MAX_HEAD_BYTES))
    for _ in range(3):
        protocol.data_received(b"x" * MAX_HEAD_BYTES)
    go_on.set()
    assert (await answered(wire), wire.closed) == ([200], False)


async def test_each_part_of_a_request_has_the_limit_for_itself() -> None:
    """Head, extensions of two chunks, next head: each shorter than the limit, any two longer."""
    go_on = asyncio.Event()
    go_on.set()
    protocol, wire = on_a_wire(go_on)
    long = b"a" * (MAX_HEAD_BYTES * 2 // 3)
    head = POST + b"Transfer-Encoding: chunked\r\nX: "
    for piece in (head, long, b"\r\n\r\n", b"2;", long, b"\r\n{}\r\n", b"0\r\n\r\n"):
        protocol.data_received(piece)
    assert (await answered(wire), wire.closed) == ([200], False)
    for piece in (CHUNKED + b"0;", long, b"\r\n\r\n", GET + b"X: ", long, b"\r\n\r\n"):
        protocol.data_received(piece)
    assert (await answered(wire), wire.closed) == ([200] * 3, False)


def waits(protocol: Protocol) -> bool:
    """Tell whether the connection will be cut when it stays idle."""
    return protocol.timeout_keep_alive_task is not None


async def test_the_idle_timer_ends_with_the_idleness_and_with_the_connection() -> None:
    go_on = asyncio.Event()
    go_on.set()
    protocol, wire = on_a_wire(go_on)
    protocol.data_received(POST + b"\r\n")
    assert await answered(wire) == [200]
    assert waits(protocol)
    protocol.data_received(POST)
    assert not waits(protocol)
    protocol.data_received(b"\r\n")
    assert await answered(wire) == [200, 200]
    assert waits(protocol)
    protocol.connection_lost(ConnectionResetError())
    assert not waits(protocol)


async def test_requests_that_never_started_leave_with_their_connection() -> None:
    """Without the collector: it counts objects, and their bodies may be large."""
    go_on = asyncio.Event()
    protocol, _ = on_a_wire(go_on)
    protocol.data_received((POST + b"\r\n") * 3)
    await turn()
    waiting, gone = len(protocol.pipeline), ref(protocol)
    gc.disable()
    try:
        protocol.connection_lost(None)
        del protocol
        go_on.set()
        for _ in range(10):
            await turn()
        assert (waiting, gone()) == (2, None)
    finally:
        gc.enable()


async def test_many_requests_in_one_piece_are_all_answered(unused_tcp_port: int) -> None:
    one = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1_000
    async with serving(unused_tcp_port):
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(one * MAX_PIPELINED)
        for _ in range(MAX_PIPELINED):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(4) == b"1000"
        writer.close()
