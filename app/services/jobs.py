"""The last runs of the worker's jobs: recorded by the worker, reported by the probes.

A job that acts by the clock is held when the clock has jumped: a clock that is wrong for a minute
would otherwise expire points, release awards or seal days too early (docs/decisions/0022).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from app.core.clock import now
from app.core.db import Session
from app.queries import jobs as queries
from app.services import audit
from app.services.ledger import moments

log = structlog.get_logger(__name__)
# A job is overdue after so many of its intervals, and not before ``LEAST_S`` seconds: a busy
# machine and the replacement of a worker take seconds.
MISSED_RUNS = 3
LEAST_S = 60.0
# The least time between two records of when runs of one job began: some run twice a second.
NOTED_EVERY = timedelta(seconds=10)
SUBJECT = ("clock", UUID(int=0))  # the audit trail names a subject by id; there is one clock


@dataclass(frozen=True)
class JobAge:
    """``age_s``: seconds since the last run that completed; None if there was none."""

    name: str
    age_s: float | None
    is_overdue: bool


async def begin(tx: Session, name: str, *, by_clock: bool) -> bool:
    """Write that a run of a job begins; return False if the job acts by the clock and is held.

    It is held if its last run began more than a day before or after now. Raises ClockWrong.
    """
    last = await queries.last_run(tx, name)
    at = await moments.agreed(tx) if by_clock else now()
    if by_clock and last is not None and moments.has_jumped(at, last.begun_at):
        if last.held_since is None:
            log.error("job_held", job=name, begun_at=last.begun_at, clock=at)
            await queries.hold(tx, name, at)
        return False
    noted_at = last.begun_at if last is not None and last.held_since is None else None
    if noted_at is None or abs(at - noted_at) > NOTED_EVERY:
        await queries.note_begin(tx, name, at)
    if by_clock:
        tx.clock.confirmed = at
    return True


async def record(tx: Session, name: str) -> None:
    """Write that a job has just completed a run."""
    await queries.record(tx, name)


async def ages(tx: Session, intervals: Mapping[str, float]) -> list[JobAge]:
    """Return the age of the last run of each job of ``intervals`` (seconds, by name)."""
    found = await queries.ages(tx)
    return [_judged(name, found.get(name), every) for name, every in intervals.items()]


def _judged(name: str, age_s: float | None, every: float) -> JobAge:
    if age_s is None:
        return JobAge(name, None, is_overdue=True)
    # The database's clock may have been set back since.
    age_s = max(age_s, 0.0)
    return JobAge(name, age_s, is_overdue=age_s > max(MISSED_RUNS * every, LEAST_S))


async def held(tx: Session) -> list[str]:
    """Return the names of the jobs that are held."""
    return await queries.held(tx)


async def confirm_clock(tx: Session) -> tuple[datetime, list[str]]:
    """Release the held jobs, after an operator has checked the clock.

    Return what the clock shows, and the jobs. Raises ClockWrong.
    """
    at = await moments.agreed(tx)
    names = await queries.confirm(tx, at, moments.JUMP)
    facts = {"clock": at.isoformat(timespec="seconds"), "jobs": ", ".join(names)}
    await audit.write_about(tx, None, "confirmed", SUBJECT, None, facts=facts)
    return at, names
