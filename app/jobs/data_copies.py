"""Copies of people's data: made, and deleted after a day."""

from uuid import UUID

from app.core.db import Session
from app.jobs.job import Job
from app.models.outbox import OutboxMessage
from app.runtime import Runtime
from app.services import data_copies
from app.services.ledger import moments


async def handle(runtime: Runtime, tx: Session, message: OutboxMessage) -> None:
    """Make a copy that was asked for."""
    await data_copies.make(tx, runtime.cipher, runtime.store, UUID(message.payload["id"]))


async def forget(runtime: Runtime) -> int:
    """Delete copies that are a day old; return how many."""
    async with runtime.database.transaction() as tx:
        return await data_copies.forget(tx, await moments.moment(tx))


JOBS = (Job("forget-data-copies", forget, every=600, by_clock=True),)
