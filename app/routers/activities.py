"""Activities and the check-in code for the organizer's screen."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, RESIDENT, allow
from app.api.context import caller_of, reads_primary, runtime_of
from app.api.deps import (
    AppRuntime,
    Caller,
    CurrentPerson,
    HostUrl,
    OrgFilter,
    PageQuery,
    StaleReader,
    Tx,
)
from app.api.downloads import QrPicture
from app.api.operations import direct, knows_caller, leads_to, no_store
from app.api.routes import Router, conditional
from app.core import normalize
from app.core.clock import now
from app.core.errors import unwrap
from app.core.ids import PathId
from app.core.language import Bilingual, request_language
from app.core.paging import Page
from app.core.validation_messages import invalid
from app.models.activities import ActivityStatus, Category
from app.queries.activities import ActivityFilter
from app.schemas.activities import ActivityIn, ActivityOut
from app.schemas.base import Bound, Nothing, Words
from app.schemas.browsing import ActivitySort, BrowsedActivityDetailOut, BrowsedActivityOut
from app.schemas.checkins import CheckinCodeOut, CodeAction
from app.services import activities, browsing, checkin_codes
from app.services.activities import (
    ActivityNotDraft,
    ActivityNotFound,
    ActivityNotOpen,
    CheckoutNotAsked,
)
from app.services.browsing import ActivityQuery, Order
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import Forbidden

ABOUT = Bilingual(
    "活动：草拟、发布、浏览，现场签到码",
    "Activities: drafted, published, listed; the check-in code for the screen",
)
router = Router(tags=["activities"], about=ABOUT)


CategoryQuery = Annotated[Category | None, Query(description="Only of this kind.")]
StatusQuery = Annotated[ActivityStatus | None, Query(description="Only in this state.")]
StartsAfterQuery = Annotated[
    Bound | None, Query(description="Only those that begin after this time, with its offset.")
]
WordsQuery = Annotated[
    Words, Query(max_length=50, description="Words to search for; without it no search.")
]
ActionQuery = Annotated[CodeAction, Query(description="What the code is for.")]
TagQuery = Annotated[
    Words | None, Query(min_length=1, max_length=20, description="Only those with this tag.")
]
UpcomingQuery = Annotated[
    bool,
    Query(
        description="Only those that have not ended, running ones among them; without `status`"
        " no cancelled and no closed ones."
    ),
]


async def _order(
    sort: Annotated[ActivitySort, Query(description="What comes first.")] = ActivitySort.start,
    lat: Annotated[
        float | None, Query(ge=-90, le=90, description="Latitude, degrees of GCJ-02; with `lng`.")
    ] = None,
    lng: Annotated[
        float | None, Query(ge=-180, le=180, description="Longitude, degrees of GCJ-02.")
    ] = None,
) -> Order:
    if (lat is None) != (lng is None):
        raise invalid("query.lat", "经纬度应同时提供", "lat and lng are given together")
    return Order(sort, None if lat is None or lng is None else (lat, lng))


OrderQuery = Annotated[Order, Depends(_order)]


@router.get("/activities", operation_id="listActivities", **allow(ANYONE, OrgNotFound, Forbidden))
@leads_to("getActivity", {"activity_id": "items/0/id"})
@leads_to("signUp", {"activity_id": "items/0/id"})
async def list_activities(
    tx: StaleReader,
    caller: Caller,
    page: PageQuery,
    order: OrderQuery,
    org_id: OrgFilter = None,
    category: CategoryQuery = None,
    status: StatusQuery = None,
    starts_after: StartsAfterQuery = None,
    tag: TagQuery = None,
    upcoming: UpcomingQuery = False,
    q: WordsQuery = "",
) -> Page[BrowsedActivityOut]:
    """List activities, an organisation's subtree included, with the caller's part in each.

    `q`: words in any order, in title, place, organisation or description, in simplified or
    traditional characters. Latin words and numbers are found from their beginning.

    By distance and by creation only the next 200 that have not ended are sorted.
    """
    spelled = normalize.tag(tag or "") or None
    wanted = ActivityFilter(category, starts_after, q, now() if upcoming else None, spelled)
    return await browsing.browse(tx, caller, wanted, org_id, status, page, order)


exports.beside(router, list_activities, Bilingual("活动", "Activities"))


@router.post(
    "/activities",
    status_code=201,
    operation_id="createActivity",
    **allow(ORGANIZER, OrgNotFound, OrgClosed, body=True),
)
@leads_to("getActivity", {"activity_id": "id"})
@leads_to("publishActivity", {"activity_id": "id"})
async def create_activity(body: ActivityIn, tx: Tx, person_id: CurrentPerson) -> ActivityOut:
    """Create a draft of an activity."""
    return await activities.create(tx, person_id, body)


@router.post(
    "/activities/{activity_id}/publish",
    operation_id="publishActivity",
    **allow(ORGANIZER, ActivityNotFound, ActivityNotDraft, OrgClosed, body=True),
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
    response_model=BrowsedActivityDetailOut,
    **allow(ANYONE, ActivityNotFound),
)
@direct
@knows_caller
async def get_activity(activity_id: PathId, request: Request) -> Response:
    """Return an activity with its counters, whom to ask, and the caller's part.

    If-None-Match is heeded.
    """
    query = ActivityQuery(activity_id, caller_of(request), request_language())
    found = await runtime_of(request).activities.submit(
        query, from_primary=await reads_primary(request)
    )
    return conditional(request, unwrap([found]))


@router.get(
    "/activities/{activity_id}/checkin-code",
    operation_id="getCheckinCode",
    **allow(RESIDENT, ActivityNotFound, ActivityNotOpen, Forbidden, CheckoutNotAsked),
)
@leads_to("checkIn", {"body.code": "code"})
@no_store
async def get_checkin_code(
    activity_id: PathId,
    tx: Tx,
    runtime: AppRuntime,
    person_id: CurrentPerson,
    host_url: HostUrl,
    action: ActionQuery = CodeAction.check_in,
) -> CheckinCodeOut:
    """Return the code of check-ins or check-outs; fetch the next after `refresh_after_seconds`.

    Whoever has fetched it gets points by it only when another organizer confirms them.
    """
    return await checkin_codes.show(tx, runtime.codes, person_id, activity_id, action, host_url)


@router.get(
    "/activities/{activity_id}/checkin-code.svg",
    operation_id="getCheckinCodeSvg",
    response_class=QrPicture,
    **allow(RESIDENT, ActivityNotFound, ActivityNotOpen, Forbidden, CheckoutNotAsked),
)
@no_store
async def get_checkin_code_svg(
    activity_id: PathId,
    tx: Tx,
    runtime: AppRuntime,
    person_id: CurrentPerson,
    host_url: HostUrl,
    action: ActionQuery = CodeAction.check_in,
) -> QrPicture:
    """Return the code as a QR picture of its URL."""
    text = await checkin_codes.shown_text(
        tx, runtime.codes, person_id, activity_id, action, host_url
    )
    return QrPicture.of(text)
