"""Bytes as base64url without padding (RFC 4648, 5), in their one spelling."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str, length: int) -> bytes | None:
    """Read exactly so many bytes; None for any other text, a second spelling included.

    Python skips characters that are not of the alphabet, and ignores bits after the last byte.
    """
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length and encode(raw) == text else None
