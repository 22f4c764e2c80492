"""Snapshots: what many callers ask for again and again is read once for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from app.core.clock import now

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[V]):
    value: V
    read_at: datetime


class Snapshots(Generic[K, V]):
    """Reads the value of a key at most once in ``age``, and gives it to all who ask meanwhile.

    ``age`` counts from when the reading began. Callers who come during a reading wait for it
    (single flight). What ``read`` raises is raised in all of them and not kept: the next caller
    reads again. Of more than ``most`` keys those that were read longest ago are forgotten.
    """

    def __init__(self, read: Callable[[K], Awaitable[V]], *, age: timedelta, most: int) -> None:
        self._read, self._age, self._most = read, age, most
        self._kept: dict[K, _Kept[V]] = {}  # in the order of reading
        self._running: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """Return the value, which was read at most ``age`` ago. Raises what ``read`` raises."""
        kept = self._kept.get(key)
        # A clock that was set back must not keep a value for longer.
        if kept is not None and timedelta(0) <= now() - kept.read_at < self._age:
            return kept.value
        task = self._running.get(key)
        if task is None:
            # In an empty context: the reading is not of one request. Not of one task either: a
            # caller who goes away does not end it for the others.
            task = asyncio.create_task(self._read_once(key), context=Context())
            task.add_done_callback(_note)
            self._running[key] = task
        return await asyncio.shield(task)

    async def _read_once(self, key: K) -> V:
        began = now()
        try:
            value = await self._read(key)
            self._kept.pop(key, None)
            self._kept[key] = _Kept(value, began)
            while len(self._kept) > self._most:
                self._kept.pop(next(iter(self._kept)))
            return value
        finally:
            del self._running[key]

    async def close(self) -> None:
        """Wait for the readings that run."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)


def _note(task: asyncio.Task[V]) -> None:
    """Look at the error of a reading all of whose callers have gone, so that none is logged."""
    if not task.cancelled():
        task.exception()
