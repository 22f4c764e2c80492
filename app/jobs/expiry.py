"""Expiry of reservations and points, and deletion of rows that are no longer used."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog

from app.core.db import Session
from app.jobs.batches import in_batches
from app.jobs.job import Job
from app.runtime import Runtime
from app.services import auth, cards, idempotency, notices, web_logins
from app.services.ledger import expiry, moments
from app.services.policies import history
from app.services.redemptions import confirming, reservations

log = structlog.get_logger(__name__)
BATCH = 200
Overdue = Callable[[Session, datetime, int], Awaitable[list[UUID]]]
Expire = Callable[[Session, UUID, datetime], Awaitable[None]]


async def expire_reservations(runtime: Runtime) -> int:
    """Mark overdue reservations as expired, one per transaction; return how many."""
    return await _expire_all(runtime, reservations.overdue, reservations.expire)


async def expire_charges(runtime: Runtime) -> int:
    """Mark charges as expired that nobody confirmed, one per transaction; return how many."""
    return await _expire_all(runtime, confirming.overdue, confirming.expire)


async def _expire_all(runtime: Runtime, overdue: Overdue, expire: Expire) -> int:
    """Expire what is overdue, in lists; return how many.

    If one fails, the error is logged and the next run tries again; the others are not affected.
    """
    total, expired = 0, BATCH
    while expired == BATCH:
        expired = await _expire_some(runtime, overdue, expire)
        total += expired
    return total


async def _expire_some(runtime: Runtime, overdue: Overdue, expire: Expire) -> int:
    async with runtime.database.read() as tx:
        found = await overdue(tx, await moments.moment(tx), BATCH)
    expired = 0
    for one in found:
        try:
            async with runtime.database.transaction() as tx:
                await expire(tx, one, await moments.moment(tx))
        except Exception:
            log.exception("expiry_failed", subject=str(one))
        else:
            expired += 1
    return expired


async def expire_lots(runtime: Runtime) -> int:
    """Post the expiry of points past their end; return the number of lots."""
    return await in_batches(runtime, BATCH, partial(expiry.expire_lots, limit=BATCH))


async def announce(runtime: Runtime) -> int:
    """Send notices of points that will expire, by each programme's settings; return how many."""
    told = 0
    async with runtime.database.read() as tx:
        at = await moments.moment(tx)
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
    """Delete idempotency keys, notices, card codes and tokens past their use; no ledger rows.

    In batches, as a statement has only 1.8 s. Return the number of keys and notices.
    """
    old_keys = partial(idempotency.forget_old, limit=BATCH)
    kept = runtime.settings.notices_kept_months
    old_notices = partial(notices.forget_old, months=kept, limit=BATCH)
    total = await in_batches(runtime, BATCH, old_keys)
    total += await in_batches(runtime, BATCH, old_notices)
    async with runtime.database.transaction() as tx:
        await cards.forget_expired_codes(tx)
        await auth.forget_expired_tokens(tx)
        await web_logins.forget_expired(tx)
    return total


JOBS = (
    Job("expire-reservations", expire_reservations, every=30, by_clock=True),
    Job("expire-charges", expire_charges, every=15, by_clock=True),
    Job("expire-lots", expire_lots, every=60, by_clock=True),
    Job("announce-expiry", announce, every=3600, by_clock=True),
    Job("forget", forget, every=3600, by_clock=True),
)
