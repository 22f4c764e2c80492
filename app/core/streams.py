"""Streams: a connection that stays open and is told what changes, until it is ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from app.core.errors import Busy, Refusal
from app.core.etag import TaggedBody

# Seconds between two looks at what is streamed, and after which something is sent at least: less
# than proxies wait for a piece of a reply.
LOOK_EVERY_S, HEARTBEAT_S = 1.0, 15.0
# What a caller waits who finds no place.
RETRY_AFTER_S = 30
# The key in the state of a request's scope of what ends its reply early: see ``http.Protocol``.
ON_SHUTDOWN = "on_shutdown"


class Streams:
    """The open streams of a process: ``most`` at once, each for ``seconds``."""

    def __init__(self, most: int, seconds: float) -> None:
        self.seconds = seconds
        self._free = most

    def open(self) -> "Stream":
        """Take a place; the caller closes the stream. Raises Busy if none is free."""
        if self._free <= 0:
            raise Busy(retry_after=RETRY_AFTER_S)
        self._free -= 1
        return Stream(self)

    def release(self) -> None:
        self._free += 1


class Stream:
    """A place among the streams, until ``close``."""

    def __init__(self, streams: Streams) -> None:
        self._streams, self._is_open = streams, True
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End the stream at its next look: the process is shut down."""
        self._stopped.set()

    def close(self) -> None:
        """Give the place back. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._streams.release()

    async def changes(
        self,
        read: Callable[[], Awaitable[TaggedBody]],
        known: str = "",
        *,
        look_every_s: float = LOOK_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> AsyncIterator[TaggedBody | None]:
        """Yield what ``read`` returns whenever its tag changes; None as a heartbeat.

        ``known``: the tag that the client has. Nothing is held while the stream waits. It ends
        after its time, with ``stop``, and when ``read`` refuses: the right to read has ended. While
        an engine is busy nothing changes.
        """
        began = sent_at = clock()
        while True:
            try:
                found = await read()
            except Busy:
                found = None
            except Refusal:
                return
            if found is not None and found.tag != known:
                known, sent_at = found.tag, clock()
                yield found
            elif clock() - sent_at >= HEARTBEAT_S:
                sent_at = clock()
                yield None
            if clock() - began >= self._streams.seconds or await self._stops_within(look_every_s):
                return

    async def _stops_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return False
        return True
