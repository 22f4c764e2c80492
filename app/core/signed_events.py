"""Signed events: what a device recorded while it had no network, under its own Ed25519 key.

The signed bytes are nine lines of ASCII joined by line feeds, without one at the end
(docs/devices.md has them in full, with a test vector):

    qingxiang-event-1
    device id           UUID in lower case
    sequence            1 to 2147483647, never used twice by a device
    activity            serial number
    session             0 for the whole activity
    in | out
    card:SERIAL | code:OFFLINE_CODE:DIGITS
    device clock        Unix milliseconds
    LATITUDE,LONGITUDE,ACCURACY | -     millionths of a degree (GCJ-02), metres

Numbers are decimal, without leading zeros. There is one spelling of an event, so the server
verifies the text that it was sent and needs no canonical form of JSON.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.core import base64url

VERSION_LINE = "qingxiang-event-1"
KEY_BYTES, SIGNATURE_BYTES = 32, 64
MAX_EVENT_LENGTH = 400
MAX_SEQUENCE = MAX_SERIAL = 2**31 - 1
MAX_SESSION = 2**16 - 1
MAX_CLOCK_MS = 4_102_444_800_000  # 2100-01-01

# How much the clock of a device may differ from the server's when it uploads. Phones that are set
# by hand are minutes wrong; hours mean a wrong date or time zone, and nobody knows since when.
MAX_SKEW = timedelta(minutes=10)
# Events are uploaded within this time: a weekend without network, and some days more.
MAX_AGE = timedelta(days=7)
# How far a sequence may be ahead of the highest one known. A device records some thousand events
# at a large activity; a jump over more would use up the numbers of a device.
MAX_JUMP = 100_000

_NUMBER = "(?:0|[1-9][0-9]{0,9})"
_SHAPE = re.compile(
    rf"{VERSION_LINE}\n"
    r"(?P<device>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n"
    rf"(?P<sequence>{_NUMBER})\n(?P<activity>{_NUMBER})\n(?P<session>{_NUMBER})\n"
    r"(?P<action>in|out)\n"
    rf"(?:card:(?P<card>{_NUMBER})|code:(?P<code>[A-Za-z0-9_-]{{1,200}}):(?P<digits>[0-9]{{4}}))\n"
    r"(?P<clock>0|[1-9][0-9]{0,12})\n"
    rf"(?:-|(?P<latitude>0|-?[1-9][0-9]{{0,7}}),(?P<longitude>0|-?[1-9][0-9]{{0,8}})"
    rf",(?P<accuracy>0|[1-9][0-9]{{0,4}}))",
    re.ASCII,
)
# The y coordinates of the points of order 1, 2, 4 and 8. Under such a key signatures of any text
# can be made by anybody.
_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_WEAK = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})


class Action(StrEnum):
    check_in = "in"
    check_out = "out"


class Flaw(StrEnum):
    """Why a text is no event of a device."""

    malformed = "malformed"  # not of the form above, or the signature is no 64 bytes
    unknown_device = "unknown_device"
    bad_signature = "bad_signature"  # well formed, but not signed by the key of this device


class Doubt(StrEnum):
    """Why an event of a device does not count."""

    revoked = "revoked"  # the key had been revoked when the event arrived
    clock_skewed = "clock_skewed"
    ahead = "ahead"  # recorded after it was sent, by the device's own clock
    too_old = "too_old"
    sequence_jumps = "sequence_jumps"


@dataclass(frozen=True, slots=True)
class Place:
    """Millionths of a degree (GCJ-02), and the accuracy in metres."""

    latitude: int
    longitude: int
    accuracy_m: int


@dataclass(frozen=True, slots=True)
class Event:
    """``activity`` and ``card``: serial numbers. Of ``card`` and ``code`` one is None.

    ``digits``: the last four of the card, as they were typed; with ``code`` alone.
    ``clock_ms``: the device's clock, Unix milliseconds.
    """

    device: UUID
    sequence: int
    activity: int
    session: int
    action: Action
    clock_ms: int
    card: int | None = None
    code: str | None = None
    digits: str | None = None
    place: Place | None = None

    @property
    def text(self) -> str:
        """The text that is signed."""
        person = f"code:{self.code}:{self.digits}" if self.code else f"card:{self.card}"
        at = self.place
        place = f"{at.latitude},{at.longitude},{at.accuracy_m}" if at else "-"
        parts = (
            *(VERSION_LINE, self.device, self.sequence, self.activity, self.session),
            *(self.action, person, self.clock_ms, place),
        )
        return "\n".join(map(str, parts))


@dataclass(frozen=True, slots=True)
class Signed:
    """``signature``: 64 bytes in base64url without padding."""

    text: str
    signature: str


@dataclass(frozen=True, slots=True)
class Upload:
    """``sent_ms``: the device's clock when it sent the events, Unix milliseconds."""

    received_at: datetime
    sent_ms: int

    @property
    def skew(self) -> timedelta:
        """How much the device's clock is ahead of the server's, the way of the request included."""
        return moment_of(self.sent_ms) - self.received_at


def is_weak(public_key: bytes) -> bool:
    """Whether an Ed25519 key is a point of small order, or is written in a second way."""
    y = int.from_bytes(public_key, "little") & (2**255 - 1)
    return y >= _P or y in _WEAK


def parse(text: str) -> Event | None:
    """Read an event; None if the text is not of its one form, or a number is out of range."""
    found = _SHAPE.fullmatch(text) if len(text) <= MAX_EVENT_LENGTH else None
    if found is None:
        return None
    one = found.groupdict()
    place = None
    if one["latitude"] is not None:
        place = Place(int(one["latitude"]), int(one["longitude"]), int(one["accuracy"]))
    event = Event(
        device=UUID(one["device"]),
        sequence=int(one["sequence"]),
        activity=int(one["activity"]),
        session=int(one["session"]),
        action=Action(one["action"]),
        clock_ms=int(one["clock"]),
        card=int(one["card"]) if one["card"] is not None else None,
        code=one["code"],
        digits=one["digits"],
        place=place,
    )
    return event if _in_range(event) else None


def _in_range(event: Event) -> bool:
    place = event.place
    return (
        1 <= event.sequence <= MAX_SEQUENCE
        and 1 <= event.activity <= MAX_SERIAL
        and event.session <= MAX_SESSION
        and (event.card is None or 1 <= event.card <= MAX_SERIAL)
        and event.clock_ms < MAX_CLOCK_MS
        and (place is None or (abs(place.latitude) <= 90e6 and abs(place.longitude) <= 180e6))
    )


def verify(items: Sequence[Signed], keys: Mapping[UUID, bytes]) -> list[Event | Flaw]:
    """Return the event of each item, or its flaw, in their order.

    ``keys``: the public keys of devices, revoked ones too. A signature takes about 0.1 ms: of
    thousands call it in a thread or in slices.
    """
    loaded = {device: Ed25519PublicKey.from_public_bytes(key) for device, key in keys.items()}
    return [_verified(one, loaded) for one in items]


def _verified(item: Signed, keys: Mapping[UUID, Ed25519PublicKey]) -> Event | Flaw:
    event, signature = parse(item.text), base64url.decode(item.signature, SIGNATURE_BYTES)
    if event is None or signature is None:
        return Flaw.malformed
    if event.device not in keys:
        return Flaw.unknown_device
    try:
        keys[event.device].verify(signature, item.text.encode())
    except InvalidSignature:
        return Flaw.bad_signature
    return event


def moment_of(clock_ms: int) -> datetime:
    return datetime.fromtimestamp(clock_ms / 1000, UTC)


class Dated(Protocol):
    """What a device recorded, with its number and the device's clock."""

    @property
    def sequence(self) -> int: ...

    @property
    def clock_ms(self) -> int: ...


def weigh(
    event: Dated, upload: Upload, *, revoked_at: datetime | None, last_sequence: int
) -> datetime | Doubt:
    """Return when an event happened by the server's clock, or why it does not count.

    ``last_sequence``: the highest sequence known of the device, 0 for none. Events may come in any
    order and with gaps. Nothing that arrives after the key was revoked counts: whoever has the key
    writes any time into an event.
    """
    if revoked_at is not None and revoked_at <= upload.received_at:
        return Doubt.revoked
    if abs(upload.skew) > MAX_SKEW:
        return Doubt.clock_skewed
    if event.sequence > last_sequence + MAX_JUMP:
        return Doubt.sequence_jumps
    happened = moment_of(event.clock_ms) - upload.skew
    if happened > upload.received_at:
        return Doubt.ahead
    return Doubt.too_old if happened < upload.received_at - MAX_AGE else happened


def missing(last_sequence: int, sequences: Iterable[int]) -> int:
    """Count the sequences above ``last_sequence`` that are skipped up to the highest one."""
    above = {one for one in sequences if one > last_sequence}
    return max(above, default=last_sequence) - last_sequence - len(above)
