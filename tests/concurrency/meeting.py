"""Races that happen for certain: transactions wait for each other at one step of the way."""

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from app.core.db import Session
from app.runtime import Runtime
from tests.concurrency import rushes

_PID = text("SELECT pg_backend_pid()")
_BLOCKED = text("SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))")
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
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str, parties: int | Meeting
) -> None:
    """Hold a rush's transactions where ``module.step`` is called, until so many have come.

    Several steps may be one meeting: whoever comes to either is a party of it.
    """
    meeting = parties if isinstance(parties, Meeting) else Meeting(parties)
    real: Step = getattr(module, step)

    async def held(*args: Any, **named: Any) -> Any:
        await meeting.attend()
        return await real(*args, **named)

    monkeypatch.setattr(module, step, held)


def meet_after(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str, parties: int | Meeting
) -> None:
    """Hold a rush's transactions with what ``module.step`` read, until so many have come."""
    meeting = parties if isinstance(parties, Meeting) else Meeting(parties)
    real: Step = getattr(module, step)

    async def held(*args: Any, **named: Any) -> Any:
        result = await real(*args, **named)
        await meeting.attend()
        return result

    monkeypatch.setattr(module, step, held)


async def until_somebody_waits_for(runtime: Runtime, tx: Session) -> None:
    """Return once another transaction waits for a lock that this one holds."""
    mine = (await tx.execute(_PID)).scalar_one()
    for _ in range(1_000):
        # A transaction sees one picture of the activity, so each look is a new one.
        async with runtime.database.read() as other:
            if (await other.execute(_BLOCKED, {"pid": mine})).scalar_one():
                return
    raise AssertionError("nobody waits")
