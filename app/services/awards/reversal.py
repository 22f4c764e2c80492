"""Reversal: a mistake is corrected by a transfer backwards, never by changing a row.

What is still pending or available goes back; what has been spent the person owes, up to
the policy's ``max_debt``; goods handed over are never touched.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.models.awards import Award, AwardState
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.models.people import Role
from app.queries import people as people_queries
from app.queries.awards import granting as queries
from app.queries.ledger import expiry as expiry_queries
from app.queries.ledger import posting as posting_queries
from app.queries.ledger import reading as reading_queries
from app.queries.ledger.posting import TransferRow
from app.schemas.ledger import ReversalOut
from app.services import notify, orgs
from app.services.awards.postings import (
    hours_accounts,
    minutes_id,
    minutes_reversal,
    reversal_posting,
)
from app.services.awards.review import free_numbers
from app.services.awards.wording import message
from app.services.ledger import posting
from app.services.ledger.posting import Unhold
from app.services.ledger.types import MINUTES, AccountKey, AlreadySettled, Posting
from app.services.policies import history


class TransferNotFound(Refusal):
    code, status, title = "ledger.transfer_not_found", 404, "No such transfer"
    zh, en = "积分流水不存在", "There is no such transfer."


class NotReversible(Refusal):
    code, status, title = "ledger.not_reversible", 409, "Not reversible"
    zh, en = "该类流水不能冲正", "Only an award can be reversed here."


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where the points of a reversed award come from; ``lost`` is beyond the largest debt.

    ``expired`` ones the person has lost already.

    ``id`` is the first transfer's, or the award's if there was nothing to be had.
    """

    id: UUID
    pending: int = 0
    available: int = 0
    debt: int = 0
    lost: int = 0
    expired: int = 0


async def reverse(
    tx: Session, caller: UUID, transfer_id: UUID, reason: str, *, unhold: Unhold
) -> ReversalOut:
    """Take back what an award gave: from pending, then available, then as a debt.

    An award that gave no points, over a cap or waiting for a fund, is named by its id, or by
    the transfer of its hours if it gave some.

    Raises TransferNotFound (also for a transfer outside the caller's subtree),
    NotReversible, AlreadySettled.
    """
    transfer = await _transfer(tx, transfer_id)
    award_id = transfer.source_id if transfer else transfer_id
    award = await queries.find(tx, award_id, lock=True)
    of = transfer or award
    if of is None:
        raise TransferNotFound
    org = await orgs.get(tx, of.org_id)
    if not await people_queries.has_role_at(tx, caller, [Role.administrator], org.path):
        raise TransferNotFound
    if award is None or (transfer and transfer.kind not in (Kind.award, Kind.release)):
        raise NotReversible
    given = await posting_queries.find_transfer(tx, award.id)
    if given is not None and transfer and transfer.unit_id == MINUTES:
        raise NotReversible  # hours go back with their points
    if award.state in (AwardState.reversed, AwardState.rejected):
        raise AlreadySettled(status=award.state)
    at = now()
    policy = await history.in_force(tx, org.path, at)
    if given is not None:
        if award.state == AwardState.available:
            await unhold(tx, award.person_id)
        fund = await posting.key_of(tx, given.from_account_id)
        max_debt = policy.document.clawback.max_debt
        recovery = await _take_back(tx, award, fund, max_debt, reason, at)
    elif award.minutes and await posting_queries.find_transfer(tx, minutes_id(award.id)):
        entry = minutes_reversal(award, reason)
        unwrap(await posting.post(tx, [entry], at))
        recovery = Recovery(entry.id)
    else:
        recovery = Recovery(award.id)
    await queries.move(tx, [award.id], AwardState.reversed)
    await free_numbers(tx, award)
    await notify.send_each(tx, NoticeKind.award_reversed, [message(award, reason=reason)])
    return ReversalOut(
        id=recovery.id,
        reverses_id=transfer_id,
        points=award.points if given is not None else 0,
        from_pending=recovery.pending,
        from_available=recovery.available,
        owed=recovery.debt,
        lost=recovery.lost,
        expired=recovery.expired,
        reason=reason,
        created_at=at,
    )


async def _transfer(tx: Session, transfer_id: UUID) -> TransferRow | None:
    transfer = await posting_queries.find_transfer(tx, transfer_id)
    if transfer is None:
        hours = await posting_queries.find_transfer(tx, minutes_id(transfer_id))
        return hours if hours is not None and hours.unit_id == MINUTES else None
    return transfer


async def _take_back(
    tx: Session, award: Award, fund: AccountKey, max_debt: int, reason: str, at: datetime
) -> Recovery:
    """Post what goes back. All accounts are locked before anybody looks what they hold."""
    accounts = _Accounts(award, fund)
    locked = await posting.lock(tx, accounts.all)
    # An award that was pending has a second transfer, its release: that is what is closed.
    released = await posting_queries.find_related(tx, [f"release:{award.id}"], [])
    closes = released[0].id if released else award.id
    if award.state != AwardState.available:
        recovery = Recovery(award.id, pending=award.points)
    else:
        spendable = await posting.spendable(tx, locked[accounts.available].id, at)
        expired = await expiry_queries.expired_of(tx, closes, at)
        due = award.points - expired  # what has expired is gone already
        found = min(due, spendable)
        spent = await reading_queries.spent(tx, locked[accounts.available].id)
        standing = await expiry_queries.standing(tx, award.person_id, award.unit_id, award.id, at)
        owes = -locked[accounts.debt].balance
        # Nobody owes more than was spent beyond the awards that stand: the rest has expired under
        # another award's name, whose reversal took these points when its own were put aside.
        short = min(due - found, max(spent - standing - owes, 0))
        owed = min(short, max(max_debt - owes, 0))
        recovery = Recovery(
            award.id,
            available=found,
            debt=owed,
            lost=short - owed,
            expired=award.points - found - short,
        )
    parts = [
        (accounts.pending, fund, recovery.pending, Kind.reversal),
        (accounts.available, fund, recovery.available, Kind.reversal),
        (accounts.debt, accounts.owed_to, recovery.debt, Kind.clawback),
    ]
    postings: list[Posting] = []
    for payer, payee, amount, kind in parts:
        if amount:
            settles = None if postings else closes
            postings.append(reversal_posting(award, (payer, payee), amount, kind, reason, settles))
    if award.minutes and award.state == AwardState.available:
        postings.append(minutes_reversal(award, reason))
    for outcome in await posting.post(tx, postings, at, locked):
        unwrap([outcome])
    return replace(recovery, id=postings[0].id) if postings else recovery


class _Accounts:
    """Every account that a reversal may move.

    What is owed has not come in: a limited fund, ``budget``, must not give it to others.
    """

    def __init__(self, award: Award, fund: AccountKey) -> None:
        self.pending = AccountKey(award.person_id, Purpose.pending, award.unit_id)
        self.available = AccountKey(award.person_id, Purpose.available, award.unit_id)
        self.debt = self.available.debt
        self.owed_to = fund._replace(purpose=Purpose.fund)
        self.all = [fund, self.owed_to, self.pending, self.available, self.debt]
        self.all += hours_accounts(award.org_id, award.person_id) if award.minutes else ()
