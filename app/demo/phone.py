"""A client of the API over HTTP, with the calls of the mini-program or of a counter."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

API = "/api/v1"
AT_ONCE = 20  # concurrent requests of all clients together
TRIES = 6
T = TypeVar("T")


class Unexpected(Exception):
    """A reply without which the demonstration cannot continue."""

    def __init__(self, what: str, expected: str, found: str) -> None:
        super().__init__(f"{what}: expected {expected}, found {found}")


@dataclass(frozen=True)
class Reply:
    """``body``: the parsed JSON, the text, or the bytes of a file."""

    what: str
    status: int
    body: Any
    replayed: bool

    @property
    def verdict(self) -> str:
        """The status, and the code of a refusal: ``201``, ``409 cards.code_used``."""
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return f"{self.status} {code}" if self.status >= 400 else str(self.status)

    def want(self, status: int) -> Any:
        """Return the body if the reply has this status. Raises Unexpected."""
        if self.status != status:
            raise Unexpected(self.what, str(status), self.verdict)
        return self.body


@dataclass(frozen=True)
class Network:
    """The shared connections, and the limit of concurrent requests."""

    client: httpx.AsyncClient
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send; after 429 and 503 wait for Retry-After and try again, ``TRIES`` times at most."""
        for _ in range(TRIES):
            async with self.gate:
                response = await self.client.send(request)
            if response.status_code not in (429, 503):
                return response
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))
        return response


@dataclass
class Phone:
    """One person's client. ``user`` is the name in the sandbox WeChat."""

    network: Network
    user: str
    name: str = ""
    token: str = ""
    person_id: str = ""

    async def log_in(self) -> dict[str, Any]:
        """Log in with a code of the sandbox, as the mini-program does after `wx.login`."""
        made = await self.post("/sandbox/wechat/codes", {"user": self.user})
        login: dict[str, Any] = (
            await self.post("/auth/wechat", {"code": made.want(200)["code"]})
        ).want(200)
        self.token, self.person_id = login["access_token"], login["person"]["id"]
        self.name = self.name or login["person"]["display_name"]
        return login

    async def arrive(self, community_id: str | None = None) -> dict[str, Any]:
        """Log in for the first time and fill in the profile; return what the login returned."""
        login = await self.log_in()
        profile = {"display_name": self.name, "community_id": community_id}
        (await self.put("/me", profile)).want(200)
        return login

    async def last_notice(self) -> str:
        """Return the kind of the newest notice, "" without any."""
        items = (await self.get("/me/notices")).want(200)["items"]
        return str(items[0]["kind"]) if items else ""

    async def get(self, path: str, **query: object) -> Reply:
        return await self._call("GET", path, query=query)

    async def post(
        self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None
    ) -> Reply:
        """``key``: the Idempotency-Key, for routes that require one."""
        return await self._call("POST", path, body, key=key)

    async def do(self, path: str, body: dict[str, Any] | None = None) -> Reply:
        """POST with a new Idempotency-Key."""
        return await self._call("POST", path, body, key=new_key())

    async def upload(self, path: str, name: str, content: bytes, **fields: str) -> Reply:
        """POST a file as a form, with a new Idempotency-Key."""
        form = {"files": {"file": (name, content)}, "data": fields}
        return await self._call("POST", path, key=new_key(), form=form)

    async def put(self, path: str, body: dict[str, Any], *, version: int | None = None) -> Reply:
        """``version``: what If-Match names, for routes that require it."""
        return await self._call("PUT", path, body, version=version)

    async def put_once(self, path: str, body: dict[str, Any]) -> Reply:
        """PUT with a new Idempotency-Key."""
        return await self._call("PUT", path, body, key=new_key())

    async def delete(self, path: str, *, key: str | None = None) -> Reply:
        return await self._call("DELETE", path, key=key)

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        version: int | None = None,
        query: dict[str, Any] | None = None,
        form: dict[str, Any] | None = None,
    ) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        url = path if path.startswith("/sandbox") else API + path
        request = self.network.client.build_request(
            method, url, json=body, params=query or None, headers=headers, **(form or {})
        )
        response = await self.network.send(request)
        return Reply(
            what=f"{self.user}: {method} {path}",
            status=response.status_code,
            body=_read(response),
            replayed="Idempotency-Replayed" in response.headers,
        )


def _read(response: httpx.Response) -> Any:
    """Return the body as its type demands."""
    kind = response.headers.get("content-type", "")
    if "json" in kind and response.content:
        return response.json()
    return response.content if kind.startswith("application/") else response.text


def new_key() -> str:
    """Return a new Idempotency-Key."""
    return str(uuid.uuid4())


async def until(read: Callable[[], Awaitable[T]], wanted: T, seconds: float = 15.0) -> T:
    """Poll until the value is ``wanted`` or ``seconds`` are over; return the last value.

    Notices and leaderboards follow the commit within about a second.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    found = await read()
    while found != wanted and loop.time() < deadline:
        await asyncio.sleep(0.15)
        found = await read()
    return found
