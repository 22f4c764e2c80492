"""Awards and objections of people whose accounts are closed: what is not paid yet ends.

Nobody is left who could object to a rejection, add evidence, or spend the points.
"""

from collections.abc import Sequence
from uuid import UUID

from app.core.db import Session
from app.models.awards import Award, AwardState
from app.models.cases import OPEN, CaseKind
from app.queries import cases as case_queries
from app.queries.awards import granting as granting_queries
from app.queries.awards import reviewing as reviewing_queries
from app.services import audit, cases
from app.services.awards import cutting
from app.services.awards.public_notice import end_objections
from app.services.awards.review import take_back
from app.services.awards.wording import trail
from app.services.ledger import moments

REASON = "账户已注销"  # of the transfer that gives the points back to their fund


async def end(tx: Session, people: Sequence[UUID]) -> None:
    """Reject what erased people have not been paid, and end their objections. Repeatable."""
    at = await moments.moment(tx)
    found = await reviewing_queries.lock_unpaid(tx, people)
    locked = await cutting.lock(tx, found, at) if found else {}
    for award in found:
        before = award.state
        await take_back(tx, award, REASON, at, locked)
        await _write_audit(tx, award, before)
        await end_objections(tx, None, award)
    for award_id, opener in await case_queries.open_by(tx, CaseKind.objection, people):
        await _end_objection(tx, award_id, opener)


async def _write_audit(tx: Session, award: Award, before: str) -> None:
    """Write that nobody reviewed the award: its person has gone. Verification looks for it."""
    after = AwardState.rejected
    await audit.write(tx, None, "lapsed", award, before=before, after=after, facts=trail(award))


async def _end_objection(tx: Session, award_id: UUID, opener: UUID) -> None:
    """End an objection, which else would hold up the award of another for ever."""
    award = await granting_queries.find(tx, award_id, lock=True)
    case = await case_queries.lock_of(tx, CaseKind.objection, award_id, opener)
    assert award is not None, "no award is ever deleted"
    assert case is not None, "no case is ever deleted"
    if case.state in OPEN:
        await cases.end(tx, None, case)
        await reviewing_queries.count_objections(tx, award, -1)


ERASES = end
