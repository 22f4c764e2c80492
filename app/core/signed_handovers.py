"""Signed hand-overs: what a counter recorded without network, under its device's Ed25519 key.

The signed bytes are six lines of ASCII joined by line feeds, without one at the end:

    qingxiang-handover-1
    device id           UUID in lower case
    sequence            1 to 2147483647, never used twice by a device
    redemption day      UUID in lower case
    order               UUID in lower case
    device clock        Unix milliseconds

As of ``signed_events``, there is one spelling, so the text that was sent is verified.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.core import base64url
from app.core.signed_events import (
    MAX_CLOCK_MS,
    MAX_SEQUENCE,
    SIGNATURE_BYTES,
    Flaw,
    Signed,
)

VERSION_LINE = "qingxiang-handover-1"
MAX_LENGTH = 200
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SHAPE = re.compile(
    rf"{VERSION_LINE}\n"
    rf"(?P<device>{_UUID})\n(?P<sequence>[1-9][0-9]{{0,9}})\n"
    rf"(?P<day>{_UUID})\n(?P<order>{_UUID})\n(?P<clock>[1-9][0-9]{{0,12}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class HandOver:
    """``clock_ms``: the device's clock, Unix milliseconds."""

    device: UUID
    sequence: int
    day: UUID
    order: UUID
    clock_ms: int

    @property
    def text(self) -> str:
        """The text that is signed."""
        parts = (VERSION_LINE, self.device, self.sequence, self.day, self.order, self.clock_ms)
        return "\n".join(map(str, parts))


def parse(text: str) -> HandOver | None:
    """Read a hand-over; None if the text is not of its one form, or a number is out of range."""
    found = _SHAPE.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        return None
    sequence, clock = int(found["sequence"]), int(found["clock"])
    if sequence > MAX_SEQUENCE or clock >= MAX_CLOCK_MS:
        return None
    return HandOver(
        UUID(found["device"]), sequence, UUID(found["day"]), UUID(found["order"]), clock
    )


def verify(items: Sequence[Signed], device: UUID, public_key: bytes) -> list[HandOver | Flaw]:
    """Return the hand-over of each item, or its flaw. A signature takes about 0.1 ms."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return [_verified(one, device, key) for one in items]


def _verified(item: Signed, device: UUID, key: Ed25519PublicKey) -> HandOver | Flaw:
    found, signature = parse(item.text), base64url.decode(item.signature, SIGNATURE_BYTES)
    if found is None or signature is None:
        return Flaw.malformed
    if found.device != device:
        return Flaw.unknown_device
    try:
        key.verify(signature, item.text.encode())
    except InvalidSignature:
        return Flaw.bad_signature
    return found
