"""Stops of the tour at the card: codes, freezing, loss and replacement; then at courtesies."""

from app.demo import tour_courtesies
from app.demo.caller import Caller
from app.demo.cast import STREET, fixed_id

HOLDER = "resident-20"


async def _cards(tour: Caller) -> None:
    await tour.do(HOLDER, "getMyCardCodes", count=2, purpose="charge")
    for verb in ("freezeMyCard", "unfreezeMyCard", "reportMyCardLost", "replaceMyCard"):
        await tour.do(HOLDER, verb)
    holder = (await tour.do(HOLDER, "getMe"))["id"]
    place = {"org_id": str(fixed_id(0, STREET)), "person_id": holder}
    await tour.do("admin", "listEndedCardNumbers", **place)


STOPS = (_cards, *tour_courtesies.STOPS)
