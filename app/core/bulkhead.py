"""A bulkhead: limits how many callers use an engine at once, and how long others wait for it."""

import asyncio
import time
from collections import deque
from types import TracebackType

from app.core.errors import Busy

# After ``trouble`` all callers are refused for so long. The next ones try the engine again.
CLOSED_S = 0.5


class Bulkhead:
    """Admits ``places`` callers at once; others wait up to ``patience_s`` seconds, in order.

    Raises Busy after that time, and at once in every waiting caller when ``trouble`` is called:
    the engine does not answer, so waiting on would only fail later.
    """

    def __init__(self, places: int, patience_s: float) -> None:
        self._free = places
        self._patience_s = patience_s
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed_until = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether new callers are refused, because of trouble."""
        return time.monotonic() < self._closed_until

    async def __aenter__(self) -> None:
        if self.is_closed:
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
                self._leave()  # admitted in the moment of giving up: admit the next one
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
        """Refuse all waiting callers, and all new ones for ``CLOSED_S`` seconds."""
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
