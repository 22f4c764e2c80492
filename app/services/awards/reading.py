"""Reading awards: a person's own, with their present state, and those of a subtree for review."""

from collections.abc import Sequence
from uuid import UUID

from app.core.clock import now
from app.core.db import Row, Session
from app.core.paging import Key, Page, PageParams, by_id, keyset
from app.models.awards import Award, AwardState
from app.models.cases import Case, CaseKind, CaseOutcome
from app.queries import cases as case_queries
from app.queries.awards import reading as queries
from app.schemas.awards.reading import AwardCaseOut, MyAwardOut, ObjectionOut, ShownState
from app.services import people, records
from app.services.awards.wording import to_out
from app.services.policies import naming
from app.services.policies.naming import Book


async def mine(tx: Session, person_id: UUID, unit: int, asked: PageParams) -> Page[MyAwardOut]:
    """Return the caller's awards, newest first."""
    at, names = now(), await naming.book(tx)
    return await by_id(
        asked,
        lambda before, limit: queries.of_person(tx, person_id, unit, at, before, limit),
        lambda row: _mine(row, names),
    )


def _mine(row: Row, names: Book) -> MyAwardOut:
    """Derive from its lots whether an available award is spent or expired."""
    state = ShownState(row.state)
    if state == ShownState.available and row.expires_at is not None and row.remaining == 0:
        state = ShownState.expired if row.has_expired else ShownState.spent
    return MyAwardOut(
        award=to_out(row).model_copy(update={"state": state}),
        title=names.said(row.title),
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
    names = await naming.book(tx)

    async def read(after: Key | None, limit: int) -> list[AwardCaseOut]:
        before = after[0] if after else None
        found = await queries.of_subtree(tx, org.path, state, before, limit)
        cases = await case_queries.about(tx, CaseKind.objection, [award.id for award, *_ in found])
        return [
            _case(award, name, approvals, _about(cases, award), names)
            for award, name, approvals in found
        ]

    return await keyset(asked, (UUID,), read, lambda out: out, lambda out: (out.award.id,))


def _about(cases: Sequence[Case], award: Award) -> list[Case]:
    return [one for one in cases if one.subject_id == award.id]


def _case(
    award: Award, name: str, approvals: int, objections: Sequence[Case], names: Book
) -> AwardCaseOut:
    return AwardCaseOut(
        award=to_out(award),
        person_id=award.person_id,
        display_name=people.masked(name),
        org_id=award.org_id,
        title=names.said(award.title),
        evidence=award.evidence,
        proposed_by=award.proposed_by,
        proposal_id=award.proposal_id,
        awarded_at=award.awarded_at,
        release_at=award.release_at,
        reviews_needed=award.reviews_needed,
        approvals=approvals,
        objections=[_objection(one) for one in objections],
    )


def _objection(case: Case) -> ObjectionOut:
    upheld = None if case.outcome is None else case.outcome == CaseOutcome.adopted
    return ObjectionOut(id=case.id, award_id=case.subject_id, reason=case.reason, upheld=upheld)
