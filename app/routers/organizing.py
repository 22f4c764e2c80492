"""What organizers do with activities of theirs."""

from typing import Annotated

from fastapi import Query, Response

from app.api import exports
from app.api.access import ORGANIZER, RESIDENT, allow
from app.api.deps import CurrentPerson, IfMatch, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.activities import ActivityStatus
from app.schemas.activities import ActivityOut
from app.schemas.base import Nothing
from app.schemas.organizing import (
    ActivityCancelIn,
    ActivityCopyIn,
    ActivityEditIn,
    OrganizedActivityOut,
)
from app.services.activities import ActivityNotFound, ActivityWrongState
from app.services.organizing import copying, editing, ending, listing
from app.services.orgs import OrgClosed
from app.services.people import Forbidden

ABOUT = Bilingual(
    "组织活动：修改、取消、结束、复制，我组织的活动",
    "Organizing: editing, cancelling, closing and copying activities, and those of mine",
)
router = Router(tags=["organizing"], about=ABOUT)


@router.get("/me/activities", operation_id="listMyActivities", **allow(RESIDENT))
@leads_to("editActivity", {"activity_id": "items/0/id"})
async def list_my_activities(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    status: Annotated[ActivityStatus | None, Query(description="Only in this state.")] = None,
) -> Page[OrganizedActivityOut]:
    """List what the caller organizes, in every state, with what waits; latest start first.

    By role: the activities of the organisations and of those below them. By name: as co-organizer.
    """
    return await listing.mine(tx, person_id, status, page)


exports.beside(router, list_my_activities, Bilingual("我管理的活动", "My activities"))


@router.put(
    "/activities/{activity_id}",
    operation_id="editActivity",
    **allow(
        RESIDENT,
        ActivityNotFound,
        Forbidden,
        ActivityWrongState,
        OrgClosed,
        editing.ActivityAttended,
        editing.ActivityBegun,
        editing.ActivityAnnounced,
        editing.ActivityInSessions,
        editing.CapacityTaken,
        body=True,
        if_match=True,
    ),
)
async def edit_activity(
    activity_id: PathId,
    body: ActivityEditIn,
    version: IfMatch,
    tx: Tx,
    person_id: CurrentPerson,
) -> ActivityOut:
    """Replace the content of a draft or a published activity.

    Who signed up is told of another time or place. Once it has begun, the start
    stays; once people have checked in, or it is over, both times do. The rule stays once people
    have signed up, and so does what they sign up for. More places go to those who wait. The times
    of an activity with sessions are those of its sessions.
    """
    return await editing.edit(tx, person_id, activity_id, version, body)


@router.delete(
    "/activities/{activity_id}",
    status_code=204,
    operation_id="deleteActivity",
    **allow(ORGANIZER, ActivityNotFound, ActivityWrongState),
)
async def delete_activity(activity_id: PathId, tx: Tx, person_id: CurrentPerson) -> Response:
    """Delete a draft, with its pictures."""
    await ending.delete(tx, person_id, activity_id)
    return Response(status_code=204)


@router.post(
    "/activities/{activity_id}/cancel",
    operation_id="cancelActivity",
    **allow(ORGANIZER, ActivityNotFound, ActivityWrongState, editing.ActivityAttended, body=True),
)
async def cancel_activity(
    activity_id: PathId, body: ActivityCancelIn, tx: Tx, person_id: CurrentPerson
) -> ActivityOut:
    """Cancel a published activity at which nobody has checked in; who signed up gets the reason."""
    return await ending.cancel(tx, person_id, activity_id, body.reason)


@router.post(
    "/activities/{activity_id}/close",
    operation_id="closeActivity",
    **allow(
        ORGANIZER,
        ActivityNotFound,
        ActivityWrongState,
        ending.ActivityNotBegun,
        ending.ActivityNotOver,
        body=True,
    ),
)
async def close_activity(
    activity_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> ActivityOut:
    """Close an activity that has begun, or is over if somebody has checked in: nobody joins now."""
    return await ending.close(tx, person_id, activity_id)


@router.post(
    "/activities/{activity_id}/copies",
    status_code=201,
    operation_id="copyActivity",
    **allow(ORGANIZER, ActivityNotFound, body=True, once=True),
)
@leads_to("publishActivity", {"activity_id": "id"})
async def copy_activity(
    activity_id: PathId, body: ActivityCopyIn, tx: Tx, person_id: CurrentPerson
) -> ActivityOut:
    """Draft an activity with the same content at another time, without pictures and people."""
    return await copying.copy(tx, person_id, activity_id, body)
