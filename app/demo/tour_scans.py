"""The stop of the tour at a device that records without network, as docs/devices.md says."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core import base64url
from app.core.clock import now
from app.core.signed_events import Action, Event
from app.demo.caller import Caller
from app.demo.tour_presences import card_of, running

WITH_CARD, WITH_CODE = "resident-19", "resident-20"


@dataclass
class Recorder:
    """A device whose clock is right. ``activity``: serial number of where it stands."""

    device_id: str
    key: Ed25519PrivateKey
    activity: int
    sequences: "count[int]" = field(default_factory=lambda: count(1))

    def signed(self, action: Action, **person: Any) -> dict[str, str]:
        """Record that a person comes or leaves now."""
        event = Event(
            device=UUID(self.device_id),
            sequence=next(self.sequences),
            activity=self.activity,
            session=0,
            action=action,
            clock_ms=_clock_ms(),
            **person,
        )
        signature = self.key.sign(event.text.encode())
        return {"text": event.text, "signature": base64url.encode(signature)}


async def _scans(tour: Caller) -> None:
    """Upload arrivals by a steward and departures by the device itself, one of them twice."""
    place = await running(tour, checks_out=True)
    for user in (WITH_CARD, WITH_CODE):
        await tour.do(user, "signUp", **place)
    key = Ed25519PrivateKey.generate()
    public = {"public_key": base64url.encode(key.public_key().public_bytes_raw())}
    device = await tour.do("organizer", "registerDevice", public)
    one = {"device_id": device["id"]}
    roster = await tour.do("organizer", "getRoster", **place, **one)
    door = Recorder(device["id"], key, roster["activity_serial"])
    card = {"card": _serial(await card_of(tour, WITH_CARD))}
    came = [door.signed(Action.check_in, **card) for _ in "ab"]
    came.append(door.signed(Action.check_in, **await _shown(tour, place)))
    body = {"sent_ms": _clock_ms(), "events": came}
    await tour.do("organizer", "uploadScans", body | one, **place)
    left = door.signed(Action.check_out, **card)
    body = {"sent_ms": _clock_ms(), "events": [left, came[0]]}
    await tour.do("organizer", "sendDeviceEvents", body, **one)
    await tour.do("organizer", "listScans", **place)
    await tour.do("organizer", "getDevice", **one)


async def _shown(tour: Caller, place: dict[str, Any]) -> dict[str, str]:
    """Return the offline code that a phone shows now, and the last digits of the card."""
    found = await tour.do(WITH_CODE, "listMyOfflineCodes", **place)
    digits = (await card_of(tour, WITH_CODE))[-4:]
    return {"code": found["codes"][0]["code"], "digits": digits}


def _serial(card_no: str) -> int:
    """Return the serial number in a card's number: the ten digits before the last."""
    return int(card_no[2:-1])


def _clock_ms() -> int:
    return round(now().timestamp() * 1000)


STOPS = (_scans,)
