"""The organisation tree."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ANYONE, allow
from app.api.deps import PageQuery, StaleReader
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.orgs import Level
from app.queries.orgs import OrgFilter
from app.schemas.base import Words
from app.schemas.orgs import OrgOut
from app.services import orgs

ABOUT = Bilingual("组织：各级团组织与社区", "Organisations, from the city to the community")
router = Router(tags=["orgs"], about=ABOUT)


@router.get("/orgs", operation_id="listOrgs", **allow(ANYONE))
async def list_orgs(
    tx: StaleReader,
    page: PageQuery,
    parent_id: Annotated[
        PathId | None, Query(description="Only those directly below this organisation.")
    ] = None,
    level: Annotated[Level | None, Query(description="Only of this level.")] = None,
    q: Annotated[
        Words | None,
        Query(min_length=1, max_length=50, description="Only those whose name holds this."),
    ] = None,
) -> Page[OrgOut]:
    """List organisations by code: children of one, of one level, or by a part of the name."""
    return await orgs.browse(tx, OrgFilter(parent_id, level, q), page)


exports.beside(router, list_orgs, Bilingual("组织", "Organisations"), org=exports.of_service)
