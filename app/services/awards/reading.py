"""Reading awards: one's own with what became of them, and those that wait for a review."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Row, Session
from app.core.paging import Page, PageParams, by_id
from app.models.awards import AwardState
from app.queries.awards import reading as queries
from app.schemas.awards import AwardCaseOut, MyAwardOut, ObjectionOut
from app.services import people, records
from app.services.awards.wording import to_out


async def mine(tx: Session, person_id: UUID, unit: int, asked: PageParams) -> Page[MyAwardOut]:
    """Return the caller's awards, newest first."""
    at = now()
    return await by_id(
        asked,
        lambda before, limit: queries.of_person(tx, person_id, unit, at, before, limit),
        _mine,
    )


def _mine(row: Row) -> MyAwardOut:
    """Say what became of an available award: its lots tell."""
    state = row.state
    if state == AwardState.available and row.expires_at is not None and row.remaining == 0:
        state = "expired" if row.has_expired else "spent"
    return MyAwardOut(
        award=to_out(row).model_copy(update={"state": state}),
        title=row.title,
        org_id=row.org_id,
        awarded_at=row.awarded_at,
        release_at=row.release_at if row.state in (AwardState.pending, AwardState.notice) else None,
        has_objection=row.has_objection,
        left=row.remaining,
        expires_at=row.expires_at,
    )


async def browse(
    tx: Session, caller: UUID, org_id: UUID, state: AwardState | None, asked: PageParams
) -> Page[AwardCaseOut]:
    """Return the awards of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    org = await records.authorized(tx, caller, people.READERS, org_id)
    return await by_id(
        asked,
        lambda before, limit: queries.of_subtree(tx, org.path, state, before, limit),
        _case,
    )


def _case(row: Row) -> AwardCaseOut:
    return AwardCaseOut(
        award=to_out(row),
        person_id=row.person_id,
        display_name=people.masked(row.display_name),
        org_id=row.org_id,
        title=row.title,
        evidence=row.evidence,
        proposed_by=row.proposed_by,
        proposal_id=row.proposal_id,
        awarded_at=row.awarded_at,
        release_at=row.release_at,
        reviews_needed=row.reviews_needed,
        approvals=row.approvals,
        objections=[ObjectionOut.model_validate(one) for one in row.objections],
    )
