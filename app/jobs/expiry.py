"""What time ends: reservations that nobody collected, and rows that nobody needs any more."""

from datetime import timedelta

from app.core.clock import now
from app.queries import auth, cards, idempotency, outbox
from app.runtime import Runtime
from app.services import redemptions

BATCH = 200
CARD_CODES_KEPT = timedelta(days=1)


async def expire_reservations(runtime: Runtime) -> int:
    """Release overdue holds, one a transaction; return how many."""
    async with runtime.database.read() as tx:
        overdue = await redemptions.overdue(tx, BATCH)
    for redemption_id in overdue:
        async with runtime.database.transaction() as tx:
            await redemptions.expire(tx, redemption_id)
    return len(overdue)


async def forget(runtime: Runtime) -> int:
    """Delete keys, codes, tokens and messages past their use. No ledger row is among them."""
    async with runtime.database.transaction() as tx:
        await idempotency.forget_old(tx)
        await cards.forget_expired(tx, now() - CARD_CODES_KEPT)
        await auth.forget_expired(tx, now())
        await outbox.forget_handled(tx)
    return 0
