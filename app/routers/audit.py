"""The audit trail of an organisation."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import AUDITOR, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Since, Until
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.queries.audit import AuditFilter
from app.schemas.audit import AuditEntryOut, SubjectType
from app.schemas.base import Id
from app.services import audit
from app.services.orgs import OrgNotFound

ABOUT = Bilingual(
    "审计：组织内谁在何时做了什么", "Audit trail: who did what in an organisation, and when"
)
router = Router(tags=["audit"], about=ABOUT)


@router.get("/audit", operation_id="listAuditEntries", **allow(AUDITOR, OrgNotFound))
async def list_audit_entries(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of this organisation and those below it.")],
    subject_type: Annotated[
        SubjectType | None, Query(description="Only of this singular noun, such as `award`.")
    ] = None,
    subject_id: Annotated[Id | None, Query(description="Only of the record with this id.")] = None,
    actor_id: Annotated[Id | None, Query(description="Only by this person.")] = None,
    since: Since = None,
    until: Until = None,
) -> Page[AuditEntryOut]:
    """Return the decisions in an organisation and its subtree, newest first."""
    wanted = AuditFilter(subject_type, subject_id, actor_id, since, until)
    return await audit.browse(tx, person_id, org_id, wanted, page)


exports.beside(router, list_audit_entries, Bilingual("操作记录", "Audit trail"))
