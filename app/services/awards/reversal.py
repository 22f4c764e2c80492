"""Reversal: a mistake is corrected by a transfer backwards, never by changing a row."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.outcomes import single
from app.models.awards import Award, AwardState
from app.models.ledger import Kind, Purpose
from app.models.people import Role
from app.queries import awards as queries
from app.queries import ledger as ledger_queries
from app.queries import people as people_queries
from app.schemas.ledger import ReversalOut
from app.services import ledger, orgs
from app.services.awards.grant import minutes_id
from app.services.ledger import MINUTES, POINTS, AccountKey, Posting


class TransferNotFound(Refusal):
    code, status, title = "ledger.transfer_not_found", 404, "No such transfer"
    zh, en = "积分流水不存在", "There is no such transfer."


class NotReversible(Refusal):
    code, status, title = "ledger.not_reversible", 409, "Not reversible"
    zh, en = "该类流水不能冲正", "Only an award can be reversed here."


async def reverse(tx: Session, caller: UUID, transfer_id: UUID, reason: str) -> ReversalOut:
    """Take back what an award gave, from where it is now: pending or available.

    Raises TransferNotFound (also for a transfer outside the caller's subtree),
    NotReversible, AlreadySettled, InsufficientPoints when it has been spent.
    """
    transfer = await ledger_queries.find_transfer(tx, transfer_id)
    if transfer is None:
        raise TransferNotFound
    org = await orgs.get(tx, transfer.org_id)
    if not await people_queries.has_role_at(tx, caller, [Role.administrator], org.path):
        raise TransferNotFound
    award = await queries.find(tx, transfer.source_id, lock=True)
    given = transfer.kind in (Kind.award, Kind.release) and transfer.unit_id == POINTS
    if award is None or not given:
        raise NotReversible
    if award.state == AwardState.reversed:
        raise ledger.AlreadySettled
    # An award that was pending has a second transfer, its release: that is what is closed.
    released = await ledger_queries.find_related(tx, [f"release:{award.id}"], [])
    latest = released[0].id if released else award.id
    at = now()
    purpose = Purpose.pending if award.state == AwardState.pending else Purpose.available
    postings = [_reversal(award, latest, POINTS, award.points, purpose, reason)]
    if award.minutes and award.state == AwardState.available:
        postings.append(
            _reversal(
                award, minutes_id(award.id), MINUTES, award.minutes, Purpose.available, reason
            )
        )
    for outcome in await ledger.post(tx, postings, at):
        single([outcome])
    await queries.settle(tx, award.id, before=award.state, state=AwardState.reversed)
    return ReversalOut(
        id=postings[0].id,
        reverses_id=transfer_id,
        points=award.points,
        reason=reason,
        created_at=at,
    )


def _reversal(
    award: Award, closes: UUID, unit: int, amount: int, purpose: Purpose, reason: str
) -> Posting:
    return Posting(
        id=new_id(),
        payer=AccountKey(award.person_id, purpose, unit),
        payee=AccountKey(award.org_id, Purpose.fund, unit),
        amount=amount,
        kind=Kind.reversal,
        reason=reason,
        reference=f"reversal:{closes}",
        source_type="award",
        source_id=award.id,
        org_id=award.org_id,
        closes_id=closes,
    )
