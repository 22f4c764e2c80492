"""Sealed rosters: who is expected at a session, encrypted for the X25519 key of one device.

    byte 0        version
    bytes 1-16    device id
    bytes 17-20   serial number of the activity
    bytes 21-22   session, 0 for the whole activity
    bytes 23-54   ephemeral X25519 key
    bytes 55-     ciphertext and tag (16 bytes) of the roster as JSON

Bytes 23 onwards are HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
AES-256-GCM; its ``info`` is "qingxiang-roster-1" and bytes 0-22, so a roster cannot be passed on as
one of another device, activity or session.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

VERSION = 1
KEY_BYTES = 32
CONTEXT = b"qingxiang-roster-1"
HEADER = struct.Struct(">B16sIH")
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class RosterUnreadable(Exception):
    """Of another device, activity, session or version, or changed on its way."""


@dataclass(frozen=True, slots=True)
class Expected:
    """``card``: its serial number. ``signup``: id of the sign-up."""

    card: int
    name: str
    signup: UUID


def is_key(public_key: bytes) -> bool:
    """Whether something can be encrypted for an X25519 key: it is no point of small order."""
    try:
        SUITE.encrypt(b"", X25519PublicKey.from_public_bytes(public_key), info=CONTEXT)
    except ValueError:
        return False
    return True


def seal(
    public_key: bytes, device: UUID, activity: int, session: int, expected: Sequence[Expected]
) -> bytes:
    """Encrypt a roster. ``activity``: its serial number."""
    header = HEADER.pack(VERSION, device.bytes, activity, session)
    rows = [{"card": one.card, "name": one.name, "signup": str(one.signup)} for one in expected]
    clear = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    recipient = X25519PublicKey.from_public_bytes(public_key)
    return header + SUITE.encrypt(clear, recipient, info=CONTEXT + header)


def unseal(
    private_key: bytes, device: UUID, activity: int, session: int, sealed: bytes
) -> list[Expected]:
    """Decrypt a roster as a device does. Raises RosterUnreadable."""
    header, body = sealed[: HEADER.size], sealed[HEADER.size :]
    if header != HEADER.pack(VERSION, device.bytes, activity, session):
        raise RosterUnreadable
    recipient = X25519PrivateKey.from_private_bytes(private_key)
    try:
        clear = SUITE.decrypt(body, recipient, info=CONTEXT + header)
    except (InvalidTag, ValueError):
        raise RosterUnreadable from None
    return [Expected(one["card"], one["name"], UUID(one["signup"])) for one in json.loads(clear)]
