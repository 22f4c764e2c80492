"""Rotating codes: short signed codes, shown as QR codes on a screen, valid for 45 seconds.

24 bytes are 32 characters of base64url: the longest ``scene`` that WeChat accepts. A denser QR
code is not read by old phones across a room.

    byte 0      version (2 bits) and key id (6 bits)
    byte 1      action: the purpose of the code
    bytes 2-5   time step, seconds since the epoch / 15
    bytes 6-9   number of the subject (an activity's serial)
    bytes 10-23 the first 112 bits of HMAC-SHA256 over bytes 0-9

112 bits cannot be guessed online. A code is verified without a look-up, so that forged codes
cause no load on the database.
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
LENGTH = 32
_SHAPE = re.compile(rf"[A-Za-z0-9_-]{{{LENGTH}}}", re.ASCII)


class Action(IntEnum):
    """The purpose of a code. A code of one action is refused for another."""

    check_in = 1
    check_out = 2


class CodeInvalid(Exception):
    """Not signed by us, or of a later time step."""


class OtherAction(Exception):
    """Signed by us, of another action."""


class CodeExpired(Exception):
    """Signed by us, but expired."""


@dataclass(frozen=True)
class RotatingCode:
    text: str
    step: int

    @property
    def expires_at(self) -> int:
        """Epoch second from which on the code is refused."""
        return self.step * STEP_SECONDS + LIFETIME_SECONDS

    @property
    def next_at(self) -> int:
        """Epoch second from which on the next code is shown."""
        return (self.step + 1) * STEP_SECONDS


class RotatingCodes:
    """Signs and checks codes under keys derived from the secrets, the current one first."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._keys = [derive(secret, "rotating-code") for secret in secrets]

    def make(self, action: Action, subject: int, at: float) -> RotatingCode:
        """Sign the code of the time step that contains ``at`` (epoch seconds)."""
        step = int(at) // STEP_SECONDS
        key = self._keys[0]
        header = _HEADER.pack(_first_byte(key), action, step, subject)
        raw = header + _mac(key, header)
        return RotatingCode(text=base64.urlsafe_b64encode(raw).decode(), step=step)

    def check(self, text: str, action: Action, at: float) -> int:
        """Return the subject of a valid code.

        Raises CodeInvalid, OtherAction or CodeExpired; the latter two only if the signature is
        valid, so that the answer tells nothing about guesses.
        """
        text = _ungrouped(text)
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
        if not any(signed) or age < 0:
            raise CodeInvalid
        if found != action:
            raise OtherAction
        if age >= ACCEPTED_STEPS:
            raise CodeExpired
        return int(subject)


def _ungrouped(text: str) -> str:
    """Join a code that was written in equal groups with hyphens between them.

    A hyphen is also a character of codes: no other one is taken out.
    """
    groups = len(text) - LENGTH + 1
    if groups < 2 or LENGTH % groups:
        return text
    size = LENGTH // groups
    parts = [text[place : place + size] for place in range(0, len(text), size + 1)]
    return "".join(parts) if "-".join(parts) == text else text


def _first_byte(key: bytes) -> int:
    return VERSION << 6 | key_id(key)[0] & 0x3F


def _mac(key: bytes, header: bytes) -> bytes:
    return hmac.digest(key, header, "sha256")[:MAC_BYTES]
