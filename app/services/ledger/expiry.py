"""Expiry of points: announced in advance, then posted lot by lot."""

from datetime import datetime, timedelta

from app.core.clock import local_date
from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.queries.ledger import expiry as expiry_queries
from app.queries.ledger import posting as posting_queries
from app.queries.ledger.expiry import Expiring
from app.queries.ledger.posting import LotRow
from app.services import notify
from app.services.ledger.posting import lock, post
from app.services.ledger.types import AccountKey, Posting
from app.services.notify import Message

# Refunds of a charge return points to its lots. One that began before a lot's end commits within
# this time, so that the lot is not emptied before: it can be emptied once. The points cannot
# be spent meanwhile.
GRACE = timedelta(minutes=5)


async def expire_lots(tx: Session, at: datetime, limit: int) -> int:
    """Move expired points to their issuer's account; return the number of lots examined.

    Safe to kill, to repeat and to run concurrently: lots emptied meanwhile are skipped, and the
    posting's reference allows one expiry per lot.
    """
    found = await expiry_queries.expired_lots(tx, at - GRACE, limit)
    if not found:
        return 0
    owners = {
        one.account_id: AccountKey(one.owner_id, Purpose.available, one.unit_id) for one in found
    }
    # The issuer of a lot never changes, so it may be read before the accounts are locked.
    issuers = {AccountKey(one.org_id, Purpose.expired, one.unit_id) for one in found}
    locked = await lock(tx, {*owners.values(), *issuers}, at)
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
    """Notify people of points that expire within each number of days; return how many.

    One notice for each number of days and date of expiry. Someone not notified in time is
    notified at the next, smaller number. The message is written to the outbox here.
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
        messages = [_message(one) for one in found if (one.person_id, one.expires_at) in ours]
        await notify.send_each(tx, NoticeKind.points_expiring, messages)
        told += len(messages)
    return told


def _message(one: Expiring) -> Message:
    last_day = local_date(one.expires_at - timedelta(seconds=1))
    facts = {"points": one.points, "last_day": last_day}
    return Message(one.person_id, ("person", one.person_id), facts)
