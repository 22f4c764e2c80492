"""A stream over a socket: it is not buffered, and ends with its client and with the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from app.api.event_streams import EventStream
from app.api.middleware import RequestContext
from app.core.errors import Busy
from app.core.etag import TaggedBody
from app.core.http import Protocol
from app.core.streams import Streams
from tests.core.test_http import turn

ASKED = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE_S = 20


@asynccontextmanager
async def serving(streams: Streams, port: int) -> AsyncIterator[uvicorn.Server]:
    """Serve a stream that never changes, by our layers; wait for the end of the server."""
    application = FastAPI()

    async def read() -> TaggedBody:
        return TaggedBody("a", b"1")

    @application.get("/stream", response_class=EventStream)
    async def stream() -> EventStream:
        return EventStream(streams.open(), read, "")

    layers = RequestContext(application, ["*"])
    config = uvicorn.Config(layers, port=port, http=Protocol, ws="none", log_config=None)
    server = uvicorn.Server(config)
    async with asyncio.timeout(PATIENCE_S):
        running = asyncio.create_task(server.serve())
        while not server.started:
            await turn()
        yield server
        server.should_exit = True
        await running


async def test_an_open_stream_ends_with_the_server(unused_tcp_port: int) -> None:
    """Uvicorn itself would wait for it, here without an end."""
    async with serving(Streams(1, seconds=600), unused_tcp_port) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(ASKED)
        head = await reader.readuntil(b"id: a\n\n")  # comes before the stream has ended
        server.should_exit = True
        rest = await reader.read()
        writer.close()
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"data: 1\n" in head
    assert rest.endswith(b"0\r\n\r\n")


async def test_a_stream_ends_with_its_client(unused_tcp_port: int) -> None:
    streams = Streams(1, seconds=600)
    async with serving(streams, unused_tcp_port):
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(ASKED)
        await reader.readuntil(b"id: a\n\n")
        writer.close()
        while not has_place(streams):
            await turn()


def has_place(streams: Streams) -> bool:
    try:
        streams.open().close()
    except Busy:
        return False
    return True
