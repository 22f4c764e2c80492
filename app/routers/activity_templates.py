"""Templates of activities (活动模板)."""

from typing import Annotated

from fastapi import Query, Response

from app.api import exports
from app.api.access import ORGANIZER, READER, allow
from app.api.deps import CurrentPerson, IfMatch, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.activities import ActivityOut
from app.schemas.activity_templates import (
    ActivityStartIn,
    ActivityTemplateEditIn,
    ActivityTemplateIn,
    ActivityTemplateOut,
)
from app.schemas.base import Id
from app.services import activity_templates
from app.services.activity_templates import ActivityTemplateNotFound
from app.services.orgs import OrgNotFound

ABOUT = Bilingual(
    "活动模板：本组织及下级组织可据此发起活动",
    "Templates of activities, for an organisation and those below it",
)
router = Router(tags=["activity_templates"], about=ABOUT)


@router.post(
    "/activity-templates",
    status_code=201,
    operation_id="createActivityTemplate",
    **allow(ORGANIZER, OrgNotFound, body=True, once=True),
)
@leads_to("getActivityTemplate", {"activity_template_id": "id"})
@leads_to("startActivity", {"activity_template_id": "id"})
async def create_activity_template(
    body: ActivityTemplateIn, tx: Tx, person_id: CurrentPerson
) -> ActivityTemplateOut:
    """Write a template."""
    return await activity_templates.create(tx, person_id, body)


@router.get(
    "/activity-templates", operation_id="listActivityTemplates", **allow(READER, OrgNotFound)
)
async def list_activity_templates(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of this organisation and those below it.")],
) -> Page[ActivityTemplateOut]:
    """Return the templates of an organisation and of those above it, newest first."""
    return await activity_templates.browse(tx, person_id, org_id, page)


exports.beside(router, list_activity_templates, Bilingual("活动模板", "Activity templates"))


@router.get(
    "/activity-templates/{activity_template_id}",
    operation_id="getActivityTemplate",
    **allow(READER, ActivityTemplateNotFound),
)
async def get_activity_template(
    activity_template_id: PathId, tx: Reader, person_id: CurrentPerson
) -> ActivityTemplateOut:
    """Return a template, to organizers and auditors at its organisation, above and below it."""
    return await activity_templates.get(tx, person_id, activity_template_id)


@router.put(
    "/activity-templates/{activity_template_id}",
    operation_id="editActivityTemplate",
    **allow(ORGANIZER, ActivityTemplateNotFound, body=True, if_match=True),
)
async def edit_activity_template(
    activity_template_id: PathId,
    body: ActivityTemplateEditIn,
    version: IfMatch,
    tx: Tx,
    person_id: CurrentPerson,
) -> ActivityTemplateOut:
    """Replace a template's content. Activities that were started from it stay as they are."""
    return await activity_templates.edit(tx, person_id, activity_template_id, version, body)


@router.delete(
    "/activity-templates/{activity_template_id}",
    status_code=204,
    operation_id="deleteActivityTemplate",
    **allow(ORGANIZER, ActivityTemplateNotFound),
)
async def delete_activity_template(
    activity_template_id: PathId, tx: Tx, person_id: CurrentPerson
) -> Response:
    """Delete a template. Activities that were started from it stay as they are."""
    await activity_templates.delete(tx, person_id, activity_template_id)
    return Response(status_code=204)


@router.post(
    "/activity-templates/{activity_template_id}/activities",
    status_code=201,
    operation_id="startActivity",
    **allow(ORGANIZER, ActivityTemplateNotFound, OrgNotFound, body=True, once=True),
)
@leads_to("publishActivity", {"activity_id": "id"})
async def start_activity(
    activity_template_id: PathId, body: ActivityStartIn, tx: Tx, person_id: CurrentPerson
) -> ActivityOut:
    """Draft an activity from a template. Sign-up is open until its end; an edit may change that."""
    return await activity_templates.start(tx, person_id, activity_template_id, body)
