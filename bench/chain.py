"""What a list of check-ins costs in PostgreSQL: processor, locked rows, WAL.

``locked`` is the time from the lock of the fund's account to the end of the commit: meanwhile no
other list can pay from this fund. All check-ins are at one activity of one organisation, on an
otherwise idle database; a straight line through lists of several lengths gives the cost of a
list and of each check-in in it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import Any
from unittest.mock import patch

import psutil

from app.core.db import Session
from app.runtime import Runtime
from app.serve import load_demonstration
from app.services.checkins import Scan
from app.services.ledger import posting
from bench.crowd import Crowd, check_in, lists

LENGTHS = (1, 8, 32, 64)
WARM_UP, MEASURED = 10, 60


@dataclass(frozen=True)
class Line:
    """Seconds (or bytes) of a list: ``fixed``, and ``each`` for every check-in in it."""

    fixed: float
    each: float

    def of(self, length: int) -> float:
        return self.fixed + self.each * length


@dataclass(frozen=True)
class Chain:
    """``processor``: of a core of PostgreSQL. ``wal``: in bytes."""

    processor: Line
    locked: Line
    wal: Line


@dataclass(frozen=True)
class _Lists:
    """Lists of one length: means, of ``locked`` the median."""

    processor: float
    locked: float
    wal: float


async def measure(runtime: Runtime) -> Chain:
    """Check a crowd in on a migrated, empty database."""
    await load_demonstration(runtime.settings)
    crowd = Crowd(runtime)
    people = await crowd.residents((WARM_UP + MEASURED) * sum(LENGTHS))
    [place] = await crowd.activities(1, people[0], rule="activity_checkin")
    await crowd.sign_up(people, [place])
    scans = iter([Scan(place.serial, one.id) for one in people])
    found = []
    for length in LENGTHS:
        mine = [next(scans) for _ in range((WARM_UP + MEASURED) * length)]
        found.append(await _measure(runtime, list(lists(mine, length))))
    return Chain(
        *(_line([getattr(one, name) for one in found]) for name in ("processor", "locked", "wal"))
    )


def _line(values: Sequence[float]) -> Line:
    found = linear_regression(LENGTHS, values)
    return Line(fixed=max(found.intercept, 0.0), each=found.slope)


async def _measure(runtime: Runtime, parts: Sequence[Sequence[Scan]]) -> _Lists:
    for part in parts[:WARM_UP]:
        await _once(runtime, part)
    async with runtime.database.transaction() as tx:
        [row] = await tx.fetch("SELECT pg_backend_pid() AS pid", {})
    backend = psutil.Process(row.pid)
    before, wal = sum(backend.cpu_times()[:2]), await _wal(runtime)
    locked = [await _once(runtime, part) for part in parts[WARM_UP:]]
    used, written = sum(backend.cpu_times()[:2]) - before, await _wal(runtime) - wal
    return _Lists(used / MEASURED, median(locked), written / MEASURED)


async def _once(runtime: Runtime, scans: Sequence[Scan]) -> float:
    """Check a list in; return the seconds of its locks."""
    began: list[float] = []
    lock = posting.lock

    async def timed(tx: Session, *args: Any) -> Any:
        began.append(time.perf_counter())
        return await lock(tx, *args)

    with patch.object(posting, "lock", timed):
        await check_in(runtime, scans)
    return time.perf_counter() - began[0]


async def _wal(runtime: Runtime) -> float:
    async with runtime.database.transaction() as tx:
        [row] = await tx.fetch("SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes", {})
    return float(row.bytes)
