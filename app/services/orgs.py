"""The organisation tree: listing, lookup."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, keyset
from app.models.orgs import Org
from app.queries import orgs as queries
from app.queries.orgs import OrgFilter
from app.schemas.orgs import OrgOut


class OrgNotFound(Refusal):
    code, status, title = "orgs.not_found", 404, "No such organisation"
    zh, en = "组织不存在", "There is no such organisation."


class OrgClosed(Refusal):
    code, status, title = "orgs.closed", 409, "Organisation closed"
    zh, en = "该组织已撤销", "The organisation is closed."
    fact_names = ("closed_at",)


async def get(tx: Session, org_id: UUID) -> Org:
    org = await queries.find(tx, org_id)
    if org is None:
        raise OrgNotFound
    return org


async def get_open(tx: Session, org_id: UUID) -> Org:
    """Return an organisation that is not closed or moved before the commit.

    Raises OrgNotFound, OrgClosed.
    """
    org = await queries.share(tx, org_id)
    if org is None:
        raise OrgNotFound
    if org.closed_at is not None:
        raise OrgClosed(closed_at=org.closed_at)
    return org


async def get_by_code(tx: Session, code: str) -> Org:
    org = await queries.find_by_code(tx, code)
    if org is None:
        raise OrgNotFound
    return org


async def browse(tx: Session, wanted: OrgFilter, asked: PageParams) -> Page[OrgOut]:
    """Return organisations by code."""
    return await keyset(
        asked,
        (str,),
        lambda after, limit: queries.page(tx, wanted, after[0] if after else None, limit),
        OrgOut.model_validate,
        lambda org: (org.code,),
    )
