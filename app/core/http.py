"""HTTP on the wire: a reply leaves in one piece, and a request's head has an end.

uvicorn writes the head when a reply starts and the body after it: two system calls, two
packets, two times that the client is woken. The second is a third of the cost of a bare
request (docs/decisions/0014).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
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


class Protocol(HttpToolsProtocol):
    """uvicorn's, on a transport that gathers; it hangs up on a head that does not end."""

    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Gathering(transport, self.loop))

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        # Asked afterwards: many whole requests may come in one piece.
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()
