"""The audit trail of an organisation."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import AUDITOR, allow
from app.api.deps import CurrentPerson, PageQuery, Reader
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.queries.audit import AuditFilter
from app.schemas.audit import AuditEntryOut
from app.schemas.base import Bound, Id
from app.services import audit
from app.services.orgs import OrgNotFound

router = Router(tags=["audit"])


@router.get("/audit", operation_id="listAuditEntries", **allow(AUDITOR, OrgNotFound))
async def list_audit_entries(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query()],
    subject_type: Annotated[str | None, Query(pattern="^[a-z][a-z_]{0,39}$")] = None,
    subject_id: Annotated[Id | None, Query()] = None,
    actor_id: Annotated[Id | None, Query()] = None,
    since: Bound | None = None,
    until: Bound | None = None,
) -> Page[AuditEntryOut]:
    """Return who decided what in an organisation and everything below it, newest first."""
    wanted = AuditFilter(subject_type, subject_id, actor_id, since, until)
    return await audit.browse(tx, person_id, org_id, wanted, page)


exports.beside(router, list_audit_entries, Bilingual("操作记录", "Audit trail"))
