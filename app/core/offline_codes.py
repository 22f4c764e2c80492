"""Offline codes: a resident's phone shows one where neither it nor the steward has network.

103 bytes are 138 characters of base64url:

    byte 0        version
    bytes 1-4     key id: the first 4 bytes of SHA-256 over "key id" and the public key
    bytes 5-8     serial number of the activity
    bytes 9-10    session, 0 for the whole activity
    bytes 11-14   step: Unix seconds / 300
    bytes 15-34   serial number of the card, AES-SIV under a key of the server (bytes 0-14 as
                  associated data): only the server reads it
    bytes 35-38   the first 4 bytes of HMAC-SHA256 over the last four digits of the card, with
                  bytes 0-34 as the key
    bytes 39-102  Ed25519 signature over "qingxiang-offline-code-1" and bytes 0-38

The signing key is another one every 30 days, and derived from the secret: no process has to store
or exchange keys. Decision 0042 says what a code proves, and what it does not.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from app.core import base64url
from app.core.keys import derive, key_id

VERSION = 1
STEP_SECONDS = 300
# A device accepts a code of its own step and of one step before and after it.
TOLERANCE_STEPS = 1
EPOCH_SECONDS = 30 * 86_400
CONTEXT = b"qingxiang-offline-code-1"
DIGITS = 4
CODE_BYTES, CODE_LENGTH = 103, 138
_HEADER = struct.Struct(">B4sIHI")
_SERIAL = struct.Struct(">I")
_CHECKED, _SIGNED, _CHECK_BYTES = 35, 39, 4


class OfflineCodeMalformed(Exception):
    """Not the form of an offline code."""


class OfflineCodeForged(Exception):
    """Of the form of an offline code, but not signed by us."""


@dataclass(frozen=True, slots=True)
class OfflineCode:
    """``card`` and ``activity``: serial numbers. ``step``: Unix seconds / 300."""

    card: int
    activity: int
    session: int
    step: int
    checked: bytes
    check: bytes

    def is_for(self, digits: str) -> bool:
        """Whether these are the last four digits of the card."""
        return hmac.compare_digest(_check(self.checked, digits), self.check)

    def is_current(self, at: float) -> bool:
        """Whether a device would accept it at a time, Unix seconds."""
        return abs(int(at) // STEP_SECONDS - self.step) <= TOLERANCE_STEPS


@dataclass(frozen=True, slots=True)
class OfflineKey:
    """A public key, and for codes of which time it is: Unix seconds, the end excluded."""

    id: str
    public_key: bytes
    starts: int
    ends: int


class OfflineCodes:
    """Signs and reads codes under keys derived from the secrets, the current one first."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = list(secrets)

    def make(self, card: int, digits: str, activity: int, session: int, step: int) -> str:
        """Sign the code of a step. ``digits``: the last four of the card."""
        private = _signing_key(self._secrets[0], step)
        name = key_id(private.public_key().public_bytes_raw())
        header = _HEADER.pack(VERSION, name, activity, session, step)
        sealed = _cipher(self._secrets[0]).encrypt(_SERIAL.pack(card), [header])
        checked = header + sealed
        signed = checked + _check(checked, digits)
        return base64url.encode(signed + private.sign(CONTEXT + signed))

    def read(self, text: str) -> OfflineCode:
        """Return what a code says. Raises OfflineCodeMalformed, OfflineCodeForged."""
        raw = base64url.decode(text, CODE_BYTES)
        if raw is None or raw[0] != VERSION:
            raise OfflineCodeMalformed
        header, signed, signature = raw[: _HEADER.size], raw[:_SIGNED], raw[_SIGNED:]
        _, name, activity, session, step = _HEADER.unpack(header)
        for secret in self._secrets:
            public = _signing_key(secret, step).public_key()
            if key_id(public.public_bytes_raw()) == name and _is_signed(public, signed, signature):
                sealed = raw[_HEADER.size : _CHECKED]
                card = _opened(_cipher(secret), sealed, header)
                checked, check = raw[:_CHECKED], raw[_CHECKED:_SIGNED]
                return OfflineCode(card, activity, session, step, checked, check)
        raise OfflineCodeForged

    def public_keys(self, at: float) -> list[OfflineKey]:
        """Return the keys of this epoch and the next one, under each secret.

        ``at``: Unix seconds. Phones have codes that were signed under the previous secret.
        """
        epoch = int(at) // EPOCH_SECONDS
        return [
            _public(secret, number) for secret in self._secrets for number in (epoch, epoch + 1)
        ]


def _public(secret: bytes, epoch: int) -> OfflineKey:
    starts = epoch * EPOCH_SECONDS
    public = _signing_key(secret, starts // STEP_SECONDS).public_key().public_bytes_raw()
    return OfflineKey(key_id(public).hex(), public, starts, starts + EPOCH_SECONDS)


def _signing_key(secret: bytes, step: int) -> Ed25519PrivateKey:
    epoch = step * STEP_SECONDS // EPOCH_SECONDS
    return Ed25519PrivateKey.from_private_bytes(derive(secret, f"offline-code/{epoch}"))


def _cipher(secret: bytes) -> AESSIV:
    return AESSIV(derive(secret, "offline-code-card"))


def _is_signed(public: Ed25519PublicKey, signed: bytes, signature: bytes) -> bool:
    try:
        public.verify(signature, CONTEXT + signed)
    except InvalidSignature:
        return False
    return True


def _opened(cipher: AESSIV, sealed: bytes, header: bytes) -> int:
    try:
        (card,) = _SERIAL.unpack(cipher.decrypt(sealed, [header]))
    except InvalidTag:
        raise OfflineCodeForged from None
    return int(card)


def _check(checked: bytes, digits: str) -> bytes:
    return hmac.digest(checked, digits.encode(), "sha256")[:_CHECK_BYTES]
