"""Lists of check-ins on a connection that stays while its tables grow by a thousand.

The same list is measured on the connection that planned its statements for empty tables, and
on a fresh one. Without statistics of autovacuum: a rush is over before it comes round.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.embedded.databases import connect
from app.runtime import Runtime, open_runtime
from app.serve import load_demonstration
from app.services.checkins import Scan
from bench.crowd import Crowd, check_in, lists

LIST, GROWTH, MEASURED, WARM_UP = 16, 1_000, 50, 10
_REST = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class
                WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace)
    LOOP EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', name); END LOOP;
END $$;
ANALYZE
"""


@dataclass(frozen=True)
class Lists:
    """Milliseconds of a list: on a fresh connection, and on the one that stayed."""

    fresh: float
    stayed: float


async def measure(first: Runtime) -> Lists:
    """Let a rush check in on a migrated database; return the medians of its last lists."""
    await load_demonstration(first.settings)
    crowd = Crowd(first)
    people = await crowd.residents(LIST * (GROWTH + 2 * (WARM_UP + MEASURED)))
    [place] = await crowd.activities(1, people[0], rule="activity_checkin")
    await crowd.sign_up(people, [place])
    await _rest(first)
    scans = lists([Scan(place.serial, one.id) for one in people], LIST)
    async with open_runtime(first.settings) as stayed:
        before = await _backend(stayed)
        for _ in range(GROWTH):
            await _once(stayed, next(scans))
        async with open_runtime(first.settings) as fresh:
            found = await _in_turn(fresh, stayed, scans)
        assert await _backend(stayed) == before, "another connection took its place"
    return found


async def _in_turn(fresh: Runtime, stayed: Runtime, scans: Iterator[list[Scan]]) -> Lists:
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + MEASURED):
        for runtime, times in zip((fresh, stayed), taken, strict=True):
            ms = await _once(runtime, next(scans))
            if number >= WARM_UP:
                times.append(ms)
    return Lists(*map(statistics.median, taken))


async def _once(runtime: Runtime, scans: Sequence[Scan]) -> float:
    """Check a list in; return milliseconds."""
    began = time.perf_counter()
    await check_in(runtime, scans)
    return (time.perf_counter() - began) * 1000


async def _backend(runtime: Runtime) -> int:
    async with runtime.database.transaction() as tx:
        rows = await tx.fetch("SELECT pg_backend_pid() AS pid", {})
    return int(rows[0].pid)


async def _rest(runtime: Runtime) -> None:
    """Take statistics, for the last time."""
    assert runtime.settings.migration_database_url is not None
    owner = await connect(runtime.settings.migration_database_url)
    await owner.execute(_REST)
    await owner.close()
