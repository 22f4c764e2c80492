"""Release: points that waited become available, with the hours that came with them."""

from collections.abc import Sequence
from datetime import datetime

from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.awards import Award, AwardState
from app.models.ledger import Kind, Purpose
from app.queries import orgs as org_queries
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.services.awards.postings import hours_accounts, minutes_posting
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, Posting
from app.services.policies import history


async def release_due(tx: Session, at: datetime, limit: int) -> int:
    """Release awards whose hours or public notice are over; return how many.

    An open objection stops one. Safe in several workers and at any moment of a kill: who
    has locked an award releases it, and moves its state in the same transaction.
    """
    due = await reviewing_queries.lock_due(tx, at, limit)
    await release(tx, due, at)
    return len(due)


async def release(tx: Session, awards: Sequence[Award], at: datetime) -> None:
    """Make the points of locked awards available, in a fixed number of statements."""
    if not awards:
        return
    locked = await posting.lock(tx, (key for award in awards for key in _accounts(award)))
    paths = await org_queries.paths_of(tx, sorted({award.org_id for award in awards}))
    published = await history.load(tx)
    postings = []
    for award in awards:
        if award.points:
            expires_at = published.policy(at, paths[award.org_id]).lot_expiry(at)
            postings.append(_posting(award, expires_at))
        if award.minutes:
            postings.append(minutes_posting(award, award.title))
    for outcome in await posting.post(tx, postings, at, locked):
        unwrap([outcome])
    await granting_queries.move(tx, [award.id for award in awards], AwardState.available)


def _accounts(award: Award) -> list[AccountKey]:
    keys = [
        AccountKey(award.person_id, Purpose.pending, award.unit_id),
        AccountKey(award.person_id, Purpose.available, award.unit_id),
    ]
    if award.minutes:
        keys += hours_accounts(award.org_id, award.person_id)
    return keys


def _posting(award: Award, expires_at: datetime) -> Posting:
    pending, available, *_ = _accounts(award)
    return Posting(
        id=new_id(),
        payer=pending,
        payee=available,
        amount=award.points,
        kind=Kind.release,
        reason=award.title,
        reference=f"release:{award.id}",
        source_type="award",
        source_id=award.id,
        org_id=award.org_id,
        closes_id=award.id,
        expires_at=expires_at,
    )
