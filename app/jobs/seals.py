"""The seal of every day, written after it is over."""

from app.core.clock import now
from app.core.db import Database
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.ledger import seals


async def seal(runtime: Runtime) -> int:
    """Seal the days that are over, each in a transaction; return how many.

    On a connection without time-outs: the day of a rush has many leaves. Two workers at
    once, or one that is killed, leave whole days: a day is sealed once and in its turn.
    """
    async with runtime.database.read() as tx:
        days = await seals.days_to_seal(tx, now())
    if not days:
        return 0
    assert runtime.settings.database_url is not None
    patient = Database(runtime.settings.database_url, pool_size=2, patient=True)
    sealed = 0
    try:
        for day in days:
            async with patient.transaction() as tx:
                sealed += await seals.seal_day(tx, day)
    finally:
        await patient.close()
    return sealed


JOBS = (Job("seal-days", seal, every=60),)
