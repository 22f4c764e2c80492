"""The live view (现场看板) of an activity: polled, or as a stream of server-sent events."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Header, Request, Response

from app.api.access import RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.event_streams import EventStream
from app.api.operations import direct
from app.api.routes import Router, conditional
from app.core.etag import TaggedBody
from app.core.ids import PathId
from app.core.language import Bilingual, request_language
from app.core.ratelimit import Limit
from app.schemas.live import LiveViewOut
from app.services.activities import ActivityNotFound
from app.services.people import Forbidden

ABOUT = Bilingual(
    "现场看板：报名、到场、在场人数，最近签到与未到名单",
    "The live view: who signed up, came, is inside and is missing",
)
router = Router(prefix="/activities/{activity_id}", tags=["live"], about=ABOUT)
# Fifty screens under one login ask every two seconds.
SCREENS = replace(RESIDENT, limit=Limit("live", burst=300, per_second=50))
LastEvent = Annotated[
    str, Header(max_length=100, description="The id of the last event that the client got.")
]


async def _reply(request: Request, caller: UUID, activity_id: UUID) -> TaggedBody:
    found = await runtime_of(request).live.get(caller, activity_id)
    return found.reply(request_language())


@router.get(
    "/live",
    operation_id="getLiveView",
    response_model=LiveViewOut,
    **allow(SCREENS, ActivityNotFound, Forbidden),
)
@direct
async def get_live_view(activity_id: PathId, request: Request) -> Response:
    """Return the counts of an activity, who came last and who is missing, at most a second old.

    For organizers and co-organizers of the activity. Made to be asked every two seconds with
    If-None-Match: while nothing changes the answer is 304. A right that ended may last for ten
    seconds more.
    """
    return conditional(request, await _reply(request, person_of(request), activity_id))


@router.get(
    "/live/stream",
    operation_id="streamLiveView",
    response_class=EventStream,
    **allow(SCREENS, ActivityNotFound, Forbidden),
)
async def stream_live_view(
    activity_id: PathId, request: Request, last_event_id: LastEvent = ""
) -> EventStream:
    """Send the live view as server-sent events: at once, and whenever it changes.

    Each event has the JSON of the live view as `data` and its tag as `id`. A comment follows 15
    seconds without an event. The stream ends after ten minutes; connect again then, after `retry`
    milliseconds. `EventSource` sends no token: read it with `fetch`. With 503 all places are
    taken: poll the live view instead.
    """
    runtime, caller = runtime_of(request), person_of(request)
    await _reply(request, caller, activity_id)
    stream = runtime.live.streams.open()
    return EventStream(stream, lambda: _reply(request, caller, activity_id), last_event_id)
