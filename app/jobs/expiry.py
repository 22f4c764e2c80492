"""What time ends: reservations, points, and rows that nobody needs any more."""

from datetime import timedelta

import structlog

from app.core.clock import now
from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.queries import auth, cards, idempotency, outbox
from app.runtime import Runtime
from app.services.ledger import expiry
from app.services.policies import history
from app.services.redemptions import reservations

log = structlog.get_logger(__name__)
BATCH = 200
CARD_CODES_KEPT = timedelta(days=1)


async def expire_reservations(runtime: Runtime) -> int:
    """Release overdue holds, one a transaction; return how many.

    One that fails is logged and left for the next run, and does not hold up the others.
    """
    total, released = 0, BATCH
    while released == BATCH:
        released = await _expire_some(runtime)
        total += released
    return total


async def _expire_some(runtime: Runtime) -> int:
    async with runtime.database.read() as tx:
        overdue = await reservations.overdue(tx, BATCH)
    released = 0
    for redemption_id in overdue:
        try:
            async with runtime.database.transaction() as tx:
                await reservations.expire(tx, redemption_id)
        except Exception:
            log.exception("expiry_failed", redemption=str(redemption_id))
        else:
            released += 1
    return released


async def expire_lots(runtime: Runtime) -> int:
    """Take away points past their end; return from how many lots."""
    return await in_batches(runtime, BATCH, lambda tx: expiry.expire_lots(tx, now(), BATCH))


async def announce(runtime: Runtime) -> int:
    """Tell people what will expire, as each programme says; return how many were told."""
    told = 0
    at = now()
    async with runtime.database.read() as tx:
        programmes = (await history.load(tx)).programmes(at)
    for programme in programmes:
        days = programme.document.lots.notice_days
        done = 1
        while done:
            async with runtime.database.transaction() as tx:
                done = await expiry.announce_expiry(tx, programme.unit_id, days, at, BATCH)
            told += done
    return told


async def forget(runtime: Runtime) -> int:
    """Delete keys, codes, tokens and messages past their use. No ledger row is among them."""
    async with runtime.database.transaction() as tx:
        await idempotency.forget_old(tx)
        await cards.forget_expired(tx, now() - CARD_CODES_KEPT)
        await auth.forget_expired(tx, now())
        await outbox.forget_handled(tx)
    return 0


JOBS = (
    Job("expire-reservations", expire_reservations, every=30),
    Job("expire-lots", expire_lots, every=60),
    Job("announce-expiry", announce, every=3600),
    Job("forget", forget, every=3600),
)
