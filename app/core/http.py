"""HTTP on the wire: a reply leaves in one piece, and what a client may send has an end.

uvicorn writes the head when a reply starts and the body after it: two system calls, two
packets, two times that the client is woken. The second is a third of the cost of a bare
request (docs/decisions/0014).

It bounds neither heads nor the trailers of a chunked body nor requests sent ahead, and
what follows an ``Upgrade``, even a body, it reads as a request of its own.
"""

import asyncio
from collections.abc import Sized
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 64 * 1024
# Requests that wait for the reply to an earlier one of the same connection.
MAX_AHEAD = 100
# Each costs the parser as much as a kilobyte of one long header.
MAX_HEADERS = 100
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class _Gathering(asyncio.Transport):
    """Writes at the end of the loop's turn what was written during it."""

    def __init__(self, wire: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._wire = wire
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(bytes(data))

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._wire.is_closing():
            self._wire.write(b"".join(parts))

    def close(self) -> None:
        self._flush()
        self._wire.close()

    def is_closing(self) -> bool:
        return self._wire.is_closing()

    def pause_reading(self) -> None:
        self._wire.pause_reading()

    def resume_reading(self) -> None:
        self._wire.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._wire.get_extra_info(name, default)


class _Flow(FlowControl):
    """Reading rests while requests wait: who is being answered has been read to the end."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class Protocol(HttpToolsProtocol):
    """uvicorn's, on a transport that gathers; it takes nothing more from who has no end."""

    # Received since the last piece of a body: head, trailers, whatever leads nowhere.
    _overhead = 0
    # Of the request that is being read: its headers, trailers among them, and their size.
    _headers = _header_bytes = 0
    _head_is_read = False
    _is_deaf = False  # what still comes on this connection is dropped
    _before: RequestResponseCycle | None = None  # the request before the newest

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Gathering(transport, self.loop))
        self.flow = _Flow(self.transport, self.pipeline)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # A reply that met a reset has set the timer: it would keep us for its whole length.
        self._unset_keepalive_if_required()
        # Requests that never started are in a circle with us, bodies and all.
        self.pipeline.clear()
        self.cycle = self._before = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._unset_keepalive_if_required()
        self._overhead += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        # Asked afterwards: many whole requests may come in one piece.
        if self._overhead > MAX_HEAD_BYTES and not self._is_deaf:
            self._end_with(TOO_LARGE)

    def on_message_begin(self) -> None:
        self._headers = self._header_bytes = 0
        self._head_is_read = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        self._header_bytes += len(name) + len(value)
        if self._headers > MAX_HEADERS or self._header_bytes > MAX_HEAD_BYTES:
            raise ValueError("too many headers")
        # A trailer must not log anybody in, nor say where the request came from.
        if not self._head_is_read:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # in a moment the parser says so itself
        if len(self.pipeline) >= MAX_AHEAD:
            raise ValueError("too many requests ahead of their replies")
        self._overhead = 0
        self._head_is_read = True
        self._before = self.cycle
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._overhead = 0
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._end_with(b"HTTP/1.1 400 Bad Request\r\n" + _text(msg.encode()))

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Read the head once more without its ``Upgrade``, as a server may (RFC 9110, 7.8).

        The parser reads nothing after such a head, not even the body that it announces.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self.send_400_response("This is no proxy.")
            return
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode())]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _end_with(self, refusal: bytes) -> None:
        """Refuse what is being read, and hang up; but first answer what came before it."""
        self._is_deaf = True
        if self.pipeline and self.cycle.more_body:
            self.pipeline.popleft()  # it is what is refused, and has not begun
            assert self._before is not None
            self._before.keep_alive = False  # the last of those that are answered
        elif self.cycle is not None and not (self.cycle.response_complete or self.cycle.more_body):
            self.cycle.keep_alive = False
        else:
            if self.cycle is None or not (self.cycle.response_complete and self.cycle.more_body):
                self.transport.write(refusal)  # and no second reply to whose body it is
            self.transport.close()


def _text(body: bytes) -> bytes:
    """Return headers and body of a reply after which the connection ends."""
    head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
    return head + b"connection: close\r\n\r\n" + body
