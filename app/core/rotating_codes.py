"""Rotating codes: short signed codes for a QR screen that are worthless a minute later.

24 bytes, 32 characters of base64url, because 32 is the longest ``scene`` that WeChat
carries and the densest QR code that an old phone reads across a room:

    byte 0      version (2 bits) and key id (6 bits)
    byte 1      action: which purpose the code has
    bytes 2-5   time step, seconds since the epoch / 15
    bytes 6-9   number of the subject (an activity's serial)
    bytes 10-23 the first 112 bits of HMAC-SHA256 over bytes 0-9

112 bits cannot be guessed online; a code is verified without any look-up, so a flood
of forged ones costs no database time.
"""

import base64
import binascii
import hmac
import re
import struct
from dataclasses import dataclass
from enum import IntEnum

from app.core.keys import derive, key_id

VERSION = 1
STEP_SECONDS = 15
# A code shown at the start of its step is accepted in this and the two following steps.
ACCEPTED_STEPS = 3
LIFETIME_SECONDS = STEP_SECONDS * ACCEPTED_STEPS
MAC_BYTES = 14
_HEADER = struct.Struct(">BBII")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


class Action(IntEnum):
    """What a code is good for. A code of one action is refused for another."""

    check_in = 1
    check_out = 2


class CodeInvalid(Exception):
    """Not a code of ours, or not for this purpose, or not yet valid."""


class CodeExpired(Exception):
    """Ours, but shown too long ago."""


@dataclass(frozen=True)
class RotatingCode:
    text: str
    step: int

    @property
    def expires_at(self) -> int:
        """Epoch second from which the code is refused."""
        return self.step * STEP_SECONDS + LIFETIME_SECONDS

    @property
    def next_at(self) -> int:
        """Epoch second at which the next code begins."""
        return (self.step + 1) * STEP_SECONDS


class RotatingCodes:
    """Makes and checks codes under the keys derived from the given secrets (current first)."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._keys = [derive(secret, "rotating-code") for secret in secrets]

    def make(self, action: Action, subject: int, at: float) -> RotatingCode:
        """Sign the code of the time step that holds ``at`` (epoch seconds)."""
        step = int(at) // STEP_SECONDS
        key = self._keys[0]
        header = _HEADER.pack(_first_byte(key), action, step, subject)
        raw = header + _mac(key, header)
        return RotatingCode(text=base64.urlsafe_b64encode(raw).decode(), step=step)

    def check(self, text: str, action: Action, at: float) -> int:
        """Return the subject of a valid code.

        Raises CodeInvalid or CodeExpired; the latter only for a code that we signed, so
        that a guesser learns nothing.
        """
        if not _SHAPE.fullmatch(text):
            raise CodeInvalid
        try:
            raw = base64.urlsafe_b64decode(text)
        except (binascii.Error, ValueError):
            raise CodeInvalid from None
        header, mac = raw[: _HEADER.size], raw[_HEADER.size :]
        signed = [
            hmac.compare_digest(mac, _mac(key, header)) and header[0] == _first_byte(key)
            for key in self._keys
        ]
        _, found, step, subject = _HEADER.unpack(header)
        age = int(at) // STEP_SECONDS - step
        if not any(signed) or found != action or age < 0:
            raise CodeInvalid
        if age >= ACCEPTED_STEPS:
            raise CodeExpired
        return int(subject)


def _first_byte(key: bytes) -> int:
    return VERSION << 6 | key_id(key)[0] & 0x3F


def _mac(key: bytes, header: bytes) -> bytes:
    return hmac.digest(key, header, "sha256")[:MAC_BYTES]
