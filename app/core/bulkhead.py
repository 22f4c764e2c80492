"""A bulkhead before an engine: a crowd waits its turn, but not for an engine that is down."""

import asyncio
import time
from collections import deque
from types import TracebackType

from app.core.errors import Busy

# After trouble nobody is let in for so long; then the next ones find out.
CLOSED_S = 0.5


class Bulkhead:
    """Lets ``places`` in at once; the others wait up to ``patience_s`` for their turn.

    Raises Busy for who waits too long, and for everybody who waits when trouble is noted:
    they would only learn later what is known already.
    """

    def __init__(self, places: int, patience_s: float) -> None:
        self._free = places
        self._patience_s = patience_s
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed_until = 0.0

    async def __aenter__(self) -> None:
        if time.monotonic() < self._closed_until:
            raise Busy(retry_after=1)
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience_s):
                await turn
        except (TimeoutError, asyncio.CancelledError) as gone:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._leave()  # a place was given in the moment of leaving: hand it on
            if isinstance(gone, TimeoutError):
                raise Busy(retry_after=1) from None
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def trouble(self) -> None:
        """Send everybody away who waits, and close for a moment."""
        self._closed_until = time.monotonic() + CLOSED_S
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(Busy(retry_after=1))

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
