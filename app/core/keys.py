"""Keys derived from the secret, one for each purpose, and the cipher of personal identifiers.

HKDF with the purpose as ``info``: a key of check-in codes cannot sign tokens. After a
rotation the previous secret still verifies and decrypts.
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
    """Derive the 32-byte key of a purpose (HKDF-SHA256, RFC 5869)."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"qingxiang/" + purpose.encode())
    return hkdf.derive(secret)


@lru_cache(maxsize=64)
def key_id(key: bytes) -> bytes:
    """Return the id of a derived key: the first 4 bytes of a hash of it."""
    return sha256(b"key id" + key).digest()[:KEY_ID_BYTES]


def check_value(secret: bytes) -> bytes:
    """Return a value by which a secret is recognised, but not found."""
    return hmac.digest(derive(secret, "check-value"), b"qingxiang", "sha256")


class FieldCipher:
    """Encrypts personal identifiers for storage (AES-256-GCM) and indexes them (HMAC-SHA256)."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._ciphers = {
            key_id(key): AESGCM(key) for key in (derive(s, "vault") for s in reversed(secrets))
        }
        self._current = key_id(derive(secrets[0], "vault"))
        self._index_keys = [derive(secret, "blind-index") for secret in secrets]

    def seal(self, text: str) -> bytes:
        """Encrypt; return key id (4 bytes), nonce (12 bytes), ciphertext and tag (16 bytes)."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), self._current)
        return self._current + nonce + sealed

    def open(self, sealed: bytes) -> str:
        """Decrypt what ``seal`` returned, under the current or the previous secret."""
        name, nonce = sealed[:KEY_ID_BYTES], sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES]
        clear = self._ciphers[name].decrypt(nonce, sealed[KEY_ID_BYTES + NONCE_BYTES :], name)
        return clear.decode()

    def indexes(self, text: str) -> list[bytes]:
        """Return the blind indexes under which a text may be stored, that of new rows first."""
        return [hmac.digest(key, text.encode(), "sha256") for key in self._index_keys]
