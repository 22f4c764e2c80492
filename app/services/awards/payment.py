"""Payment of awards that wait for a fund: oldest first, as far as its balance suffices.

Not in the transaction of a receipt, which has locked the fund: it could deadlock with a payment
that has locked the awards and waits for the fund.
"""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import unwrap
from app.models.awards import Award, AwardState
from app.models.ledger import Purpose
from app.models.notices import NoticeKind
from app.queries.awards import payment as queries
from app.queries.awards import reviewing as reviewing_queries
from app.queries.awards.payment import Waiting
from app.services import notify
from app.services.awards.postings import award_posting
from app.services.awards.wording import message
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, Posting
from app.services.policies import history


async def waiting(tx: Session) -> list[Waiting]:
    """Return the funds with unpaid awards."""
    return await queries.waiting(tx)


async def pay_waiting(tx: Session, fund: Waiting, at: datetime, limit: int) -> int:
    """Pay at most ``limit`` awards that wait for a fund, oldest first; return how many were paid.

    Stops at the first award that exceeds the fund's balance. A paid award enters the state that it
    would have begun with: under review, in public notice, waiting its hours, or available.
    """
    awards = await queries.lock_waiting(tx, fund.org_id, fund.unit_id, limit)
    if not awards:
        return 0
    policy = await history.in_force(tx, fund.org_path, at)
    payer = AccountKey(fund.org_id, policy.fund, fund.unit_id)
    locked = await posting.lock(tx, [payer, *(_payee(award) for award in awards)], at)
    left = locked[payer].balance
    postings, states = list[Posting](), dict[UUID, AwardState]()
    for award in awards:
        if policy.fund is Purpose.budget and award.points > left:
            break
        left -= award.points
        states[award.id] = _next_state(award)
        if states[award.id] is AwardState.notice:  # not shown before: it waited for the fund
            await reviewing_queries.give_notice(tx, award, _notice_until(award, at))
        if award.points:
            postings.append(award_posting(award, payer, _payee(award), policy, at))
    for outcome in await posting.post(tx, postings, at, locked):
        unwrap([outcome])
    await queries.pay(tx, states)
    available = [one for one in awards if states.get(one.id) is AwardState.available]
    paid = [message(one) for one in available if one.points]
    await notify.send_each(tx, NoticeKind.award_paid, paid)
    return len(states)


def _next_state(award: Award) -> AwardState:
    if award.reviews_needed:
        return AwardState.pending
    if award.release_at is None:
        return AwardState.available
    return AwardState.notice if award.notice_days else AwardState.pending


def _notice_until(award: Award, at: datetime) -> datetime:
    assert award.release_at is not None, "it waits for no reviewer"
    return max(award.release_at, at + timedelta(days=award.notice_days))


def _payee(award: Award) -> AccountKey:
    available = _next_state(award) is AwardState.available
    purpose = Purpose.available if available else Purpose.pending
    return AccountKey(award.person_id, purpose, award.unit_id)
