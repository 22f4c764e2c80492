"""Linked places of merchants: a poster there is scanned once a day, for points by a rule."""

from fastapi import Response

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, RESIDENT, allow
from app.api.deps import (
    CurrentPerson,
    HostUrl,
    OrgFilter,
    PageQuery,
    Posters,
    StaleReader,
    Tx,
)
from app.api.downloads import QrPicture
from app.api.guesses import CHECKIN_GUESS, Guess
from app.api.operations import leads_to, naturally_idempotent, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Nothing
from app.schemas.linked_places import (
    LinkedPlaceIn,
    LinkedPlaceMoveIn,
    LinkedPlaceOut,
    LinkedPlacePosterOut,
    LinkedPlaceVisitIn,
    LinkedPlaceVisitOut,
)
from app.services import linked_places
from app.services.linked_places import (
    LinkedAlready,
    LinkedPlaceNotFound,
    LinkedPlaceWrongState,
    NotInForce,
    OwnPlace,
    PlaceCodeInvalid,
    PlaceLocationMissing,
    TooFarFromPlace,
)
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.shops import ShopNotFound

ABOUT = Bilingual(
    "青年商户联动点（剧本杀、自习室）：到店扫码，每天一次",
    "Linked places of merchants: a poster there is scanned once a day",
)
router = Router(tags=["linked_places"], about=ABOUT)
PLACE = "/linked-places/{linked_place_id}"
REFUSED = (LinkedPlaceNotFound, LinkedPlaceWrongState)


@router.post(
    "/linked-places",
    status_code=201,
    operation_id="linkPlace",
    **allow(
        ORGANIZER,
        OrgNotFound,
        OrgClosed,
        ShopNotFound,
        OwnPlace,
        NotInForce,
        LinkedAlready,
        body=True,
        once=True,
    ),
)
@leads_to("getLinkedPlacePoster", {"linked_place_id": "id"})
async def link_place(body: LinkedPlaceIn, tx: Tx, caller: CurrentPerson) -> LinkedPlaceOut:
    """Link a shop of a merchant with which the organisation has an agreement."""
    return await linked_places.link(tx, caller, body)


@router.get("/linked-places", operation_id="listLinkedPlaces", **allow(ANYONE, OrgNotFound))
async def list_linked_places(
    tx: StaleReader, page: PageQuery, org_id: OrgFilter = None
) -> Page[LinkedPlaceOut]:
    """List what is linked, of an organisation's subtree or everywhere, newest first."""
    return await linked_places.browse(tx, org_id, page)


exports.beside(router, list_linked_places, Bilingual("联动点", "Linked places"))


@router.post(
    f"{PLACE}/moves",
    operation_id="moveLinkedPlace",
    **allow(ORGANIZER, *REFUSED, body=True, once=True),
)
async def move_linked_place(
    linked_place_id: PathId, body: LinkedPlaceMoveIn, tx: Tx, caller: CurrentPerson
) -> LinkedPlaceOut:
    """End a link for good: a check-in there gives nothing any more."""
    return await linked_places.move(tx, caller, linked_place_id, body)


@router.get(f"{PLACE}/poster", operation_id="getLinkedPlacePoster", **allow(ORGANIZER, *REFUSED))
@leads_to("visitLinkedPlace", {"body.code": "code"})
@no_store
async def get_linked_place_poster(
    linked_place_id: PathId, tx: Tx, codes: Posters, host_url: HostUrl, caller: CurrentPerson
) -> LinkedPlacePosterOut:
    """Return the poster that hangs in the shop."""
    return await linked_places.poster(tx, codes, host_url, caller, linked_place_id, renews=False)


@router.get(
    f"{PLACE}/poster.svg",
    operation_id="getLinkedPlacePosterSvg",
    response_class=QrPicture,
    **allow(ORGANIZER, *REFUSED),
)
@no_store
async def get_linked_place_poster_svg(
    linked_place_id: PathId, tx: Tx, codes: Posters, host_url: HostUrl, caller: CurrentPerson
) -> QrPicture:
    """Return the poster's URL as a QR picture."""
    made = await linked_places.poster(tx, codes, host_url, caller, linked_place_id, renews=False)
    return QrPicture.of(made.url)


@router.post(
    f"{PLACE}/poster/renewal",
    operation_id="renewLinkedPlacePoster",
    **allow(ORGANIZER, *REFUSED, body=True, once=True),
)
@no_store
async def renew_linked_place_poster(
    linked_place_id: PathId,
    tx: Tx,
    codes: Posters,
    host_url: HostUrl,
    caller: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> LinkedPlacePosterOut:
    """Replace a lost poster: the new one is returned, and earlier ones are refused."""
    return await linked_places.poster(tx, codes, host_url, caller, linked_place_id, renews=True)


@router.post(
    "/linked-place-visits",
    status_code=201,
    operation_id="visitLinkedPlace",
    **allow(
        RESIDENT,
        PlaceCodeInvalid,
        NotInForce,
        OwnPlace,
        PlaceLocationMissing,
        TooFarFromPlace,
        body=True,
        guess=Guess(CHECKIN_GUESS, PlaceCodeInvalid, signed=True),
    ),
)
@naturally_idempotent
async def visit_linked_place(
    body: LinkedPlaceVisitIn, response: Response, tx: Tx, codes: Posters, caller: CurrentPerson
) -> LinkedPlaceVisitOut:
    """Check in at a linked place; once more on that day returns 200 and the first check-in."""
    scanned = linked_places.read_code(codes, body.code)
    result, is_new = await linked_places.visit(tx, caller, scanned, body.location)
    if not is_new:
        response.status_code = 200
    return result
