"""HTTP on the wire: a reply leaves in one piece, and what a client may send has an end.

uvicorn writes the head when a reply starts and the body after it: two system calls, two
packets, two times that the client is woken. The second is a third of the cost of a bare
request (docs/decisions/0014).

It bounds neither heads nor the trailers of a chunked body nor requests sent ahead, and
what follows an ``Upgrade`` it reads as a request of its own, bodies too.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
# Requests that wait for the reply to an earlier one of the same connection.
MAX_AHEAD = 100
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


def _announces_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in headers
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


class Protocol(HttpToolsProtocol):
    """uvicorn's, on a transport that gathers; it hangs up on what has no end."""

    # Received since the last piece of a body: head, trailers, whatever leads nowhere.
    _overhead = 0
    _is_last = False  # nothing more is read from this connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Gathering(transport, self.loop))

    def data_received(self, data: bytes) -> None:
        if self._is_last:
            return
        self._overhead += len(data)
        super().data_received(data)
        # Asked afterwards: many whole requests may come in one piece.
        if self._overhead > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Start the request. What is raised here ends the connection with 400."""
        if len(self.pipeline) >= MAX_AHEAD:
            raise ValueError("too many requests ahead of their replies")
        self._overhead = 0
        upgrades = self.parser.should_upgrade()
        if upgrades:
            # The parser reads nothing after such a head, not even the body that it announces.
            self._is_last = True
            if _announces_body(self.headers):
                raise ValueError("an upgrade with a body")
        super().on_headers_complete()
        if upgrades:
            self.cycle.keep_alive = False  # answered as if nothing had been asked (RFC 9110, 7.8)

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._overhead = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse; but without a word while earlier requests wait for their replies."""
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: anybody could fill the log with it."""
