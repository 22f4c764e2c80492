"""Stops of the tour: a shop of the café is linked, and somebody checks in there."""

from app.demo.caller import Caller
from app.demo.cast import MERCHANT_IDS

CAFE = str(MERCHANT_IDS["merchant"])


async def link(tour: Caller) -> None:
    shops = (await tour.do("organizer", "listShops", merchant_id=CAFE))["items"]
    shop = next(one for one in shops if one["latitude"] is not None)
    made = await tour.do("organizer", "linkPlace", {"shop_id": shop["id"]})
    place = {"linked_place_id": made["id"]}
    await tour.do("bob", "listLinkedPlaces")
    await tour.do("organizer", "getLinkedPlacePoster", **place)
    poster = await tour.do("organizer", "renewLinkedPlacePoster", **place)
    here = {"latitude": shop["latitude"], "longitude": shop["longitude"], "accuracy_m": 10}
    scanned = {"code": poster["code"], "location": here | {"coordinate_system": "gcj02"}}
    await tour.do("bob", "visitLinkedPlace", scanned)
    await tour.do("organizer", "moveLinkedPlace", **place)


STOPS = (link,)
