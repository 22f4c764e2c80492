"""The outermost middleware: request id, host check, CORS, HEAD, access log, metrics."""

import re
import time
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.cors import CrossOrigin
from app.api.problems import problem, too_large
from app.core import language
from app.core.errors import Busy, HostNotAllowed, Refusal, TooLarge
from app.core.ids import new_id_text
from app.core.logging import log_request
from app.core.metrics import request_seconds, requests_total

log = structlog.get_logger("app.api.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
# Probes run every few seconds and use the pod's address as the host: they are not logged and
# their host is not checked. (The ASGI path is not derived from the Host header.)
_QUIET = {"/healthz", "/readyz", "/metrics"}
# Requests in progress per process. A worker cannot answer more before clients time out:
# further requests get 503 at once instead of work whose reply nobody would receive.
MAX_IN_FLIGHT = 1_000
# In the scope of a HEAD request, which is answered as GET.
IS_HEAD = "qx.is_head"


class RequestContext:
    """The outermost ASGI layer, so that early refusals are problem replies too."""

    def __init__(
        self, app: ASGIApp, allowed_hosts: list[str], web_origins: Sequence[str] = ()
    ) -> None:
        self._origins = web_origins
        self._app = self._shared(app)
        self._in_flight = 0
        self._allowed = None if "*" in allowed_hosts else {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, method = time.perf_counter(), scope["method"]
        if method == "HEAD":
            # Answered as GET. In a copy: uvicorn leaves the body out, by the method in its own.
            scope = {**scope, "method": "GET", IS_HEAD: True}
        host, given_id, accept_language = _read_head(scope)
        request_id = given_id if _REQUEST_ID.fullmatch(given_id) else new_id_text()
        scope.setdefault("state", {})["request_id"] = request_id
        # No unbind is needed: each request runs in a task, and so a context, of its own.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        language.set_request_language(accept_language)
        reply = _Reply(scope, receive, send, request_id)
        self._in_flight += 1
        try:
            refusal = None if scope["path"] in _QUIET else self._refusal(host)
            answer = self._shared(problem(Request(scope), refusal)) if refusal else self._app
            await answer(scope, receive, reply.send)
        except Exception as error:
            # The application has already sent the 500 reply; Starlette raises the error again.
            log.exception("unhandled", error=type(error).__name__)
        finally:
            self._in_flight -= 1
            self._account(method, scope, reply.status, time.perf_counter() - started)

    def _shared(self, app: ASGIApp) -> ASGIApp:
        """Return an application, or one reply, that web pages of listed origins may read."""
        return CrossOrigin(app, self._origins) if self._origins else app

    def _refusal(self, host: str) -> Refusal | None:
        if self._in_flight > MAX_IN_FLIGHT:
            return Busy(retry_after=2)
        # Checked before other code reads the Host header (CVE-2026-48710: malformed values).
        if self._allowed is not None and _name_of(host) not in self._allowed:
            return HostNotAllowed()
        return None

    def _account(self, method: str, scope: Scope, status: int, seconds: float) -> None:
        # Log the route's pattern, not the path: paths contain ids and arbitrary input.
        pattern = _route_pattern(scope)
        method = method if method.isalpha() and len(method) < 8 else "other"
        count, clock = _instruments(method, pattern, status)
        count.inc()
        clock.observe(seconds)
        if pattern not in _QUIET:
            log_request(
                method=method,
                route=pattern,
                status=status,
                ms=round(seconds * 1000, 1),
                request_id=scope["state"]["request_id"],
            )


class _Reply:
    """Wraps ``send``: records the status, adds headers.

    A class, not a closure: a closure that refers to itself is a reference cycle, which only the
    cyclic garbage collector frees, and that pauses the process.
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
                # Starlette refuses a too large Content-Length itself, with a plain-text reply.
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
    """Return Host, X-Request-Id of a front proxy and Accept-Language; the first of each is used."""
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
    """Return the route's full pattern, including the prefix of its router."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context or scope.get("route"), "path", "unmatched"))


@lru_cache(maxsize=1000)
def _instruments(method: str, pattern: str, status: int) -> tuple[Counter, Histogram]:
    return (
        requests_total.labels(method, pattern, str(status)),
        request_seconds.labels(method, pattern),
    )
