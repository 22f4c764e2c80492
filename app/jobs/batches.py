"""Work that is done so many at a time."""

from collections.abc import Awaitable, Callable

from app.core.db import Session
from app.runtime import Runtime


async def in_batches(runtime: Runtime, size: int, work: Callable[[Session], Awaitable[int]]) -> int:
    """Do work in transactions of ``size`` until one finds less to do; return how many in all.

    A kill between two transactions, or within one, leaves the rest for the next run.
    """
    total, done = 0, size
    while done == size:
        async with runtime.database.transaction() as tx:
            done = await work(tx)
        total += done
    return total
