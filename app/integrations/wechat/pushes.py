"""What WeChat pushes to us: is it WeChat's, and what does it say.

The signature in the query is ``sha1(sort(token, timestamp, nonce))``. It does not cover the body,
so production uses the safe mode, in which the body is encrypted and ``msg_signature`` covers it.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from hashlib import sha1
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from app.core.errors import Refusal

RANDOM_BYTES, LENGTH_BYTES, BLOCK_BITS = 16, 4, 256


class NotWechat(Refusal):
    code, status, title = "pushes.not_wechat", 403, "Not from WeChat"
    zh, en = "推送签名无效", "The signature is not WeChat's."


def signature_of(*parts: str) -> str:
    """Return WeChat's signature of some texts in any order."""
    return sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


class PushReader:
    """Reads pushes to one mini-program. With an ``aes_key`` only encrypted ones are taken.

    ``aes_key``: the 43 characters of the console's EncodingAESKey.
    """

    def __init__(self, token: str, aes_key: str | None, appid: str) -> None:
        self._token, self._appid = token, appid
        self._key = base64.b64decode(aes_key + "=") if aes_key else None

    def verify(self, query: Mapping[str, str]) -> None:
        """Check the signature of a query. Raises NotWechat."""
        self._require(query, "signature")

    def open(self, query: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """Return the message of a push. Raises NotWechat."""
        if self._key is None:
            self.verify(query)
            return _json(body)
        sealed = _json(body).get("Encrypt")
        if not isinstance(sealed, str) or not sealed.isascii():  # it is base64
            raise NotWechat
        self._require(query, "msg_signature", sealed)
        return _json(self._decrypted(sealed, self._key))

    def _require(self, query: Mapping[str, str], name: str, *parts: str) -> None:
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        right = signature_of(self._token, timestamp, nonce, *parts)
        if not hmac.compare_digest(right.encode(), query.get(name, "").encode()):
            raise NotWechat

    def _decrypted(self, sealed: str, key: bytes) -> bytes:
        """Return the message: after 16 random bytes and its length, before the app id."""
        try:
            decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
            padded = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
            unpadder = PKCS7(BLOCK_BITS).unpadder()
            plain = unpadder.update(padded) + unpadder.finalize()
        except ValueError:  # binascii's too
            raise NotWechat from None
        start = RANDOM_BYTES + LENGTH_BYTES
        end = start + int.from_bytes(plain[RANDOM_BYTES:start])
        if plain[end:] != self._appid.encode():
            raise NotWechat
        return plain[start:end]


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotWechat
    return found
