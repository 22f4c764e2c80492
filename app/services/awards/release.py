"""Release: waiting points become available, together with their hours of service."""

from collections.abc import Sequence
from datetime import datetime

from app.core.db import Session
from app.core.errors import unwrap
from app.core.ids import new_id
from app.models.awards import Award, AwardState
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.queries import orgs as org_queries
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.services import notify
from app.services.awards.postings import hours_accounts, minutes_posting
from app.services.awards.wording import message
from app.services.ledger import posting
from app.services.ledger.posting import Locked
from app.services.ledger.types import AccountKey, Posting
from app.services.policies import history


async def release_due(tx: Session, at: datetime, limit: int) -> int:
    """Release awards whose waiting hours or public notice are over; return how many.

    An award with an open objection is not released. Safe with several workers and when killed: a
    release locks the award and changes its state in the same transaction.
    """
    due = await reviewing_queries.lock_due(tx, at, limit)
    await release(tx, due, at)
    return len(due)


async def release(
    tx: Session, awards: Sequence[Award], at: datetime, locked: Locked | None = None
) -> None:
    """Make the points of locked awards available, in a fixed number of statements.

    ``locked``: their ``accounts``, if the caller has locked them. An award without points sends no
    notice.
    """
    if not awards:
        return
    if locked is None:
        locked = await posting.lock(tx, (key for award in awards for key in accounts(award)), at)
    paths = await org_queries.paths_of(tx, sorted({award.org_id for award in awards}))
    published = await history.load(tx)
    postings = []
    for award in awards:
        if award.points:
            expires_at = published.policy(at, paths[award.org_id]).lot_expiry(at)
            postings.append(_posting(award, expires_at))
        if award.minutes and not award.hours_at_once:
            postings.append(minutes_posting(award, award.title))
    for outcome in await posting.post(tx, postings, at, locked):
        unwrap([outcome])
    await granting_queries.move(tx, [award.id for award in awards], AwardState.available)
    paid = [award for award in awards if award.points]
    shown = [message(award) for award in paid if award.state == AwardState.notice]
    others = [message(award) for award in paid if award.state != AwardState.notice]
    await notify.send_each(tx, NoticeKind.public_notice_over, shown)
    await notify.send_each(tx, NoticeKind.award_paid, others)


def accounts(award: Award) -> list[AccountKey]:
    """Return every account that the release of an award may move."""
    keys = [
        AccountKey(award.person_id, Purpose.pending, award.unit_id),
        AccountKey(award.person_id, Purpose.available, award.unit_id),
    ]
    if award.minutes:
        keys += hours_accounts(award.org_id, award.person_id)
    return keys


def _posting(award: Award, expires_at: datetime) -> Posting:
    pending, available, *_ = accounts(award)
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
