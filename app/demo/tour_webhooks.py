"""Stops of the tour: a linked shop of the café, and what its till hears of a settled month."""

from app.demo import tour_linked_places, tour_settlements, tour_web_logins
from app.demo.caller import Caller
from app.demo.cast import MERCHANT_IDS

CAFE = str(MERCHANT_IDS["merchant"])


async def make(tour: Caller) -> None:
    made = await tour.do("merchant", "createWebhook", {"types": []}, merchant_id=CAFE)
    place = {"webhook_id": made["id"]}
    await tour.do("merchant", "rotateWebhookSecret", **place)
    await tour.do("merchant", "listWebhooks", merchant_id=CAFE)


async def look(tour: Caller) -> None:
    """Look at what waits, after a month was settled, and take the webhook away."""
    [made] = (await tour.do("merchant", "listWebhooks", merchant_id=CAFE))["items"]
    place = {"webhook_id": made["id"]}
    await tour.do("merchant", "listWebhookDeliveries", **place)
    await tour.do("merchant", "listWebhookAttempts", **place)
    await tour.do("merchant", "replayWebhook", **place)
    await tour.do("merchant", "editWebhook", version=made["version"], **place)
    await tour.do("merchant", "moveWebhook", **place)


STOPS = (*tour_linked_places.STOPS, *tour_web_logins.STOPS, make, *tour_settlements.STOPS, look)
