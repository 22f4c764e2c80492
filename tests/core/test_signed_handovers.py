"""Signed hand-overs: one spelling, verified under the key of one device; the sealed list."""

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core import base64url
from app.core.sealed_counter_lists import Waiting, seal, unseal
from app.core.sealed_rosters import RosterUnreadable
from app.core.signed_events import Flaw, Signed
from app.core.signed_handovers import HandOver, parse, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
DEVICE, DAY, ORDER = (UUID(int=n << 64) for n in (1, 2, 3))
EVENT = HandOver(DEVICE, 7, DAY, ORDER, 1_796_000_405_123)


def signed(text: str) -> Signed:
    return Signed(text, base64url.encode(KEY.sign(text.encode())))


def test_a_signed_hand_over_is_read() -> None:
    public = KEY.public_key().public_bytes_raw()
    assert parse(EVENT.text) == EVENT
    assert verify([signed(EVENT.text)], DEVICE, public) == [EVENT]
    assert verify([signed(EVENT.text)], DAY, public) == [Flaw.unknown_device]
    other = Signed(EVENT.text.replace("\n7\n", "\n8\n"), signed(EVENT.text).signature)
    assert verify([other], DEVICE, public) == [Flaw.bad_signature]


@pytest.mark.parametrize(
    "text",
    [
        EVENT.text + "\n",
        EVENT.text.replace("\n7\n", "\n07\n"),
        EVENT.text.replace("\n7\n", "\n0\n"),
        EVENT.text.replace("\n7\n", "\n9999999999\n"),
        EVENT.text.replace("handover-1", "event-1"),
        EVENT.text.replace("1796000405123", "9999999999999"),
        "",
    ],
)
def test_there_is_one_spelling(text: str) -> None:
    assert parse(text) is None
    public = KEY.public_key().public_bytes_raw()
    assert verify([signed(text)], DEVICE, public) == [Flaw.malformed]


def test_a_list_is_read_by_its_device_alone() -> None:
    own, other = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
    listed = [Waiting(str(ORDER), "00" * 8, 7, "李*", "香皂", "A1", 2)]
    raw = seal(own.public_key().public_bytes_raw(), DEVICE, DAY, listed)
    assert unseal(own.private_bytes_raw(), DEVICE, DAY, raw) == listed
    for key, day in ((other, DAY), (own, ORDER)):
        with pytest.raises(RosterUnreadable):
            unseal(key.private_bytes_raw(), DEVICE, day, raw)
