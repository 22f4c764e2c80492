"""Batching: commands that arrive while a batch runs form the next batch.

In an idle process a command runs at once, as a batch of one. Under load each batch holds what
arrived during the one before it, and these requests share one round trip and one commit. Two
commands that share a conflict key are never in one batch. See docs/decisions/0014.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar

import structlog

from app.core.errors import Busy, LockTimeout

log = structlog.get_logger(__name__)
# Commands in a batch. All of them wait until the last one is done.
MAX_BATCH = 200
# Commands that wait for a batch. More are refused: their turn would come after the client gave up.
MAX_WAITING = 2_000
# Commands of a failed batch whose turn, one by one, has not come after so many seconds are refused.
# A lock is waited for 1.5 seconds (``db.LOCK_TIMEOUT_MS``), so two of them may time out.
ONE_BY_ONE_S = 3.0
# After a batch that failed, commands that have waited longer are refused.
PATIENCE_S = 6.0

C = TypeVar("C")
R = TypeVar("R")


def no_conflicts(_: object) -> Iterable[Hashable]:
    """Return no conflict key: any two commands may be in one batch."""
    return ()


class _Waiting(NamedTuple, Generic[C, R]):  # made in half the time of a frozen dataclass
    """``since``: when the command was submitted, of the monotonic clock."""

    command: C
    answer: "asyncio.Future[R]"
    since: float


class Batcher(Generic[C, R]):
    """Runs commands in batches, one batch at a time, and returns to each caller its outcome.

    ``run`` takes the commands of a batch and returns an outcome for each, in order. If it raises
    Busy, the engine behind it does not answer: all commands of the batch and all that wait fail
    with Busy at once. If it raises anything else, LockTimeout too, the commands run one by one, so
    that only the one that causes the error fails. The time for that is limited (ONE_BY_ONE_S,
    PATIENCE_S): commands that it is not enough for fail with Busy.

    ``conflict_keys`` returns what two commands of one batch may not share, such as a person or
    an idempotency key. Commands that share a key run in order of arrival, in batches of their own.
    """

    def __init__(
        self,
        run: Callable[[list[C]], Awaitable[Sequence[R]]],
        conflict_keys: Callable[[C], Iterable[Hashable]] = no_conflicts,
    ) -> None:
        self._run = run
        self._conflict_keys = conflict_keys
        self._waiting: deque[_Waiting[C, R]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, command: C) -> R:
        """Wait for the command's outcome. Raises Busy, or what ``run`` raised for it alone."""
        return await self._enqueue(command)

    async def submit_both(self, one: C, other: C) -> tuple[R, R]:
        """Submit two commands at once, which are in one batch as a rule. Raises as ``submit``."""
        first, second = self._enqueue(one), self._enqueue(other)
        return await first, await second

    def _enqueue(self, command: C) -> "asyncio.Future[R]":
        if len(self._waiting) >= MAX_WAITING:
            raise Busy(retry_after=2)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, answer, time.monotonic()))
        if self._runner is None:
            # An empty context: log lines of a batch must not carry the id of one request.
            self._runner = asyncio.create_task(self._work(), context=Context())
        return answer

    async def close(self) -> None:
        """Wait until no command waits or runs."""
        if self._runner is not None:
            await self._runner

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._next_batch())
        finally:
            self._runner = None
            self._refuse(self._waiting)  # the runner was cancelled: there is no next batch
            self._waiting.clear()

    def _next_batch(self) -> list[_Waiting[C, R]]:
        """Take the next commands in order of arrival, no two with a common key.

        The oldest is always taken, so that every command has its turn. The keys of a command
        that must wait are taken too: a later one that shares any of them must not overtake it.
        Reads MAX_BATCH commands and those that must wait.
        """
        batch: list[_Waiting[C, R]] = []
        postponed: list[_Waiting[C, R]] = []
        taken: set[Hashable] = set()
        while self._waiting and len(batch) < MAX_BATCH:
            one = self._waiting.popleft()
            keys = tuple(self._conflict_keys(one.command))
            (batch if taken.isdisjoint(keys) else postponed).append(one)
            taken.update(keys)
        self._waiting.extendleft(reversed(postponed))
        return batch

    async def _answer(self, part: Sequence[_Waiting[C, R]]) -> bool:
        """Run a batch and settle its answers; return whether the engine answers."""
        try:
            outcomes = await self._run([one.command for one in part])
            assert len(outcomes) == len(part), "one command, one outcome"
        except Exception as error:  # noqa: BLE001 - passed on to the caller of its command
            if isinstance(error, Busy) and not isinstance(error, LockTimeout):
                self._refuse([*part, *self._waiting])
                self._waiting.clear()
                return False
            if len(part) == 1:
                self._settle(part[0].answer, error)
            else:
                log.warning("batch_run_one_by_one", error=type(error).__name__, commands=len(part))
                await self._answer_one_by_one(part)
        except BaseException:
            self._refuse(part)
            raise
        else:
            for one, outcome in zip(part, outcomes, strict=True):
                if not one.answer.done():  # its request may have been cancelled
                    one.answer.set_result(outcome)
        return True

    async def _answer_one_by_one(self, part: Sequence[_Waiting[C, R]]) -> None:
        deadline = time.monotonic() + ONE_BY_ONE_S
        try:
            for one in part:
                if time.monotonic() > deadline or not await self._answer([one]):
                    break
        finally:
            self._refuse(part)  # those that have no answer yet
        oldest = time.monotonic() - PATIENCE_S
        self._refuse(one for one in self._waiting if one.since < oldest)
        self._waiting = deque(one for one in self._waiting if one.since >= oldest)

    def _refuse(self, part: Iterable[_Waiting[C, R]]) -> None:
        for one in part:
            self._settle(one.answer, Busy(retry_after=1))

    @staticmethod
    def _settle(answer: "asyncio.Future[R]", error: Exception) -> None:
        if not answer.done():
            answer.set_exception(error)
