"""Keys: every purpose has its own, derived from the one secret; and what is done with them.

A key for check-in codes cannot sign a token and the other way round: HKDF with the
purpose as its info string. Rotation: the previous secret still verifies.
"""

import hmac
import os
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_ID_BYTES = 4
NONCE_BYTES = 12


@lru_cache(maxsize=64)
def derive(secret: bytes, purpose: str) -> bytes:
    """Derive the 32-byte key of one purpose."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"qingxiang/" + purpose.encode())
    return hkdf.derive(secret)


@lru_cache(maxsize=64)
def key_id(key: bytes) -> bytes:
    """Name a derived key in four bytes, without telling anything about it."""
    return sha256(b"key id" + key).digest()[:KEY_ID_BYTES]


class FieldCipher:
    """Personal identifiers at rest: AES-256-GCM to read back, an HMAC to find again."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._ciphers = {
            key_id(key): AESGCM(key) for key in (derive(s, "vault") for s in reversed(secrets))
        }
        self._current = key_id(derive(secrets[0], "vault"))
        self._index_keys = [derive(secret, "blind-index") for secret in secrets]

    def seal(self, text: str) -> bytes:
        """Encrypt: key id (4 bytes), nonce (12 bytes), ciphertext and tag."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), self._current)
        return self._current + nonce + sealed

    def open(self, sealed: bytes) -> str:
        """Decrypt what ``seal`` made under the current or the previous secret."""
        name, nonce = sealed[:KEY_ID_BYTES], sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES]
        clear = self._ciphers[name].decrypt(nonce, sealed[KEY_ID_BYTES + NONCE_BYTES :], name)
        return clear.decode()

    def indexes(self, text: str) -> list[bytes]:
        """Return the blind indexes under which the text may be stored, the current one first."""
        return [hmac.digest(key, text.encode(), "sha256") for key in self._index_keys]
