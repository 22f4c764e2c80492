"""Batching without a timer: commands that arrive while a batch runs form the next batch.

In an idle process a command runs at once, as a batch of one. Under load each batch holds what
arrived during the one before it, and these requests share one round trip and one commit. See
docs/decisions/0014.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

import structlog

from app.core.errors import Busy

log = structlog.get_logger(__name__)
# Commands in a batch. All of them wait until the last one is done.
MAX_BATCH = 200
# Commands that wait for a batch. More are refused: their turn would come after the client gave up.
MAX_WAITING = 2_000

C = TypeVar("C")
R = TypeVar("R")


class Batcher(Generic[C, R]):
    """Runs commands in batches, one batch at a time, and returns to each caller its outcome.

    ``run`` takes the commands of a batch and returns an outcome for each, in order. If it raises
    Busy, the engine behind it does not answer: all commands of the batch and all that wait fail
    with Busy at once. If it raises anything else, the commands run one by one, so that only
    the one that causes the error fails.
    """

    def __init__(self, run: Callable[[list[C]], Awaitable[Sequence[R]]]) -> None:
        self._run = run
        self._waiting: deque[tuple[C, asyncio.Future[R]]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, command: C) -> R:
        """Wait for the command's outcome. Raises Busy, or what ``run`` raised for it alone."""
        if len(self._waiting) >= MAX_WAITING:
            raise Busy(retry_after=2)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._runner is None:
            # An empty context: log lines of a batch must not carry the id of one request.
            self._runner = asyncio.create_task(self._work(), context=Context())
        return await answer

    async def close(self) -> None:
        """Wait until no command waits or runs."""
        if self._runner is not None:
            await self._runner

    async def _work(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), MAX_BATCH)
                await self._answer([self._waiting.popleft() for _ in range(size)])
        finally:
            self._runner = None
            self._refuse(self._waiting)  # the runner was cancelled: there is no next batch
            self._waiting.clear()

    async def _answer(self, part: Sequence[tuple[C, asyncio.Future[R]]]) -> None:
        try:
            outcomes = await self._run([command for command, _ in part])
            assert len(outcomes) == len(part), "one command, one outcome"
        except Busy:
            self._refuse([*part, *self._waiting])
            self._waiting.clear()
        except Exception as error:  # noqa: BLE001 - passed on to the caller of its command
            if len(part) == 1:
                self._settle(part[0][1], error)
                return
            log.warning("batch_run_one_by_one", error=type(error).__name__, commands=len(part))
            for one in part:
                await self._answer([one])
        except BaseException:
            self._refuse(part)
            raise
        else:
            for (_, answer), outcome in zip(part, outcomes, strict=True):
                if not answer.done():  # its request may have been cancelled
                    answer.set_result(outcome)

    def _refuse(self, part: Sequence[tuple[C, asyncio.Future[R]]]) -> None:
        for _, answer in part:
            self._settle(answer, Busy(retry_after=1))

    @staticmethod
    def _settle(answer: "asyncio.Future[R]", error: Exception) -> None:
        if not answer.done():
            answer.set_exception(error)
