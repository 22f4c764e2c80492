"""The stop of the tour at a device that records without network, as docs/devices.md says."""

from typing import Any

from app.core.signed_events import Action
from app.demo.caller import Caller
from app.demo.recorder import Recorder, clock_ms, serial_of
from app.demo.tour_presences import card_of, running

WITH_CARD, WITH_CODE = "resident-19", "resident-20"


async def _scans(tour: Caller) -> None:
    """Upload arrivals by a steward and departures by the device itself, one of them twice."""
    place = await running(tour, checks_out=True)
    for user in (WITH_CARD, WITH_CODE):
        await tour.do(user, "signUp", **place)
    door = Recorder()
    device = await tour.do("organizer", "registerDevice", door.public_keys)
    door.device_id = device["id"]
    one = {"device_id": device["id"]}
    door.read(await tour.do("organizer", "getRoster", **place, **one))
    card = {"card": serial_of(await card_of(tour, WITH_CARD))}
    came = [door.signed(Action.check_in, **card) for _ in "ab"]
    came.append(door.signed(Action.check_in, **await _shown(tour, place)))
    body = {"sent_ms": clock_ms(), "events": came}
    await tour.do("organizer", "uploadScans", body | one, **place)
    left = door.signed(Action.check_out, **card)
    body = {"sent_ms": clock_ms(), "events": [left, came[0]]}
    await tour.do("organizer", "sendDeviceEvents", body, **one)
    await tour.do("organizer", "listScans", **place)
    await tour.do("organizer", "getDevice", **one)


async def _shown(tour: Caller, place: dict[str, Any]) -> dict[str, str]:
    """Return the offline code that a phone shows now, and the last digits of the card."""
    found = await tour.do(WITH_CODE, "listMyOfflineCodes", **place)
    digits = (await card_of(tour, WITH_CODE))[-4:]
    return {"code": found["codes"][0]["code"], "digits": digits}


STOPS = (_scans,)
