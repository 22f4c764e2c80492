"""Poster codes: short signed codes that are printed, and valid until another one is printed.

24 bytes are 32 characters of base64url, as of ``rotating_codes``: they fit WeChat's ``scene``.

    byte 0      version (2 bits) and key id (6 bits)
    byte 1      kind of the subject
    bytes 2-5   number of the subject (its serial)
    bytes 6-7   issue of the poster, from 1
    bytes 8-23  the first 128 bits of HMAC-SHA256 over bytes 0-7

The signature is verified without a look-up, so that forged codes cause no load on the database.
Whether the issue is the present one only a look-up tells: the caller compares it. The key has its
own purpose, so that a rotating code is no poster code, nor the other way round. After a rotation
of the secret the previous one still verifies; after a second one posters are printed anew.
"""

import base64
import hmac
import re
import struct
from enum import IntEnum
from typing import NamedTuple

from app.core.keys import derive, key_id

VERSION = 1
MAX_ISSUE = 2**16 - 1
MAC_BYTES = 16
LENGTH = 32
_HEADER = struct.Struct(">BBIH")
_SHAPE = re.compile(rf"[A-Za-z0-9_-]{{{LENGTH}}}", re.ASCII)


class PosterKind(IntEnum):
    """What a poster hangs at. A code of one kind is refused for another."""

    activity = 1
    checkpoint = 2
    place = 3


class PosterCodeInvalid(Exception):
    """Not signed by us, or of another kind."""


class Poster(NamedTuple):
    """``serial`` names the subject; ``issue`` counts the posters that were printed for it."""

    serial: int
    issue: int


class PosterCodes:
    """Signs and checks codes under keys derived from the secrets, the current one first."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._keys = [derive(secret, "poster-code") for secret in secrets]

    def make(self, kind: PosterKind, poster: Poster) -> str:
        """Sign a code; the same one as long as the secret is the same."""
        key = self._keys[0]
        header = _HEADER.pack(_first_byte(key), kind, *poster)
        return base64.urlsafe_b64encode(header + _mac(key, header)).decode()

    def check(self, text: str, kind: PosterKind) -> Poster:
        """Return the subject and the issue of a code. Raises PosterCodeInvalid."""
        if not _SHAPE.fullmatch(text):
            raise PosterCodeInvalid
        raw = base64.urlsafe_b64decode(text)
        header, mac = raw[: _HEADER.size], raw[_HEADER.size :]
        signed = [
            hmac.compare_digest(mac, _mac(key, header)) and header[0] == _first_byte(key)
            for key in self._keys
        ]
        _, found, serial, issue = _HEADER.unpack(header)
        if not any(signed) or found != kind:
            raise PosterCodeInvalid
        return Poster(serial, issue)


def _first_byte(key: bytes) -> int:
    return VERSION << 6 | key_id(key)[0] & 0x3F


def _mac(key: bytes, header: bytes) -> bytes:
    return hmac.digest(key, header, "sha256")[:MAC_BYTES]
