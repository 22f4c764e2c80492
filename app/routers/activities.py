"""Activities and the code on the organizer's screen."""

import io
from typing import Annotated

import segno
from fastapi import Query, Request, Response

from app.api.access import ANYONE, ORGANIZER, allow
from app.api.context import caller_of, runtime_of
from app.api.deps import AppRuntime, Caller, CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router, conditional
from app.core.errors import unwrap
from app.core.ids import PathId
from app.core.paging import Page
from app.models.activities import ActivityStatus, Category
from app.queries.activities import ActivityFilter
from app.schemas.activities import ActivityIn, ActivityOut, CheckinCodeOut
from app.schemas.base import Bound, Nothing, Text
from app.services import activities
from app.services.activities import (
    ActivityNotDraft,
    ActivityNotFound,
    ActivityNotOpen,
    ActivityQuery,
)
from app.services.orgs import OrgNotFound
from app.services.people import Forbidden

router = Router(tags=["activities"])


class Picture(Response):
    media_type = "image/svg+xml"


@router.get("/activities", operation_id="listActivities", **allow(ANYONE, OrgNotFound, Forbidden))
@leads_to("getActivity", {"activity_id": "items/0/id"})
@leads_to("signUp", {"activity_id": "items/0/id"})
async def list_activities(
    tx: Reader,
    caller: Caller,
    page: PageQuery,
    org_id: PathId | None = None,
    category: Category | None = None,
    status: ActivityStatus | None = None,
    starts_after: Bound | None = None,
    q: Annotated[Text | None, Query(min_length=1, max_length=50)] = None,
) -> Page[ActivityOut]:
    """List activities by start, an organisation's subtree included."""
    wanted = ActivityFilter(category, starts_after, q)
    return await activities.browse(tx, caller, wanted, org_id, status, page)


@router.post(
    "/activities",
    status_code=201,
    operation_id="createActivity",
    **allow(ORGANIZER, OrgNotFound, body=True),
)
@leads_to("getActivity", {"activity_id": "id"})
@leads_to("publishActivity", {"activity_id": "id"})
async def create_activity(body: ActivityIn, tx: Tx, person_id: CurrentPerson) -> ActivityOut:
    """Draft an activity."""
    return await activities.create(tx, person_id, body)


@router.post(
    "/activities/{activity_id}/publish",
    operation_id="publishActivity",
    **allow(ORGANIZER, ActivityNotFound, ActivityNotDraft, body=True),
)
@leads_to("signUp", {"activity_id": "id"})
@leads_to("getCheckinCode", {"activity_id": "id"})
async def publish_activity(
    activity_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> ActivityOut:
    """Publish a draft."""
    return await activities.publish(tx, person_id, activity_id)


@router.get(
    "/activities/{activity_id}",
    operation_id="getActivity",
    response_model=ActivityOut,
    **allow(ANYONE, ActivityNotFound),
)
async def get_activity(activity_id: PathId, request: Request) -> Response:
    """Return an activity with its counters. May be polled with If-None-Match."""
    look = ActivityQuery(activity_id, caller_of(request))
    return conditional(request, unwrap([await runtime_of(request).activities.submit(look)]))


@router.get(
    "/activities/{activity_id}/checkin-code",
    operation_id="getCheckinCode",
    **allow(ORGANIZER, ActivityNotFound, ActivityNotOpen),
)
@leads_to("checkIn", {"body.code": "code"})
async def get_checkin_code(
    activity_id: PathId, tx: Reader, runtime: AppRuntime, person_id: CurrentPerson
) -> CheckinCodeOut:
    """Return the code for the screen; ask again after `refresh_after_seconds`."""
    return await activities.checkin_code(tx, runtime.codes, person_id, activity_id)


@router.get(
    "/activities/{activity_id}/checkin-code.svg",
    operation_id="getCheckinCodeSvg",
    response_class=Picture,
    **allow(ORGANIZER, ActivityNotFound, ActivityNotOpen),
)
async def get_checkin_code_svg(
    activity_id: PathId, tx: Reader, runtime: AppRuntime, person_id: CurrentPerson
) -> Picture:
    """Return the code as a QR picture."""
    text = await activities.checkin_code_text(tx, runtime.codes, person_id, activity_id)
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="svg", scale=10, light="white")
    return Picture(picture.getvalue(), headers={"Cache-Control": "no-store"})
