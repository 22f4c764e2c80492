"""Reversal: an award is corrected by transfers in the opposite direction, never by an update.

This module reads under locks what ``reversal_plan`` needs, and executes its plan.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.models.awards import Award, AwardState
from app.models.ledger import Kind
from app.models.notices import NoticeKind
from app.models.people import Role
from app.queries import people as people_queries
from app.queries.awards import granting as queries
from app.queries.ledger import expiry as expiry_queries
from app.queries.ledger import posting as posting_queries
from app.queries.ledger import reading as reading_queries
from app.queries.ledger.posting import TransferRow
from app.schemas.ledger import ReversalOut
from app.services import audit, notify, orgs, people
from app.services.awards import public_notice, reversal_plan
from app.services.awards.postings import minutes_id
from app.services.awards.reversal_plan import Given, Holdings
from app.services.awards.review import OwnAward, free_evidence
from app.services.awards.wording import message, trail
from app.services.ledger import moments, posting
from app.services.ledger.posting import Locked
from app.services.ledger.types import MINUTES, AlreadySettled
from app.services.policies import history


class TransferNotFound(Refusal):
    code, status, title = "ledger.transfer_not_found", 404, "No such transfer"
    zh, en = "积分流水不存在", "There is no such transfer."


class NotReversible(Refusal):
    code, status, title = "ledger.not_reversible", 409, "Not reversible"
    zh, en = "该类流水不能冲正", "Only an award can be reversed here."


class MoreThanLeft(Refusal):
    """``limit``: the points of the award that are left to reverse."""

    code, status, title = "ledger.more_than_left", 409, "More than is left"
    zh, en = "冲正的积分多于该记录剩余的积分", "The award has fewer points left than that."
    fact_names = ("limit",)


async def reverse(
    tx: Session, caller: UUID, transfer_id: UUID, reason: str, points: int | None = None
) -> ReversalOut:
    """Reverse an award: from pending points, then available ones, then as a debt.

    ``points``: only so many; may be repeated until none are left. Hours are reversed with the
    last. An award that gave no points (over a cap, or waiting for a fund) is given by its id, or
    by the transfer of its hours if it has one.

    Raises TransferNotFound (also for a transfer outside the caller's subtree), NotReversible,
    OwnAward, AlreadySettled, MoreThanLeft.
    """
    award, given = await _reversible(tx, caller, transfer_id)
    left = award.points if given.fund is not None else 0
    if points is not None and points > left:
        raise MoreThanLeft(limit=left)
    part = None if points is None or points == left else points
    return await _take_back(tx, caller, award, given, transfer_id, reason, part)


async def take_back(tx: Session, caller: UUID, award_id: UUID, reason: str) -> bool:
    """Reverse all that is left of an award, because what proved it does not hold.

    The caller of this function has authorized it. False: nothing is left of the award.
    Raises OwnAward.
    """
    award = await queries.find(tx, award_id, lock=True)
    assert award is not None, "a foreign key"
    if award.state in (AwardState.reversed, AwardState.rejected):
        return False
    given = await _standing(tx, caller, award)
    await _take_back(tx, caller, award, given, award_id, reason, None)
    return True


async def _take_back(
    tx: Session,
    caller: UUID,
    award: Award,
    given: Given,
    transfer_id: UUID,
    reason: str,
    part: int | None,
) -> ReversalOut:
    left = award.points if given.fund is not None else 0
    at = await moments.moment(tx)
    locked = await posting.lock(tx, reversal_plan.accounts(award, given), at)
    holdings = await _holdings(tx, award, given, locked, at)
    plan = reversal_plan.plan(award, given, holdings, reason, part)
    for outcome in await posting.post(tx, plan.postings, at, locked):
        unwrap([outcome])
    if part is None:
        await _end(tx, caller, award, reason)
    else:
        await _reduce(tx, caller, award, part, reason)
    taken = left if part is None else part
    told = message(award, points=taken, reason=reason)
    await notify.send_each(tx, NoticeKind.award_reversed, [told])
    return ReversalOut(
        id=plan.id,
        reverses_id=transfer_id,
        points=taken,
        left=left - taken,
        from_pending=plan.parts.pending,
        from_available=plan.parts.available,
        owed=plan.parts.debt,
        lost=plan.parts.lost,
        expired=plan.parts.expired,
        reason=reason,
        created_at=at,
    )


async def _end(tx: Session, caller: UUID, award: Award, reason: str) -> None:
    """Move an award of which nothing is left to its last state."""
    before, after = award.state, AwardState.reversed
    await queries.move(tx, [award.id], after)
    await free_evidence(tx, award)
    facts = trail(award)
    await audit.write(
        tx, caller, "reversed", award, before=before, after=after, reason=reason, facts=facts
    )
    await public_notice.end_objections(tx, caller, award)


async def _reduce(tx: Session, caller: UUID, award: Award, part: int, reason: str) -> None:
    """Write what is left of an award; there is room for the rest under the caps again."""
    award.points -= part
    award.points_reversed += part
    await queries.save(tx, award)
    subject, facts = ("award", award.id), {"points": part, "left": award.points} | trail(award)
    await audit.write_about(
        tx, caller, "reversed_in_part", subject, award.org_id, reason=reason, facts=facts
    )


async def _reversible(tx: Session, caller: UUID, transfer_id: UUID) -> tuple[Award, Given]:
    """Lock the award of a transfer, and read what it gave. Raises as ``reverse`` does."""
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
    paid = await posting_queries.find_transfer(tx, award.id)
    if paid is not None and transfer and transfer.unit_id == MINUTES:
        raise NotReversible  # hours are reversed with their points
    if award.state in (AwardState.reversed, AwardState.rejected):
        if await people.is_any_of(tx, caller, award.person_id):
            raise OwnAward
        raise AlreadySettled(status=award.state)
    return award, await _standing(tx, caller, award)


async def _standing(tx: Session, caller: UUID, award: Award) -> Given:
    """Return what a locked award gave. Raises OwnAward."""
    if await people.is_any_of(tx, caller, award.person_id):
        raise OwnAward
    paid = await posting_queries.find_transfer(tx, award.id)
    kept_id = (await people_queries.kept(tx, [award.person_id])).get(award.person_id)
    return replace(await _given(tx, award, paid), kept_id=kept_id)


async def _transfer(tx: Session, transfer_id: UUID) -> TransferRow | None:
    transfer = await posting_queries.find_transfer(tx, transfer_id)
    if transfer is None:
        hours = await posting_queries.find_transfer(tx, minutes_id(transfer_id))
        return hours if hours is not None and hours.unit_id == MINUTES else None
    return transfer


async def _given(tx: Session, award: Award, paid: TransferRow | None) -> Given:
    if paid is None or award.points == 0:  # all of it was cut at its approval
        hours = award.minutes and await posting_queries.find_transfer(tx, minutes_id(award.id))
        return Given(fund=None, closes=award.id, has_hours=bool(hours))
    # A pending award that was released has a second transfer, the release: the reversal closes that
    # one. The award is locked, so no release can happen concurrently.
    released = await posting_queries.find_related(tx, [f"release:{award.id}"], [])
    return Given(
        fund=await posting.key_of(tx, paid.from_account_id),
        closes=released[0].id if released else award.id,
        has_hours=award.minutes > 0
        and (award.hours_at_once or award.state == AwardState.available),
    )


async def _holdings(
    tx: Session, award: Award, given: Given, locked: Locked, at: datetime
) -> Holdings:
    """Read the person's points; without points, or while they are pending, none are needed."""
    if given.fund is None or award.state != AwardState.available:
        return Holdings()
    available = reversal_plan.available_of(award, given)
    account = locked[available].id
    everyone = await people_queries.family(tx, award.person_id)
    org = await orgs.get(tx, award.org_id)
    policy = await history.in_force(tx, org.path, at)
    return Holdings(
        spendable=await posting.spendable(tx, account, at),
        expired=await expiry_queries.expired_of(tx, given.closes, at),
        spent=await reading_queries.spent(tx, everyone, award.unit_id),
        standing=await expiry_queries.standing(tx, everyone, award.unit_id, award.id, at),
        owes=-locked[available.debt].balance,
        max_debt=policy.document.clawback.max_debt,
    )
