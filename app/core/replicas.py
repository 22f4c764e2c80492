"""Read replicas: standbys that serve reads while what they show is recent enough.

How recent that is, is measured without clocks of servers and without privileges. Once a second
a process notes the primary's WAL position, with its own monotonic time. A replica that has
replayed a noted position shows everything that was committed before the note. See
docs/decisions/0025.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import structlog

from app.core.batching import Batcher
from app.core.bulkhead import Bulkhead
from app.core.db import ReadPool, Row
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.metrics import replica_fresh, replica_reads_total, replica_staleness_seconds

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 1.0
# What is flushed, not what is inserted: a commit is visible after its flush, and a standby gets
# nothing else. Other records may wait for their flush for seconds while nobody commits.
_FLUSHED = """
SELECT system_identifier, (pg_current_wal_flush_lsn() - '0/0')::bigint AS lsn,
    ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int AS timeline
FROM pg_control_system()
"""
# The timeline comes from the control file, which follows a promotion of another server at the
# next restartpoint at the latest.
_REPLAYED = """
SELECT s.system_identifier, (pg_last_wal_replay_lsn() - '0/0')::bigint AS lsn,
    greatest(c.timeline_id, r.min_recovery_end_timeline) AS timeline
FROM pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r
WHERE pg_is_in_recovery()
"""
C = TypeVar("C")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the WAL. Only those of one system and timeline can be compared."""

    history: tuple[int, int]
    lsn: int

    @classmethod
    def of(cls, row: Row) -> "Position":
        return cls((row.system_identifier, row.timeline), row.lsn)


class Notes:
    """The positions of the primary in the last ``keep_s`` seconds, by monotonic time."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._noted: deque[tuple[float, Position]] = deque()

    def add(self, at: float, position: Position) -> None:
        """Add a position that was read after ``at``."""
        self._noted.append((at, position))
        while self._noted[0][0] < at - self._keep_s:
            self._noted.popleft()

    def reached(self, replayed: Position) -> float | None:
        """Return the time of the last note that is not after a replayed position; None if none."""
        for at, noted in reversed(self._noted):
            if noted.history == replayed.history and noted.lsn <= replayed.lsn:
                return at
        return None


class Replica(ReadPool):
    """A standby. Its sessions raise Retry when it is not fresh or fails: another server may serve.

    Busy only means that all connections are taken, or that a statement took too long.
    """

    def __init__(self, name: str, url: str, *, size: int, lag_s: float, patient: bool) -> None:
        super().__init__(url, size=size, patient=patient)
        self.name = name
        self._lag_s = lag_s
        # Apart from the readers: a rush must not keep the staleness from being measured.
        self._watch = ReadPool(url, size=1)
        # Everything committed on the primary before this monotonic time is shown.
        self._as_of: float | None = None
        self._was_fresh = False

    @property
    def staleness_s(self) -> float | None:
        """The most by which it is late; None if it does not answer or is no standby."""
        return None if self._as_of is None else time.monotonic() - self._as_of

    @property
    def is_fresh(self) -> bool:
        if self._as_of is None or self._to_read.is_closed:
            return False
        return time.monotonic() < self._as_of + self._lag_s

    async def look(self, notes: Notes) -> None:
        """Measure the staleness."""
        try:
            async with self._watch.read() as session:
                rows = await session.fetch(_REPLAYED, {})
            self._learn(notes, Position.of(rows[0]) if rows else None)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not used
            self.rest()
            self._tell(type(error).__name__)
        else:
            self._tell("stale" if self._as_of is not None else "no standby")

    def _learn(self, notes: Notes, replayed: Position | None) -> None:
        if replayed is None:
            self.rest()
        elif (reached := notes.reached(replayed)) is not None:
            self._as_of = reached

    def rest(self) -> None:
        """Use it no more until it has answered ``look``: it may have started anew, further back."""
        self._as_of = None

    def _tell(self, reason: str) -> None:
        staleness, is_fresh = self.staleness_s, self.is_fresh
        replica_fresh.labels(self.name).set(is_fresh)
        replica_staleness_seconds.labels(self.name).set(
            math.inf if staleness is None else staleness
        )
        if is_fresh and not self._was_fresh:
            log.info("replica_used", replica=self.name)
        elif self._was_fresh and not is_fresh:
            log.warning("replica_rests", replica=self.name, reason=reason)
        self._was_fresh = is_fresh

    @asynccontextmanager
    async def _entered(self, bulkhead: Bulkhead) -> AsyncIterator[None]:
        try:
            async with super()._entered(bulkhead):
                await self._require_fresh()
                yield
        except Busy as error:
            if self.is_fresh:
                raise
            raise Retry(f"replica {self.name}") from error

    async def _require_fresh(self) -> None:
        """Raise Retry if it is late, or has closed a connection: it may have started anew."""
        while self._readers and not self._readers[-1].is_alive:
            await self._close_one_reader()
            self.rest()
        if not self.is_fresh:
            raise Retry(f"replica {self.name}")

    def _note_trouble(self) -> None:
        self.rest()
        super()._note_trouble()

    async def close(self) -> None:
        await self._watch.close()
        await super().close()


class Replicas:
    """The replicas of a primary; none of them is used unless ``watched`` is entered."""

    def __init__(
        self,
        primary: ReadPool,
        primary_url: str,
        urls: Sequence[str],
        *,
        size: int,
        lag_s: float,
        patient: bool = False,
    ) -> None:
        """Make a pool of ``size`` connections for each URL.

        ``lag_s``: the bound of staleness, from which on a replica is not used.
        """
        self._primary = primary
        self.each = [
            Replica(str(number), url, size=size, lag_s=lag_s, patient=patient)
            for number, url in enumerate(urls, start=1)
        ]
        self._lag_s = lag_s
        self._notes = Notes(lag_s)
        self._primary_url = primary_url
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self.each)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Measure the staleness of the replicas in the background."""
        if not self.each:
            yield
            return
        watch = ReadPool(self._primary_url, size=1)  # apart from the readers: see ``Replica``
        looks = [partial(self._note, watch)]
        looks += [partial(replica.look, self._notes) for replica in self.each]
        tasks = [asyncio.create_task(_repeat(look)) for look in looks]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await watch.close()

    async def settle(self) -> None:
        """Wait until a replica is fresh, at most for the bound."""
        deadline = time.monotonic() + self._lag_s
        while self.each and time.monotonic() < deadline:
            if any(replica.is_fresh for replica in self.each):
                return
            await asyncio.sleep(LOOK_EVERY_S / 10)

    def source(self) -> ReadPool:
        """Return the next fresh replica, or else the primary."""
        fresh = [replica for replica in self.each if replica.is_fresh]
        if not fresh:
            if self.each:
                replica_reads_total.labels("primary").inc()
            return self._primary
        self._turn += 1
        replica = fresh[self._turn % len(fresh)]
        replica_reads_total.labels(replica.name).inc()
        return replica

    async def run(
        self, work: Callable[[ReadPool], Awaitable[T]], *, from_primary: bool = False
    ) -> T:
        """Read from a fresh replica; if there is none, or it fails, from the primary."""
        source = self._primary if from_primary else self.source()
        if source is not self._primary:
            try:
                return await work(source)
            except Retry as failure:
                log.warning("read_repeated_on_the_primary", reason=str(failure))
        return await work(self._primary)

    async def close(self) -> None:
        for replica in self.each:
            await replica.close()

    async def _note(self, primary: ReadPool) -> None:
        async with primary.read() as session:
            asked_at = time.monotonic()
            [row] = await session.fetch(_FLUSHED, {})
        self._notes.add(asked_at, Position.of(row))


class ReplicatedBatcher(Generic[C, R]):
    """Batches of queries on replicas, and others on the primary for whom has just written."""

    def __init__(self, primary: Batcher[C, R], replicated: Batcher[C, R]) -> None:
        self._primary, self._replicated = primary, replicated

    async def submit(self, query: C, *, from_primary: bool) -> R:
        """Wait for the outcome of a query."""
        return await (self._primary if from_primary else self._replicated).submit(query)

    async def close(self) -> None:
        """Wait until no query waits or runs."""
        await self._primary.close()
        await self._replicated.close()


async def _repeat(look: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await look()
        except Exception as error:  # noqa: BLE001 - without notes of the primary replicas grow stale
            log.warning("primary_not_measured", error=type(error).__name__)
        await asyncio.sleep(LOOK_EVERY_S)
