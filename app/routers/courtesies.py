"""Courtesies (分级分类礼遇): drafts, the matrix, and what the caller may have."""

from typing import Annotated

from fastapi import Query

from app.api.access import ANYONE, ORGANIZER, RESIDENT, allow
from app.api.deps import Caller, CurrentPerson, IfMatch, OrgFilter, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.courtesies import CourtesyState
from app.schemas.base import Nothing
from app.schemas.courtesies import (
    CourtesyDetailOut,
    CourtesyEditIn,
    CourtesyEndIn,
    CourtesyIn,
    CourtesyOut,
    MyCourtesyOut,
)
from app.services.courtesies import editing, reading
from app.services.courtesies.editing import CourtesyWrongState
from app.services.courtesies.reading import CourtesyNotFound
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import Forbidden

ABOUT = Bilingual(
    "分级分类礼遇：按等级与类别的名额，本人可领的礼遇",
    "Courtesies by tier and category, and what the caller may have",
)
router = Router(tags=["courtesies"], about=ABOUT)
StateQuery = Annotated[
    CourtesyState, Query(description="Only those in this state; drafts with `org_id` alone.")
]
CHANGE = (CourtesyNotFound, CourtesyWrongState)
CREATE = allow(ORGANIZER, OrgNotFound, OrgClosed, body=True, once=True)
EDIT = allow(ORGANIZER, *CHANGE, OrgClosed, body=True, if_match=True)
PUBLISH = allow(ORGANIZER, *CHANGE, OrgClosed, body=True, once=True)
END = allow(ORGANIZER, *CHANGE, body=True, once=True)


@router.get("/courtesies", operation_id="listCourtesies", **allow(ANYONE, OrgNotFound, Forbidden))
@leads_to("getCourtesy", {"courtesy_id": "items/0/id"})
async def list_courtesies(
    tx: Reader,
    caller: Caller,
    page: PageQuery,
    org_id: OrgFilter = None,
    state: StateQuery = CourtesyState.published,
) -> Page[CourtesyOut]:
    """List courtesies, newest first; drafts to organizers and auditors of their organisation."""
    return await reading.browse(tx, caller, org_id, state, page)


@router.post("/courtesies", status_code=201, operation_id="createCourtesy", **CREATE)
@leads_to("publishCourtesy", {"courtesy_id": "id"})
async def create_courtesy(body: CourtesyIn, tx: Tx, caller: CurrentPerson) -> CourtesyDetailOut:
    """Draft a courtesy with its matrix and places."""
    return await editing.create(tx, caller, body)


@router.get(
    "/courtesies/{courtesy_id}", operation_id="getCourtesy", **allow(ANYONE, CourtesyNotFound)
)
async def get_courtesy(courtesy_id: PathId, tx: Reader, caller: Caller) -> CourtesyDetailOut:
    """Return a courtesy with its matrix, and what the caller may have of it."""
    return await reading.show(tx, caller, courtesy_id)


@router.put("/courtesies/{courtesy_id}", operation_id="editCourtesy", **EDIT)
async def edit_courtesy(
    courtesy_id: PathId, body: CourtesyEditIn, version: IfMatch, tx: Tx, caller: CurrentPerson
) -> CourtesyDetailOut:
    """Replace the content of a draft."""
    return await editing.edit(tx, caller, courtesy_id, version, body)


@router.post("/courtesies/{courtesy_id}/publish", operation_id="publishCourtesy", **PUBLISH)
@leads_to("claimCourtesy", {"courtesy_id": "id"})
async def publish_courtesy(
    courtesy_id: PathId,
    tx: Tx,
    caller: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> CourtesyDetailOut:
    """Publish a draft: everybody sees it, and it does not change any more."""
    return await editing.publish(tx, caller, courtesy_id)


@router.post("/courtesies/{courtesy_id}/end", operation_id="endCourtesy", **END)
async def end_courtesy(
    courtesy_id: PathId, body: CourtesyEndIn, tx: Tx, caller: CurrentPerson
) -> CourtesyDetailOut:
    """End a courtesy: nobody claims it any more; what was claimed can still be used."""
    return await editing.end(tx, caller, courtesy_id, body.reason)


@router.get("/me/courtesies", operation_id="listMyCourtesies", **allow(RESIDENT, OrgNotFound))
@leads_to("claimCourtesy", {"courtesy_id": "items/0/id"})
async def list_my_courtesies(
    tx: Reader, caller: CurrentPerson, page: PageQuery, org_id: OrgFilter = None
) -> Page[MyCourtesyOut]:
    """List published courtesies with the caller's eligibility: cells, quota, what is missing."""
    return await reading.mine(tx, caller, org_id, page)
