"""Signed links: who has one may read one thing until a moment, without a login."""

import hmac
from collections.abc import Sequence

from app.core.keys import derive


class SignedLinks:
    """Signs the name of a thing and a moment (Unix seconds) with HMAC-SHA256."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = [derive(secret, "links") for secret in secrets]

    def sign(self, name: str, expires: int) -> str:
        """Return the signature, 64 hexadecimal digits."""
        return _signature(self._keys[0], name, expires)

    def allows(self, name: str, expires: int, signature: str, at: float) -> bool:
        """Tell whether a signature is one of ours, also under the previous secret, and in time."""
        known = [_signature(key, name, expires) for key in self._keys]
        return at < expires and any(
            hmac.compare_digest(one.encode(), signature.encode()) for one in known
        )


def _signature(key: bytes, name: str, expires: int) -> str:
    return hmac.digest(key, f"{expires}\n{name}".encode(), "sha256").hex()
