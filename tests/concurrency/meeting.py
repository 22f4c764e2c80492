"""Races that happen for certain: transactions wait for each other at one step of the way."""

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import pytest

from tests.concurrency import rushes

PATIENCE_S = 20  # then the step raises, and the rush counts a 500 too many

Step = Callable[..., Awaitable[Any]]


class Meeting:
    """The first ``parties`` wait until they are all there; who comes later walks through."""

    def __init__(self, parties: int) -> None:
        self._missing = parties
        self._all_here = asyncio.Event()

    async def attend(self) -> None:
        if not rushes.rushing:  # what a rush prepares has nobody to meet
            return
        self._missing -= 1
        if self._missing <= 0:
            self._all_here.set()
        async with asyncio.timeout(PATIENCE_S):
            await self._all_here.wait()


def meet_before(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str, parties: int
) -> None:
    """Hold a rush's transactions where ``module.step`` is called, until so many have come."""
    meeting = Meeting(parties)
    real: Step = getattr(module, step)

    async def held(*args: Any, **named: Any) -> Any:
        await meeting.attend()
        return await real(*args, **named)

    monkeypatch.setattr(module, step, held)


def meet_after(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str, parties: int
) -> None:
    """Hold a rush's transactions with what ``module.step`` read, until so many have come."""
    meeting = Meeting(parties)
    real: Step = getattr(module, step)

    async def held(*args: Any, **named: Any) -> Any:
        result = await real(*args, **named)
        await meeting.attend()
        return result

    monkeypatch.setattr(module, step, held)
