"""The HTTP protocol class that uvicorn runs: one socket write for each reply.

uvicorn writes the head of a reply and its body separately: two system calls, two packets, and
the client is woken twice. Joining them raised a bare echo from 9,300 to 14,300 requests a
second (docs/decisions/0014). What a client may send is limited in ``http_limits``.
"""

import asyncio
from typing import Any

from app.core.http_limits import LimitedProtocol
from app.core.streams import ON_SHUTDOWN


class GatheringTransport(asyncio.Transport):
    """Joins all writes of one event loop iteration into one write to the wrapped transport.

    Only the methods that uvicorn's HTTP protocol calls are implemented. Backpressure works
    as before: the wrapped transport itself calls the protocol's ``pause_writing``.
    """

    def __init__(self, wrapped: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._wrapped = wrapped
        self._loop = loop
        self._chunks: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._chunks:
            self._loop.call_soon(self._flush)
        self._chunks.append(bytes(data))

    def _flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        if chunks and not self._wrapped.is_closing():
            self._wrapped.write(b"".join(chunks))

    def close(self) -> None:
        """Write what was gathered, then close."""
        self._flush()
        self._wrapped.close()

    def is_closing(self) -> bool:
        return self._wrapped.is_closing()

    def pause_reading(self) -> None:
        self._wrapped.pause_reading()

    def resume_reading(self) -> None:
        self._wrapped.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._wrapped.get_extra_info(name, default)


class Protocol(LimitedProtocol):
    """uvicorn's HTTP/1.1 protocol with limits, writing through a ``GatheringTransport``."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(GatheringTransport(transport, self.loop))

    def shutdown(self) -> None:
        """Begin the graceful shutdown; a reply that would go on for minutes is ended."""
        super().shutdown()
        for cycle in (self.cycle, self._previous_cycle):
            if cycle is not None and not cycle.response_complete:
                end = cycle.scope.get("state", {}).get(ON_SHUTDOWN)
                if end is not None:
                    end()
