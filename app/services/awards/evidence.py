"""Evidence of awards: pictures and documents that reviewers look at."""

from uuid import UUID

from app.core.db import Session
from app.models.awards import AwardState
from app.queries.awards import granting as queries
from app.queries.awards import reviewing as reviewing_queries
from app.services import orgs, people
from app.services.attachments.subjects import Access, Subject

# And until the first review: afterwards it stays what the reviewers saw.
OPEN_STATES = (AwardState.pending_budget, AwardState.pending)


async def _access(tx: Session, caller: UUID | None, award_id: UUID) -> Access | None:
    """The awarded person and organizers add evidence until the first review; readers look at it.

    Nobody manages the evidence of an award of their own.
    """
    award = await queries.find(tx, award_id)
    if award is None:
        return None
    org = await orgs.get(tx, award.org_id)
    is_own = caller == award.person_id
    organizes = await people.holds(tx, caller, people.ORGANIZERS, org.path)
    waits = award.state in OPEN_STATES
    is_open = waits and not await reviewing_queries.reviewers(tx, award_id)
    return Access(
        org.id,
        reads=is_own or await people.holds(tx, caller, people.READERS, org.path),
        attaches=is_open and (is_own or organizes),
        manages=is_open and organizes and not is_own,
        is_closed=not is_open and (is_own or organizes),
    )


ATTACHABLE = Subject("award", _access, most=9, lock=queries.lock_for_evidence)
