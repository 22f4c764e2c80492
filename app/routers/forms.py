"""Forms (数字化表单): questions in versions."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ORGANIZER, READER, allow
from app.api.deps import CurrentPerson, IfMatch, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.forms import FormState
from app.schemas.base import Id
from app.schemas.forms import FormDetailOut, FormEditIn, FormIn, FormOut
from app.services import forms
from app.services.forms import FormNotFound, FormWrongState
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual(
    "数字化表单：题目按版本保存，本组织及下级组织的活动可以使用",
    "Forms: questions in versions, for activities of an organisation and those below it",
)
router = Router(tags=["forms"], about=ABOUT)
MOVE = allow(ORGANIZER, FormNotFound, FormWrongState, once=True)


@router.post(
    "/forms",
    status_code=201,
    operation_id="createForm",
    **allow(ORGANIZER, OrgNotFound, OrgClosed, body=True, once=True),
)
@leads_to("getForm", {"form_id": "id"})
@leads_to("publishForm", {"form_id": "id"})
async def create_form(body: FormIn, tx: Tx, person_id: CurrentPerson) -> FormDetailOut:
    """Write a form, a draft at first, with its first version."""
    return await forms.create(tx, person_id, body)


@router.get("/forms", operation_id="listForms", **allow(READER, OrgNotFound))
@leads_to("getForm", {"form_id": "items/0/id"})
async def list_forms(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of this organisation and those below it.")],
    state: Annotated[FormState | None, Query(description="Only in this state.")] = None,
    usable: Annotated[
        bool,
        Query(
            description="Instead those that activities of the organisation may have: published"
            " ones of it and of those above it."
        ),
    ] = False,
) -> Page[FormOut]:
    """Return the forms of an organisation and those below it, newest first."""
    return await forms.browse(tx, person_id, org_id, state, page, usable=usable)


exports.beside(router, list_forms, Bilingual("报名表", "Forms"))


@router.get("/forms/{form_id}", operation_id="getForm", **allow(READER, FormNotFound))
async def get_form(
    form_id: PathId,
    tx: Reader,
    person_id: CurrentPerson,
    number: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="Number of a version; else the newest.")
    ] = None,
) -> FormDetailOut:
    """Return a form, to organizers and auditors at its organisation, above and below it."""
    return await forms.get(tx, person_id, form_id, number)


@router.put(
    "/forms/{form_id}",
    operation_id="editForm",
    **allow(ORGANIZER, FormNotFound, FormWrongState, body=True, if_match=True),
)
async def edit_form(
    form_id: PathId, body: FormEditIn, version: IfMatch, tx: Tx, person_id: CurrentPerson
) -> FormDetailOut:
    """Write the next version of a form. Activities keep the version that they have."""
    return await forms.edit(tx, person_id, form_id, version, body)


@router.post("/forms/{form_id}/publish", operation_id="publishForm", **MOVE)
async def publish_form(form_id: PathId, tx: Tx, person_id: CurrentPerson) -> FormOut:
    """Publish a draft: from now on it can be given to activities."""
    return await forms.move(tx, person_id, form_id, FormState.published)


@router.post("/forms/{form_id}/retire", operation_id="retireForm", **MOVE)
async def retire_form(form_id: PathId, tx: Tx, person_id: CurrentPerson) -> FormOut:
    """Retire a form for good: no more activities get it, those that have it keep it."""
    return await forms.move(tx, person_id, form_id, FormState.retired)
