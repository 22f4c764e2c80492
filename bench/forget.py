"""``python -m bench.forget``: what requests wait while months of the outbox are dropped.

Requests come at a steady rate. Each is a transaction as a decision makes it: an entry of the audit
trail and a message of the outbox; the web framework is left out. Windows in which the job drops
partitions of ``ROWS`` messages take turns with windows in which it drops none. The time of a
request begins when it is due, so that whatever queues is counted. All of it takes less than a
minute.
"""

import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from rich.console import Console

from app.core.errors import Refusal
from app.core.ids import NIL
from app.embedded.databases import connect
from app.embedded.layout import Engines
from app.jobs import partitions
from app.queries import outbox
from app.runtime import Runtime
from app.services import audit
from app.services import partitions as months
from bench.growth import open_world
from bench.scratch import scratch_engines

RATE, WINDOW_S, ROUNDS = 100, 3.0, 4
DROPS, ROWS = 3, 30_000  # in a window; in a partition
POOL = 16
_MONTH = """
SELECT CAST($1 AS text) || to_char(month, '_YYYYMM') AS name, partition_bound($1, month) AS lower,
       partition_bound($1, CAST(month + interval '1 month' AS date)) AS upper
FROM (SELECT CAST(date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => $2)
             AS date) AS month) m
"""
_FILL = """
INSERT INTO outbox (topic, payload, created_at, handled_at)
SELECT 'bench', jsonb_build_object('text', repeat('x', 200)), month, month
FROM (SELECT date_trunc('month', now(), 'UTC') - make_interval(months => $1) AS month) m,
     generate_series(1, $2)
"""
out = Console()


async def make_month(owner: Any, parent: str, ago: int) -> str:
    """Make the partition of the month ``ago`` months ago, as the owner; return its name."""
    found = await owner.fetchrow(_MONTH, parent, ago)
    await owner.execute(
        f"CREATE TABLE partitions.{found['name']} PARTITION OF {parent}"
        f" FOR VALUES FROM ('{found['lower']}') TO ('{found['upper']}')"
    )
    return str(found["name"])


async def request(runtime: Runtime, due: float) -> float | None:
    """Write as a decision does; return the seconds since it was due, None if it was refused."""
    try:
        async with runtime.database.transaction() as tx:
            await audit.write_about(tx, None, "changed", ("bench", NIL), None)
            await outbox.put(tx, "bench.done", {"text": "x"})
    except Refusal:
        return None
    return time.perf_counter() - due


async def requests(runtime: Runtime) -> list[float | None]:
    """Send requests for a window, whether those before have been answered or not."""
    began = time.perf_counter()
    sent = []
    for number in range(round(RATE * WINDOW_S)):
        due = began + number / RATE
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        sent.append(asyncio.create_task(request(runtime, due)))
    return list(await asyncio.gather(*sent))


async def drops(runtime: Runtime) -> None:
    """Drop the oldest partitions one by one, at even distances in a window."""
    for _ in range(DROPS):
        await asyncio.sleep(WINDOW_S / (DROPS + 1))
        assert await partitions.drop_one(runtime, months.OUTBOX, months.OUTBOX_KEPT_MONTHS) == 1


async def fill(runtime: Runtime) -> None:
    """Make a partition for each drop, older than what is kept, with messages that were handled."""
    assert runtime.settings.migration_database_url is not None
    owner = await connect(runtime.settings.migration_database_url)
    for ago in range(3, 3 + ROUNDS * DROPS):
        await make_month(owner, months.OUTBOX, ago)
        await owner.execute(_FILL, ago, ROWS)
    await owner.execute("ANALYZE outbox")
    await owner.close()


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98] * 1000


async def run(found: Engines) -> int:
    """Measure, print, and return the exit status: 1 if a request was refused."""
    quiet, dropping = [], []
    async with AsyncExitStack() as stack:
        runtime = await open_world(stack, found, "forget", 0, pool=POOL)
        await fill(runtime)
        await requests(runtime)  # to warm up
        for _ in range(ROUNDS):
            quiet += await requests(runtime)
            dropping += (await asyncio.gather(requests(runtime), drops(runtime)))[0]
    refused = (quiet + dropping).count(None)
    without, during = (p99([one for one in part if one]) for part in (quiet, dropping))
    out.print(
        f"{RATE} requests/s, {ROUNDS * DROPS} partitions of {ROWS:,} messages dropped:"
        f" p99 {without:.1f} ms without, {during:.1f} ms with drops, ratio {during / without:.2f};"
        f" {refused} refused"
    )
    return int(refused > 0)


def main() -> int:
    with scratch_engines() as (_, found):
        return asyncio.run(run(found))


if __name__ == "__main__":
    sys.exit(main())
