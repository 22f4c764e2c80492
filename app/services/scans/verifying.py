"""Reading what a device sent: signatures of events and of offline codes. Without a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from app.core import signed_events
from app.core.offline_codes import OfflineCodeForged, OfflineCodeMalformed, OfflineCodes
from app.core.signed_events import Event, Flaw, Signed
from app.models.cards import SHOWN_DIGITS, card_number
from app.models.scans import ScanReason


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """``digest``: of the signed text. ``card``: serial. ``doubt``: what is wrong with the code."""

    event: Event
    digest: bytes
    card: int | None
    doubt: ScanReason | None


def read(
    items: Sequence[Signed], device_id: UUID, public_key: bytes, codes: OfflineCodes
) -> list[ReadEvent | ScanReason]:
    """Return the event of each item, or why it is none of this device.

    Takes 0.3 ms for an event with a code: called in a thread, in slices.
    """
    verified = signed_events.verify(items, {device_id: public_key})
    return [
        ScanReason(one) if isinstance(one, Flaw) else _read(item.text, one, codes)
        for item, one in zip(items, verified, strict=True)
    ]


def _read(text: str, event: Event, codes: OfflineCodes) -> ReadEvent:
    digest = sha256(text.encode()).digest()
    if event.code is None or event.digits is None:
        return ReadEvent(event, digest, event.card, None)
    try:
        code = codes.read(event.code)
    except (OfflineCodeMalformed, OfflineCodeForged):
        return ReadEvent(event, digest, None, ScanReason.code_invalid)
    doubt = None
    if (code.activity, code.session) != (event.activity, event.session):
        doubt = ScanReason.code_elsewhere
    # By the device's clock, as at the door: how wrong that may be is limited.
    elif not code.is_current(event.clock_ms / 1000):
        doubt = ScanReason.code_expired
    elif not code.is_for(event.digits) or card_number(code.card)[-SHOWN_DIGITS:] != event.digits:
        doubt = ScanReason.digits_wrong
    return ReadEvent(event, digest, code.card, doubt)
