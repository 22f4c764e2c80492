"""Sealed rosters: one device reads them, for the session that they are of."""

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.sealed_rosters import Expected, RosterUnreadable, is_key, seal, unseal

KEY, OTHER = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
DEVICE = UUID(int=1 << 64)
ROSTER = [Expected(7, "李雷", UUID(int=5)), Expected(2**31 - 1, '"\n', UUID(int=6))]


def sealed() -> bytes:
    return seal(KEY.public_key().public_bytes_raw(), DEVICE, 42, 3, ROSTER)


def opened(
    raw: bytes, *, key: X25519PrivateKey = KEY, device: UUID = DEVICE, session: int = 3
) -> list[Expected]:
    return unseal(key.private_bytes_raw(), device, 42, session, raw)


def test_a_device_reads_its_roster() -> None:
    raw = sealed()
    assert opened(raw) == ROSTER
    assert raw != sealed()  # under another ephemeral key
    assert "李雷".encode() not in raw
    assert opened(seal(KEY.public_key().public_bytes_raw(), DEVICE, 42, 3, [])) == []


def test_nobody_else_reads_it_or_takes_it_for_another() -> None:
    raw = sealed()
    for changes in ({"key": OTHER}, {"device": UUID(int=2 << 64)}, {"session": 0}):
        with pytest.raises(RosterUnreadable):
            opened(raw, **changes)
    relabelled = raw[:21] + (0).to_bytes(2) + raw[23:]
    with pytest.raises(RosterUnreadable):
        opened(relabelled, session=0)


def test_no_byte_can_be_changed_and_none_left_out() -> None:
    raw = sealed()
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(RosterUnreadable):
            opened(bytes(changed))
    for length in (0, 22, 23, 54, 55, 70, len(raw) - 1):
        with pytest.raises(RosterUnreadable):
            opened(raw[:length])


def test_a_key_of_small_order_is_none() -> None:
    assert is_key(KEY.public_key().public_bytes_raw())
    for weak in (0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18):
        assert not is_key(weak.to_bytes(32, "little"))
