"""Reading awards: one's own with what became of them, and those that wait for a review."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Row, Session
from app.core.errors import Language
from app.core.paging import decode_cursor
from app.models.awards import AwardState
from app.models.people import Role
from app.queries.awards import reading as queries
from app.schemas.awards import AwardCaseOut, MyAwardOut, ObjectionOut
from app.schemas.base import Page, page_of
from app.services import orgs, people
from app.services.awards.wording import to_out


async def mine(
    tx: Session, person_id: UUID, unit: int, cursor: str | None, limit: int, language: Language
) -> Page[MyAwardOut]:
    """Return the caller's awards, newest first."""
    key = decode_cursor(cursor, UUID)
    rows = await queries.of_person(
        tx, person_id, unit, now(), before=key[0] if key else None, limit=limit + 1
    )
    return page_of(rows, limit, lambda row: _mine(row, language), lambda row: (row.id,))


def _mine(row: Row, language: Language) -> MyAwardOut:
    """Say what became of an available award: its lots tell."""
    state = row.state
    if state == AwardState.available and row.expires_at is not None and row.remaining == 0:
        state = "expired" if row.has_expired else "spent"
    return MyAwardOut(
        award=to_out(row, language).model_copy(update={"state": state}),
        title=row.title,
        org_id=row.org_id,
        awarded_at=row.awarded_at,
        release_at=row.release_at if row.state in (AwardState.pending, AwardState.notice) else None,
        has_objection=row.has_objection,
        left=row.remaining,
        expires_at=row.expires_at,
    )


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    state: AwardState | None,
    cursor: str | None,
    limit: int,
    language: Language,
) -> Page[AwardCaseOut]:
    """Return the awards of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    key = decode_cursor(cursor, UUID)
    org = await orgs.get(tx, org_id)
    await people.require_role(tx, caller, [*people.ORGANIZERS, Role.auditor], org.path)
    rows = await queries.of_subtree(
        tx, org.path, state=state, before=key[0] if key else None, limit=limit + 1
    )
    return page_of(rows, limit, lambda row: _case(row, language), lambda row: (row.id,))


def _case(row: Row, language: Language) -> AwardCaseOut:
    return AwardCaseOut(
        award=to_out(row, language),
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
