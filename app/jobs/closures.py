"""Erasing the people whose accounts are closed."""

from uuid import UUID

import structlog

from app.core.errors import Busy, ClockWrong
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import erasures
from app.services.ledger import moments

log = structlog.get_logger(__name__)
BATCH = 100


async def erase(runtime: Runtime) -> int:
    """Erase the people whose closures are due, and again an hour later; return how many.

    One per transaction: if one fails, the error is logged, the others are erased, and the next run
    tries again. Any number of workers may run: each takes closures that no other has locked.
    """
    total, done = 0, BATCH
    while done == BATCH:
        done = await _erase_some(runtime)
        total += done
    return total


async def _erase_some(runtime: Runtime) -> int:
    async with runtime.database.read() as tx:
        people = await erasures.due(tx, await moments.moment(tx), BATCH)
    erased = 0
    for person in people:
        try:
            erased += await _erase_one(runtime, person)
        except (Busy, ClockWrong):
            raise  # no fault of this closure
        except Exception as error:
            log.exception("erasure_failed", alert=True, error=type(error).__name__)
    return erased


async def _erase_one(runtime: Runtime, person: UUID) -> bool:
    """Erase a person, whose logins end before: a token that is used meanwhile is refused."""
    async with runtime.database.read() as tx:
        families = await erasures.logins(tx, person)
    for family in families:
        await runtime.revocations.add(family)
    async with runtime.database.transaction() as tx:
        return await erasures.erase_due(tx, person, await moments.moment(tx))


JOBS = (Job("erase-accounts", erase, every=60, by_clock=True),)
