"""Sessions (场次) of activities."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Response

from app.api import exports
from app.api.access import ANYONE, RESIDENT, allow
from app.api.deps import Caller, CurrentPerson, IfMatch, PageQuery, Reader, StaleReader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Id
from app.schemas.sessions import OwnSeriesOut, SessionEditIn, SessionOut, SessionsIn
from app.services import activities, sessions
from app.services.activities import ActivityNotFound, ActivityWrongState
from app.services.organizing.editing import ActivityAttended, ActivityBegun, CapacityTaken
from app.services.orgs import OrgClosed
from app.services.people import Forbidden
from app.services.shift_holds import SessionClash

ABOUT = Bilingual(
    "场次：系列活动的各次课、各班次，各有时间和名额",
    "Sessions of activities: evenings of a series, lessons, shifts",
)
router = Router(tags=["sessions"], about=ABOUT)
COMMON = (
    *(ActivityNotFound, Forbidden, OrgClosed, ActivityWrongState),
    *(ActivityAttended, ActivityBegun),
)
NumberPath = Annotated[int, Path(ge=0, le=2**31 - 1, description="Number of the session.")]


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return await activities.org_of(tx, asked["activity_id"])


@router.post(
    "/activities/{activity_id}/sessions",
    status_code=201,
    operation_id="createSessions",
    **allow(RESIDENT, *COMMON, sessions.TooManySessions, body=True, once=True),
)
@leads_to("listSessions", {"activity_id": "items/0/activity_id"})
async def create_sessions(
    activity_id: PathId, body: SessionsIn, tx: Tx, person_id: CurrentPerson
) -> Page[SessionOut]:
    """Add sessions to a draft or a published activity, up to 400.

    The activity then begins with the first of its sessions and ends with the last.
    """
    return await sessions.create(tx, person_id, activity_id, body)


@router.get(
    "/activities/{activity_id}/sessions",
    operation_id="listSessions",
    **allow(ANYONE, ActivityNotFound),
)
async def list_sessions(
    activity_id: PathId,
    tx: StaleReader,
    caller: Caller,
    page: PageQuery,
    post_id: Annotated[Id | None, Query(description="Only shifts of this post.")] = None,
) -> Page[SessionOut]:
    """Return the sessions of an activity with their counters, by start."""
    return await sessions.browse(tx, caller, activity_id, post_id, page)


exports.beside(router, list_sessions, Bilingual("场次与班次", "Sessions and shifts"), org=_org_of)


@router.put(
    "/activities/{activity_id}/sessions/{number}",
    operation_id="editSession",
    **allow(
        RESIDENT,
        *COMMON,
        sessions.SessionNotFound,
        CapacityTaken,
        SessionClash,
        body=True,
        if_match=True,
    ),
)
async def edit_session(
    activity_id: PathId,
    number: NumberPath,
    body: SessionEditIn,
    version: IfMatch,
    tx: Tx,
    person_id: CurrentPerson,
) -> SessionOut:
    """Replace a session; `If-Match` names the version of the activity.

    Who signed up is told of other times; refused if one of them has another shift then. Who waits
    gets the places of a greater capacity. Once it has begun the start stays; once people have
    checked in at it, or it is over, both times do.
    """
    return await sessions.edit(tx, person_id, activity_id, number, version, body)


@router.delete(
    "/activities/{activity_id}/sessions/{number}",
    status_code=204,
    operation_id="deleteSession",
    **allow(RESIDENT, *COMMON, sessions.SessionNotFound, sessions.SessionTaken),
)
async def delete_session(
    activity_id: PathId, number: NumberPath, tx: Tx, person_id: CurrentPerson
) -> Response:
    """Remove a session without sign-ups and check-ins; its number is not used again."""
    await sessions.delete(tx, person_id, activity_id, number)
    return Response(status_code=204)


@router.get(
    "/activities/{activity_id}/my-series",
    operation_id="getMySeries",
    **allow(RESIDENT, ActivityNotFound),
)
async def get_my_series(activity_id: PathId, tx: Reader, person_id: CurrentPerson) -> OwnSeriesOut:
    """Return how many sessions the caller attended, and how many complete the series."""
    return await sessions.my_series(tx, person_id, activity_id)
