"""A phone (or a counter's screen) that calls the API over HTTP, as a mini-program would."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

API = "/api/v1"
AT_ONCE = 20  # requests of the whole crowd
TRIES = 6
T = TypeVar("T")


class Unexpected(Exception):
    """A reply without which the play cannot go on."""

    def __init__(self, what: str, expected: str, found: str) -> None:
        super().__init__(f"{what}: expected {expected}, found {found}")


@dataclass(frozen=True)
class Reply:
    """``body`` is the JSON, or the text of anything else."""

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
        """Return the body of a reply that must have this status. Raises Unexpected."""
        if self.status != status:
            raise Unexpected(self.what, str(status), self.verdict)
        return self.body


@dataclass(frozen=True)
class Network:
    """The connections of everybody, and the limit on how many talk at once."""

    client: httpx.AsyncClient
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send; where the service asks for patience, wait as long as it says."""
        for _ in range(TRIES):
            async with self.gate:
                response = await self.client.send(request)
            if response.status_code not in (429, 503):
                return response
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))
        return response


@dataclass
class Phone:
    """Somebody's phone. ``user`` is the name in the sandbox WeChat."""

    network: Network
    user: str
    name: str = ""
    token: str = ""
    person_id: str = ""

    async def log_in(self) -> dict[str, Any]:
        """Log in as `wx.login` and the mini-program do together."""
        made = await self.post("/sandbox/wechat/codes", {"user": self.user})
        login: dict[str, Any] = (
            await self.post("/auth/wechat", {"code": made.want(200)["code"]})
        ).want(200)
        self.token, self.person_id = login["access_token"], login["person"]["id"]
        self.name = self.name or login["person"]["display_name"]
        return login

    async def get(self, path: str, **query: object) -> Reply:
        return await self._call("GET", path, query=query)

    async def post(
        self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None
    ) -> Reply:
        """``key``: the Idempotency-Key, where the route wants one."""
        return await self._call("POST", path, body, key=key)

    async def put(self, path: str, body: dict[str, Any]) -> Reply:
        return await self._call("PUT", path, body)

    async def delete(self, path: str) -> Reply:
        return await self._call("DELETE", path)

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        query: dict[str, Any] | None = None,
    ) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        url = path if path.startswith("/sandbox") else API + path
        request = self.network.client.build_request(
            method, url, json=body, params=query or None, headers=headers
        )
        response = await self.network.send(request)
        is_json = "json" in response.headers.get("content-type", "")
        return Reply(
            what=f"{self.user}: {method} {path}",
            status=response.status_code,
            body=response.json() if is_json else response.text,
            replayed="Idempotency-Replayed" in response.headers,
        )


def new_key() -> str:
    """Make an Idempotency-Key: one for each intent."""
    return str(uuid.uuid4())


async def until(read: Callable[[], Awaitable[T]], wanted: T, seconds: float = 15.0) -> T:
    """Read until it is what is wanted or the time is over; return the last reading.

    Notices and leaderboards follow the commit within about a second.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    found = await read()
    while found != wanted and loop.time() < deadline:
        await asyncio.sleep(0.15)
        found = await read()
    return found
