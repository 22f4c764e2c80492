"""Verifications of the ledger that were asked for over the API."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.long_reads import long_reads
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import jobs, verifications
from app.services.ledger import verification
from app.services.ledger.verification import Report

log = structlog.get_logger(__name__)
NAME = "verify-ledger"
MOST_S = 2 * 3600
BEAT_S = 5.0


class DeclaredInterrupted(Exception):
    """Another worker found that this one had been silent for too long."""


@dataclass
class Progress:
    """The step that runs. The verification writes it, the beat reads it."""

    step: str = ""
    done: int = 0
    total: int = 0

    def tell(self, step: str, done: int, total: int) -> None:
        self.step, self.done, self.total = step, done, total


async def run(runtime: Runtime) -> int:
    """End what a killed worker left, and run the verification that waits; return 1 if one did.

    Safe with any number of workers: one claims it, and the table allows one that waits or runs.
    On connections of its own without time-outs; it ends after ``MOST_S`` seconds.
    """
    async with runtime.database.transaction() as tx:
        await verifications.interrupt(tx)
        found = await verifications.claim(tx)
    if found is None:
        return 0
    report: Report | None = None
    try:
        report = await _verify(runtime, found)
    except Exception as error:
        log.exception("verification_failed", verification=str(found), error=type(error).__name__)
    async with runtime.database.transaction() as tx:
        await verifications.finish(tx, found, report)
    return 1


async def _verify(runtime: Runtime, found: UUID) -> Report:
    progress, settings = Progress(), runtime.settings
    assert settings.database_url is not None
    urls = settings.database_url, settings.database_read_urls
    async with (
        asyncio.timeout(MOST_S),
        long_reads(*urls, lag_s=settings.replica_lag_s) as replicas,
        asyncio.TaskGroup() as group,
    ):
        beats = group.create_task(_beat(runtime, found, progress))
        report = await replicas.run(lambda pool: verification.verify_on(pool, progress.tell))
        beats.cancel()
    return report


async def _beat(runtime: Runtime, found: UUID, progress: Progress) -> None:
    """Write how far a verification is. Raises DeclaredInterrupted, which ends it."""
    while True:
        await asyncio.sleep(BEAT_S)
        at = progress.step, progress.done, progress.total
        with suppress(Busy, Retry):  # the next beat will do
            async with runtime.database.transaction() as tx:
                if not await verifications.beat(tx, found, *at):
                    raise DeclaredInterrupted
                await jobs.record(tx, NAME)  # a run of an hour is not overdue


JOBS = (Job(NAME, run, every=5),)
