"""Receivers of webhooks for tests: an HTTP server that verifies, fails, hangs or redirects."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

from app.core.clock import now
from tests.factories.http import keyed
from tests.factories.rewards import Counter

API = "/api/v1"


def verified(secret: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Verify a message as standardwebhooks.com tells a receiver to; return its payload."""
    sent_at = int(headers["webhook-timestamp"])
    assert abs(now().timestamp() - sent_at) < 300, "too old"
    signed = f"{headers['webhook-id']}.{sent_at}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    given = headers["webhook-signature"].split(" ")
    assert any(hmac.compare_digest(f"v1,{expected}", one) for one in given), "signature"
    payload: dict[str, Any] = json.loads(body)
    return payload


@dataclass
class Receiver:
    """``status``: of each reply; 0: none, the connection hangs until ``release`` is set."""

    url: str = ""
    status: int = 204
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.heard]

    def payloads(self, secret: str) -> list[dict[str, Any]]:
        return [verified(secret, headers, body) for headers, body in self.heard]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (one.partition(": ") for one in head[1:] if one)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.heard.append((headers, body))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.status == 0:
            self.hanging.set()
            await self.release.wait()
        lines = [f"HTTP/1.1 {self.status or 204} x", "content-length: 0", "connection: close"]
        if 300 <= self.status < 400:
            lines.append(f"location: {self.url}/elsewhere")
        self.at_once -= 1
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        writer.close()


@asynccontextmanager
async def receiver(status: int = 204) -> AsyncIterator[Receiver]:
    """Serve HTTP on a local port."""
    found = Receiver(status=status)
    server = await asyncio.start_server(found.answer, "127.0.0.1", 0)
    async with server:
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/till"
        try:
            yield found
        finally:
            found.release.set()


async def make_webhook(
    api: httpx.AsyncClient, counter: Counter, url: str, **changes: Any
) -> dict[str, Any]:
    """Make a webhook as the merchant's staff; return the reply, with the secret."""
    path = f"{API}/merchants/{counter.merchant.id}/webhooks"
    made = await api.post(path, headers=keyed(counter.staff), json={"url": url} | changes)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found
