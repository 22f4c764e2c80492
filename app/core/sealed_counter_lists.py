"""Sealed counter lists: the orders of a redemption day, encrypted for the key of one device.

    byte 0        version
    bytes 1-16    device id
    bytes 17-32   id of the redemption day
    bytes 33-64   ephemeral X25519 key
    bytes 65-     ciphertext and tag (16 bytes) of the list as JSON

HPKE as of ``sealed_rosters``; its ``info`` is "qingxiang-counter-list-1" and bytes 0-32.

A list has no pick-up codes: ``code`` is their check, so that a lost device gives none away at once.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from app.core.sealed_rosters import SUITE, RosterUnreadable

VERSION = 1
CONTEXT = b"qingxiang-counter-list-1"
HEADER = struct.Struct(">B16s16s")
CHECK_BYTES = 8


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order. ``card``: serial of the person's card. ``code``: see ``check_of``."""

    order: str
    code: str
    card: int
    name: str
    reward: str
    shelf: str
    quantity: int


def check_of(day: UUID, pickup_code: str) -> str:
    """Return the check of a pick-up code on a day: 8 bytes of SHA-256 in hexadecimal."""
    return sha256(day.bytes + pickup_code.encode()).digest()[:CHECK_BYTES].hex()


def seal(public_key: bytes, device: UUID, day: UUID, orders: Sequence[Waiting]) -> bytes:
    """Encrypt a list."""
    header = HEADER.pack(VERSION, device.bytes, day.bytes)
    rows = [asdict(one) for one in orders]
    clear = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    recipient = X25519PublicKey.from_public_bytes(public_key)
    return header + SUITE.encrypt(clear, recipient, info=CONTEXT + header)


def unseal(private_key: bytes, device: UUID, day: UUID, sealed: bytes) -> list[Waiting]:
    """Decrypt a list as a device does. Raises RosterUnreadable."""
    header, body = sealed[: HEADER.size], sealed[HEADER.size :]
    if header != HEADER.pack(VERSION, device.bytes, day.bytes):
        raise RosterUnreadable
    recipient = X25519PrivateKey.from_private_bytes(private_key)
    try:
        clear = SUITE.decrypt(body, recipient, info=CONTEXT + header)
    except (InvalidTag, ValueError):
        raise RosterUnreadable from None
    rows: list[dict[str, Any]] = json.loads(clear)
    return [Waiting(**one) for one in rows]
