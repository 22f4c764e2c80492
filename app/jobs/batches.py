"""Work in many transactions of limited size."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from app.core.clock import now
from app.core.db import Session
from app.runtime import Runtime
from app.services.ledger import moments


class Work(Protocol):
    """Does a part of what is due at ``at``; returns how much it did."""

    def __call__(self, tx: Session, *, at: datetime) -> Awaitable[int]: ...


async def in_batches(runtime: Runtime, size: int, work: Work) -> int:
    """Run ``work`` in transactions until one does less than ``size``; return the total.

    If the process is killed, the next run does the rest. Does nothing while the clock is behind the
    end of the last closed day: dated then, it would be too early. Raises ClockWrong, also when the
    clock jumps between two transactions.
    """
    total, done = 0, size
    while done == size:
        async with runtime.database.transaction() as tx:
            at = await moments.moment(tx)
            if now() < at:
                break
            done = await work(tx, at=at)
        total += done
    return total
