"""Waiting for something to happen, with a deadline instead of a guess."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PAUSE_S = 0.02


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Return once the condition holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(PAUSE_S)


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Return once the awaited condition holds; fail after so many seconds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(PAUSE_S)
