"""Redemption days (集中兑换): drafts, stock, stewards, pick lists and the reconciliation."""

from typing import Annotated

from fastapi import Query, Response

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, READER, RESIDENT, allow
from app.api.deps import Caller, CurrentPerson, IfMatch, OrgFilter, PageQuery, Reader, Tx
from app.api.downloads import Download
from app.api.guesses import CardGuesses
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.redemption_days import DayState
from app.models.redemptions import RedemptionStatus
from app.schemas.base import Nothing
from app.schemas.redemption_days.content import (
    DayMovedOut,
    DayMovementIn,
    RedemptionDayDetailOut,
    RedemptionDayEditIn,
    RedemptionDayIn,
    RedemptionDayOut,
    StewardOfDayIn,
    StewardOfDayOut,
)
from app.schemas.redemption_days.reports import DayCloseIn, DayPickOut, DayReportOut
from app.services.coverages import PricesFrozen
from app.services.day_orders.ordering import DayItemNotFound, DaySoldOut
from app.services.merchants.access import MerchantWrongState
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import Forbidden, PersonNotFound
from app.services.redemption_days import closing, editing, pick_lists, reading
from app.services.redemption_days.reading import (
    RedemptionDayNotFound,
    RedemptionDayNotOpen,
    RedemptionDayWrongState,
)

ABOUT = Bilingual(
    "集中兑换：场次、库存、工作人员、配货单与结账",
    "Redemption days: content, stock, stewards, pick lists and reconciliation",
)
router = Router(prefix="/redemption-days", tags=["redemption_days"], about=ABOUT)
StateQuery = Annotated[
    DayState, Query(description="Only those in this state; drafts with `org_id` alone.")
]
StatusQuery = Annotated[RedemptionStatus | None, Query(description="Only orders in this state.")]


class PickListPage(Download):
    media_type, suffix, disposition = "text/html", ".html", "inline"
    content_policy = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


DAY = (RedemptionDayNotFound, RedemptionDayWrongState)
EDIT = allow(ORGANIZER, *DAY, OrgClosed, body=True, if_match=True)
PUBLISH = allow(ORGANIZER, *DAY, OrgClosed, PricesFrozen, MerchantWrongState, body=True, once=True)
MOVE = allow(ORGANIZER, *DAY, DayItemNotFound, DaySoldOut, body=True, once=True)
APPOINT = allow(ORGANIZER, *DAY, PersonNotFound, editing.StewardOfDayThere, body=True, once=True)
REMOVE = allow(ORGANIZER, RedemptionDayNotFound, editing.StewardOfDayNotFound)
CLOSE = allow(
    ORGANIZER,
    *(*DAY, RedemptionDayNotOpen, closing.RedemptionDayUnbalanced),
    body=True,
    once=True,
)


@router.get("", operation_id="listRedemptionDays", **allow(ANYONE, OrgNotFound, Forbidden))
@leads_to("getRedemptionDay", {"redemption_day_id": "items/0/id"})
async def list_redemption_days(
    tx: Reader,
    caller: Caller,
    page: PageQuery,
    org_id: OrgFilter = None,
    state: StateQuery = DayState.published,
) -> Page[RedemptionDayOut]:
    """List days, newest first; drafts to organizers and auditors of their organisation."""
    return await reading.browse(tx, caller, org_id, state, page)


exports.beside(router, list_redemption_days, Bilingual("集中兑换", "Redemption days"))


@router.post(
    "",
    status_code=201,
    operation_id="createRedemptionDay",
    **allow(ORGANIZER, OrgNotFound, OrgClosed, body=True, once=True),
)
@leads_to("publishRedemptionDay", {"redemption_day_id": "id"})
async def create_redemption_day(
    body: RedemptionDayIn, tx: Tx, caller: CurrentPerson
) -> RedemptionDayDetailOut:
    """Draft a day with its items, slots and counters."""
    return await editing.create(tx, caller, body)


@router.get(
    "/{redemption_day_id}",
    operation_id="getRedemptionDay",
    **allow(ANYONE, RedemptionDayNotFound),
)
async def get_redemption_day(
    redemption_day_id: PathId, tx: Reader, caller: Caller
) -> RedemptionDayDetailOut:
    """Return a day with what is left, and the caller's orders with their codes."""
    return await reading.show(tx, caller, redemption_day_id)


@router.put("/{redemption_day_id}", operation_id="editRedemptionDay", **EDIT)
async def edit_redemption_day(
    redemption_day_id: PathId,
    body: RedemptionDayEditIn,
    version: IfMatch,
    tx: Tx,
    caller: CurrentPerson,
) -> RedemptionDayDetailOut:
    """Replace the content of a draft. Items, slots and counters get new ids."""
    return await editing.edit(tx, caller, redemption_day_id, version, body)


@router.post("/{redemption_day_id}/publish", operation_id="publishRedemptionDay", **PUBLISH)
@leads_to("orderOnDay", {"redemption_day_id": "id", "body.item_id": "items/0/id"})
async def publish_redemption_day(
    redemption_day_id: PathId,
    tx: Tx,
    caller: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> RedemptionDayDetailOut:
    """Publish a draft: everybody sees it, and prices are fixed."""
    return await editing.publish(tx, caller, redemption_day_id)


@router.post(
    "/{redemption_day_id}/items/{item_id}/movements",
    status_code=201,
    operation_id="moveStockOfDay",
    **MOVE,
)
async def move_stock_of_day(
    redemption_day_id: PathId, item_id: PathId, body: DayMovementIn, tx: Tx, caller: CurrentPerson
) -> DayMovedOut:
    """Add pieces of an item, or take away what is not reserved; with a reason."""
    return await editing.move_stock(tx, caller, redemption_day_id, item_id, body)


@router.post(
    "/{redemption_day_id}/stewards",
    status_code=201,
    operation_id="addStewardOfDay",
    **APPOINT,
)
@leads_to("removeStewardOfDay", {"redemption_day_id": "day_id", "steward_id": "id"})
async def add_steward_of_day(
    redemption_day_id: PathId,
    body: StewardOfDayIn,
    tx: Tx,
    caller: CurrentPerson,
    guesses: CardGuesses,
) -> StewardOfDayOut:
    """Let somebody hand over at a counter of the day, who is not on the merchant's staff."""
    return await editing.add_steward(tx, caller, redemption_day_id, body, guesses)


@router.get(
    "/{redemption_day_id}/stewards",
    operation_id="listStewardsOfDay",
    **allow(RESIDENT, RedemptionDayNotFound),
)
async def list_stewards_of_day(
    redemption_day_id: PathId, tx: Reader, caller: CurrentPerson
) -> Page[StewardOfDayOut]:
    """Return the stewards of a day, all in one page, to organizers and the counters."""
    return await editing.stewards(tx, caller, redemption_day_id)


@router.delete(
    "/{redemption_day_id}/stewards/{steward_id}",
    status_code=204,
    operation_id="removeStewardOfDay",
    **REMOVE,
)
async def remove_steward_of_day(
    redemption_day_id: PathId, steward_id: PathId, tx: Tx, caller: CurrentPerson
) -> Response:
    """End a steward's right."""
    await editing.remove_steward(tx, caller, redemption_day_id, steward_id)
    return Response(status_code=204)


@router.get(
    "/{redemption_day_id}/orders",
    operation_id="listOrdersOfDay",
    **allow(RESIDENT, RedemptionDayNotFound),
)
async def list_orders_of_day(
    redemption_day_id: PathId,
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    status: StatusQuery = None,
) -> Page[DayPickOut]:
    """Return the pick list by shelf and item, to organizers, auditors and the counters."""
    return await reading.pick_list(tx, caller, redemption_day_id, status, page)


@router.get(
    "/{redemption_day_id}/orders.html",
    operation_id="getPickListHtml",
    response_class=PickListPage,
    **allow(RESIDENT, RedemptionDayNotFound),
)
async def get_pick_list_html(
    redemption_day_id: PathId, tx: Tx, caller: CurrentPerson
) -> PickListPage:
    """Return the orders that wait, by shelf, as an HTML page for printing on A4."""
    title, file = await pick_lists.page(tx, caller, redemption_day_id)
    return PickListPage(file, f"{title}_配货单", "pick_list")


@router.get(
    "/{redemption_day_id}/report",
    operation_id="getDayReport",
    **allow(READER, RedemptionDayNotFound),
)
async def get_day_report(
    redemption_day_id: PathId, tx: Reader, caller: CurrentPerson
) -> DayReportOut:
    """Return the reconciliation of a day as it stands."""
    return await closing.report(tx, caller, redemption_day_id)


@router.post("/{redemption_day_id}/close", operation_id="closeRedemptionDay", **CLOSE)
async def close_redemption_day(
    redemption_day_id: PathId, body: DayCloseIn, tx: Tx, caller: CurrentPerson
) -> DayReportOut:
    """Close a day that is over, if goods, places and points balance with what was counted."""
    return await closing.close(tx, caller, redemption_day_id, body)


exports.beside(
    router, list_orders_of_day, Bilingual("集中兑换配货单", "Pick list"), org=reading.org_of
)
