"""Killing a job before any step of its way: each statement, and each commit."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from app.core.db import Session
from app.core.errors import Busy
from app.embedded.databases import connect
from app.runtime import Runtime

STEPS = ("fetch", "execute", "exec", "commit")
GONE_WITHIN_MS = 5_000

Strike = Callable[[Session], Awaitable[None]]


class Killed(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


async def kill_the_process(_: Session) -> None:
    raise Killed


async def kill_the_connection(session: Session) -> None:
    """Let PostgreSQL end the session's connection: its step will not be done, nor what it began."""
    connection = await (await session.connection()).get_raw_connection()
    assert connection.driver_connection is not None
    assert session.bind is not None
    pid = connection.driver_connection.get_server_pid()
    other = await connect(session.bind.engine.url.render_as_string(hide_password=False))
    try:
        assert await other.fetchval("SELECT pg_terminate_backend($1, $2)", pid, GONE_WITHIN_MS)
    finally:
        await other.close()


class Knife:
    """Counts the steps of what runs, and strikes before the one that it is set to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        self._before: int | None = None
        self._strike: Strike = kill_the_process
        for name in STEPS:
            monkeypatch.setattr(Session, name, self._watched(getattr(Session, name)))

    def _watched(self, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step(session: Session, *args: Any, **named: Any) -> Any:
            self.steps += 1
            if self.steps == self._before:
                await self._strike(session)
            return await real(session, *args, **named)

        return step

    async def cut(
        self,
        run: Callable[[Runtime], Awaitable[int]],
        runtime: Runtime,
        before: int,
        strike: Strike,
    ) -> bool:
        """Run a job until it is struck before a step; False if it ended before that step."""
        self.steps, self._before, self._strike = 0, before, strike
        try:
            with suppress(Killed, Busy):  # Busy: PostgreSQL went away
                await run(runtime)
        finally:
            self._before = None
        return self.steps >= before
