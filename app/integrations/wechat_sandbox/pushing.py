"""How the sandbox pushes a message to the service, as WeChat's servers do."""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

TIMEOUT_S = 5.0


@dataclass
class Pusher:
    """``transport`` reaches an application without a socket, for tests."""

    url: str
    token: str = field(repr=False)
    aes_key: str | None = field(repr=False)
    appid: str
    transport: httpx.AsyncBaseTransport | None = None

    async def fetch(self, url: str) -> httpx.Response:
        """Download a picture that is to be checked."""
        async with self._http() as http:
            return await http.get(url)

    async def push(self, event: dict[str, Any]) -> httpx.Response:
        """Push an event, encrypted if there is a key."""
        text = json.dumps(event, ensure_ascii=False)
        timestamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
        query = {
            "signature": self._signature(timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        if self.aes_key is not None:
            sealed = self._encrypted(text.encode(), self.aes_key)
            signature = self._signature(timestamp, nonce, sealed)
            query |= {"encrypt_type": "aes", "msg_signature": signature}
            text = json.dumps({"ToUserName": event["ToUserName"], "Encrypt": sealed})
        async with self._http() as http:
            return await http.post(self.url, params=query, content=text.encode())

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.transport, timeout=TIMEOUT_S)

    def _signature(self, *parts: str) -> str:
        text = "".join(sorted([self.token, *parts]))
        return sha1(text.encode(), usedforsecurity=False).hexdigest()

    def _encrypted(self, text: bytes, aes_key: str) -> str:
        key = base64.b64decode(aes_key + "=")
        plain = secrets.token_bytes(16) + len(text).to_bytes(4) + text + self.appid.encode()
        padder = PKCS7(256).padder()
        padded = padder.update(plain) + padder.finalize()
        encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()
