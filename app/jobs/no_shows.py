"""No-shows of activities that are over: points are deducted, and sign-up may be paused."""

import structlog

from app.core.errors import Busy, ClockWrong
from app.jobs.job import Job
from app.models.activities import Activity
from app.queries.no_shows import Missed
from app.runtime import Runtime
from app.services import no_shows
from app.services.ledger import moments

log = structlog.get_logger(__name__)
BATCH = 100


async def settle(runtime: Runtime) -> int:
    """Settle the no-shows of all activities that are due; return how many there were.

    One place is one transaction: killed in the middle, the next run does the rest. If one fails,
    the error is logged, and its activity is not settled before the next run.
    """
    total = 0
    skipped: list[Activity] = []
    while activity := await _due(runtime, skipped):
        done, failed = await _settle_all(runtime, activity)
        total += done
        if failed:
            skipped.append(activity)
    return total


async def _due(runtime: Runtime, skipped: list[Activity]) -> Activity | None:
    async with runtime.database.read() as tx:
        return await no_shows.due(tx, await moments.moment(tx), [one.id for one in skipped])


async def _settle_all(runtime: Runtime, activity: Activity) -> tuple[int, int]:
    """Settle the places of an activity; return how many were, and how many failed."""
    done = failed = 0
    while True:
        async with runtime.database.read() as tx:
            missed = await no_shows.missed(tx, activity, BATCH)
        found = [await _settle_one(runtime, activity, one) for one in missed]
        done, failed = done + sum(found), failed + found.count(False)
        if failed or not missed:
            break
    if not failed:
        async with runtime.database.transaction() as tx:
            await no_shows.end(tx, activity)
    return done, failed


async def _settle_one(runtime: Runtime, activity: Activity, missed: Missed) -> bool:
    try:
        async with runtime.database.transaction() as tx:
            await no_shows.settle(tx, activity, missed)
    except (Busy, ClockWrong):
        raise  # no fault of this place
    except Exception as error:
        log.exception("no_show_failed", alert=True, error=type(error).__name__)
        return False
    return True


JOBS = (Job("settle-no-shows", settle, every=300, by_clock=True),)
