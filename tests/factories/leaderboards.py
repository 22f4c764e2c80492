"""Leaderboards for tests, brought up to date with the ledger."""

import asyncio
import time
from uuid import UUID

from sqlalchemy import text

from app.jobs.leaderboards import feed
from app.runtime import Runtime

# A running transaction in any database of the server delays rows committed after it began.
DEADLINE_S = 20.0
_LATEST = text("""
SELECT CAST(CAST(xact AS text) AS bigint) AS xact, id FROM ledger_transfers
ORDER BY ledger_transfers.xact DESC, id DESC LIMIT 1
""")


async def fed(runtime: Runtime) -> None:
    """Feed until the published boards contain all committed transfers."""
    latest = await _latest(runtime)
    deadline = time.monotonic() + DEADLINE_S
    while await _position(runtime) < latest:
        assert time.monotonic() < deadline, "the boards never caught up"
        await feed(runtime)
        await asyncio.sleep(0.01)


async def _latest(runtime: Runtime) -> tuple[int, UUID]:
    async with runtime.database.read() as tx:
        row = (await tx.execute(_LATEST)).one_or_none()
    return (row.xact, row.id) if row else (0, UUID(int=0))


async def _position(runtime: Runtime) -> tuple[int, UUID]:
    generation = await runtime.boards.generation()
    if generation is None:
        await feed(runtime)
        return (-1, UUID(int=0))
    return await runtime.boards.position(generation)
