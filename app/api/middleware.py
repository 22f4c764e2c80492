"""Around every request: an id, the host check, the access log and the metrics."""

import re
import time
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem, too_large
from app.core import language
from app.core.errors import Busy, HostNotAllowed, Refusal, TooLarge
from app.core.ids import new_id
from app.core.metrics import request_seconds, requests_total

log = structlog.get_logger("app.api.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
# Asked every few seconds by machines, under the address of a pod: neither worth a line
# each nor asked for a host name. (The ASGI path is not derived from the Host header.)
_QUIET = {"/healthz", "/readyz", "/metrics"}
# More than a worker can answer before a phone gives up: who comes later is told at once,
# and no work is done for those who have gone.
MAX_IN_FLIGHT = 1_000


class RequestContext:
    """Pure ASGI, around the whole application: what refuses early is refused in our shape too."""

    def __init__(self, app: ASGIApp, allowed_hosts: list[str]) -> None:
        self._app = app
        self._in_flight = 0
        self._allowed = None if "*" in allowed_hosts else {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        host, given_id, accept_language = _read_head(scope)
        request_id = given_id if _REQUEST_ID.fullmatch(given_id) else str(new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        # Never unbound: each request has a task, and with it a context, of its own.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        language.listen(accept_language)
        reply = _Reply(scope, receive, send, request_id)
        self._in_flight += 1
        try:
            refusal = None if scope["path"] in _QUIET else self._refusal(host)
            answer = problem(Request(scope), refusal) if refusal else self._app
            await answer(scope, receive, reply.send)
        except Exception as error:
            # The application has answered 500 by now; Starlette raises it once more.
            log.exception("unhandled", error=type(error).__name__)
        finally:
            self._in_flight -= 1
            self._account(scope, reply.status, time.perf_counter() - started)

    def _refusal(self, host: str) -> Refusal | None:
        if self._in_flight > MAX_IN_FLIGHT:
            return Busy(retry_after=2)
        # Foreign and malformed Host headers (CVE-2026-48710), before anything reads them.
        if self._allowed is not None and _name_of(host) not in self._allowed:
            return HostNotAllowed()
        return None

    @cached_property
    def _access_log(self) -> Any:
        # Bound once: a module's logger is put together anew for each line.
        return log.bind()

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, never the path: a path holds ids and whatever a stranger typed.
        pattern = _route_pattern(scope)
        method = (
            scope["method"] if scope["method"].isalpha() and len(scope["method"]) < 8 else "other"
        )
        count, clock = _instruments(method, pattern, status)
        count.inc()
        clock.observe(seconds)
        if pattern not in _QUIET:
            self._access_log.info(
                "request", method=method, route=pattern, status=status, ms=round(seconds * 1000, 1)
            )


class _Reply:
    """A reply on its way out: its status is noted, headers are added.

    An object and not a closure: one that names itself is a circle, garbage that only the
    collector finds, and for that it stops everything.
    """

    __slots__ = ("_receive", "_replaced", "_request_id", "_scope", "_send", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._request_id = request_id
        self._replaced = False
        self.status = 500

    async def send(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status == TooLarge.status and _is_plain(message):
                # Starlette refuses a declared length by itself, in plain text.
                answer = problem(Request(self._scope), too_large(self._scope))
                await answer(self._scope, self._receive, self.send)
                self._replaced = True
                return
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self._request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
        await self._send(message)


def _read_head(scope: Scope) -> tuple[str, str, str]:
    """Return Host, a front proxy's request id and Accept-Language; the first of each counts."""
    host = request_id = accept_language = ""
    for name, value in reversed(scope["headers"]):
        if name == b"host":
            host = value.decode("latin-1")
        elif name == b"x-request-id":
            request_id = value.decode("latin-1")
        elif name == b"accept-language":
            accept_language = value.decode("latin-1")
    return host, request_id, accept_language


@lru_cache(maxsize=1000)
def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_plain(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/plain")
        for name, value in message["headers"]
    )


def _route_pattern(scope: Scope) -> str:
    """Return the whole pattern of the route, the prefix of its router included."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context or scope.get("route"), "path", "unmatched"))


@lru_cache(maxsize=1000)
def _instruments(method: str, pattern: str, status: int) -> tuple[Counter, Histogram]:
    return (
        requests_total.labels(method, pattern, str(status)),
        request_seconds.labels(method, pattern),
    )
