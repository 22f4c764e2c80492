"""Holds: the ledger ends each at its deadline and returns the points.

``posting.lock`` does this for the accounts that it locks, so no caller can omit it. Other effects
of the end of a hold, such as returning goods to the stock, are up to the caller's domain.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.ids import new_id
from app.models.ledger import Kind
from app.queries.ledger import holds as queries
from app.queries.ledger.holds import NewHold, OverdueHold
from app.queries.ledger.posting import AccountRow
from app.services.ledger.plan import Plan
from app.services.ledger.types import AccountKey, Posting, settlement_of

SETTLES_A_HOLD = (Kind.collect, Kind.unhold)


async def endings(
    tx: Session, accounts: dict[AccountKey, AccountRow], at: datetime
) -> list[Posting]:
    """Return the postings that end overdue holds of accounts. Usually none, without a query."""
    owners = {
        row.id: key
        for key, row in accounts.items()
        if row.holds_until is not None and row.holds_until <= at
    }
    if not owners:
        return []
    overdue = await queries.overdue(tx, list(owners), at)
    return [_ending(hold, owners[hold.account_id], at) for hold in overdue]


async def note(tx: Session, postings: Sequence[Posting], plan: Plan) -> None:
    """Write the holds that a list of postings began and ended. Usually none: no statement."""
    made, ended = _begun(postings, plan), _ended(postings, plan.closed)
    if made or ended:
        await queries.write(tx, made, ended)


def _begun(postings: Sequence[Posting], plan: Plan) -> list[NewHold]:
    terms = {posting.id: posting.terms for posting in postings if posting.terms is not None}
    return [
        NewHold(
            transfer_id=transfer.id,
            account_id=transfer.from_account_id,
            held_until=terms[transfer.id].until,
            reason=terms[transfer.id].reason,
            revived_for=terms[transfer.id].revived_for,
        )
        for transfer in (plan.transfers if terms else ())
        if transfer.id in terms
    ]


def _ended(postings: Sequence[Posting], closed: Collection[UUID]) -> list[UUID]:
    """Return the holds that are settled, by a posting of the list or by an earlier transfer."""
    return [
        posting.closes_id
        for posting in postings
        if posting.kind in SETTLES_A_HOLD
        and posting.closes_id is not None
        and posting.closes_id in closed
    ]


def _ending(hold: OverdueHold, owner: AccountKey, at: datetime) -> Posting:
    return Posting(
        id=new_id(),
        payer=owner.held,
        payee=owner,
        amount=hold.amount,
        kind=Kind.unhold,
        reason=hold.reason,
        reference=settlement_of(hold.source_type, hold.source_id),
        source_type=hold.source_type,
        source_id=hold.source_id,
        org_id=hold.org_id,
        closes_id=hold.transfer_id,
        revived_until=at + hold.revived_for,
    )
