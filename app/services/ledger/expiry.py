"""Expiry: what nobody spent in time leaves the account, lot by lot; and before, one is told."""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import local_date
from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.queries import outbox
from app.queries.ledger import expiry as expiry_queries
from app.queries.ledger import posting as posting_queries
from app.queries.ledger.posting import LotRow
from app.services.ledger.posting import lock, post
from app.services.ledger.types import AccountKey, Posting

# A refund that began before a lot's end gives back to it: it is over by then, as it must be,
# for a lot can be emptied once. Nobody spends what waits so long.
GRACE = timedelta(minutes=5)


async def expire_lots(tx: Session, at: datetime, limit: int) -> int:
    """Move what has expired to its issuer's account of expired points; return lots looked at.

    May be killed and run again at any point, and beside itself: a lot that was emptied
    meanwhile is left alone, and each can be emptied for this reason once.
    """
    found = await expiry_queries.expired_lots(tx, at - GRACE, limit)
    if not found:
        return 0
    owners = {
        one.account_id: AccountKey(one.owner_id, Purpose.available, one.unit_id) for one in found
    }
    # A lot does not change its issuer: that may be read before the accounts are locked.
    issuers = {AccountKey(one.org_id, Purpose.expired, one.unit_id) for one in found}
    locked = await lock(tx, {*owners.values(), *issuers})
    due = {one.id for one in found}
    lots = await posting_queries.spendable_lots(tx, sorted(owners))
    postings = [_posting(lot, owners[lot.account_id]) for lot in lots if lot.id in due]
    for outcome in await post(tx, postings, at, locked):
        unwrap([outcome])
    return len(found)


def _posting(lot: LotRow, owner: AccountKey) -> Posting:
    return Posting(
        id=new_id(),
        payer=owner,
        payee=AccountKey(lot.org_id, Purpose.expired, owner.unit_id),
        amount=lot.remaining,
        kind=Kind.expiry,
        reason="积分到期",
        reference=f"expiry:{lot.id}",
        source_type="lot",
        source_id=lot.id,
        org_id=lot.org_id,
        lot_id=lot.id,
    )


async def announce_expiry(
    tx: Session, unit_id: int, notice_days: list[int], at: datetime, limit: int
) -> int:
    """Tell people what expires within each of so many days; return how many were told.

    Each is told once for each number of days; who could not be told in time is told by
    the next one only. The message leaves through the outbox, in this transaction.
    """
    told = 0
    nearer = 0
    for days in sorted(set(notice_days)):
        after, until = at + timedelta(days=nearer), at + timedelta(days=days)
        nearer = days
        found = await expiry_queries.unannounced(
            tx, unit=unit_id, days=days, after=after, until=until, limit=limit
        )
        ours = (
            await expiry_queries.announce(tx, unit=unit_id, days=days, expiring=found)
            if found
            else set()
        )
        messages = [
            _message(one.person_id, one.points, one.expires_at)
            for one in found
            if (one.person_id, one.expires_at) in ours
        ]
        if messages:
            await outbox.put(tx, "notices.points_expiring", *messages)
        told += len(messages)
    return told


def _message(person_id: UUID, points: int, expires_at: datetime) -> dict[str, str]:
    last_day = local_date(expires_at - timedelta(seconds=1))
    return {
        "person_id": str(person_id),
        "text": f"您有 {points} 积分将于 {last_day:%Y-%m-%d} 到期，请及时兑换。",
    }
