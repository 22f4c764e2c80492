"""Stops of the tour at a door without network: a device, its roster, codes of a phone."""

from datetime import timedelta

from app.core.clock import now
from app.demo.caller import Caller
from app.demo.cast import STREET, fixed_id

STREET_ID = str(fixed_id(0, STREET))


async def _offline(tour: Caller) -> None:
    """Prepare a device and a phone for an activity of tomorrow, then revoke the device."""
    starts_at = now() + timedelta(days=1)
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=2)}
    open_from = {"signup_opens_at": now() - timedelta(hours=1), "signup_closes_at": starts_at}
    body = {name: moment.isoformat() for name, moment in (times | open_from).items()}
    activity = await tour.do("organizer", "createActivity", body)
    place = {"activity_id": activity["id"]}
    await tour.do("organizer", "publishActivity", **place)
    await tour.do("alice", "signUp", **place)
    device = await tour.do("organizer", "registerDevice")
    one = {"device_id": device["id"]}
    await tour.do("organizer", "listDevices", org_id=STREET_ID)
    await tour.do("organizer", "getDevice", **one)
    await tour.do("organizer", "getRoster", **place, **one)
    await tour.do("alice", "listMyOfflineCodes", **place)
    await tour.do("organizer", "listOfflineKeys")
    await tour.do("organizer", "revokeDevice", reason="手机丢失", **one)


STOPS = (_offline,)
