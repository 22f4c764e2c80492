"""Around every request: an id, the host check, the access log and the metrics."""

import re
import time
from functools import lru_cache
from urllib.parse import urlsplit

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Busy, HostNotAllowed, Refusal, TooLarge
from app.core.ids import new_id
from app.core.metrics import request_seconds, requests_total
from app.core.problems import problem

log = structlog.get_logger("app.access")
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
        request = Request(scope)
        request_id = _request_id(request)
        request.state.request_id = request_id
        status = 500
        started = time.perf_counter()

        replaced = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, replaced
            if replaced:
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == TooLarge.status and _is_plain(message):
                    # Starlette refuses a declared length by itself, in plain text.
                    await problem(request, TooLarge())(scope, receive, send_with_id)
                    replaced = True
                    return
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                self._in_flight += 1
                refusal = None if scope["path"] in _QUIET else self._refusal(request)
                answer = problem(request, refusal) if refusal else self._app
                await answer(scope, receive, send_with_id)
            except Exception as error:
                # The application has answered 500 by now; Starlette raises it once more.
                log.exception("unhandled", error=type(error).__name__)
            finally:
                self._in_flight -= 1
                _account(scope, status, time.perf_counter() - started)

    def _refusal(self, request: Request) -> Refusal | None:
        if self._in_flight > MAX_IN_FLIGHT:
            return Busy(retry_after=2)
        return None if self._host_is_fine(request) else HostNotAllowed()

    def _host_is_fine(self, request: Request) -> bool:
        """Refuse foreign and malformed Host headers (CVE-2026-48710) before anything reads them."""
        if self._allowed is None:
            return True
        try:
            name = urlsplit(f"//{request.headers.get('host', '')}").hostname
        except ValueError:
            return False
        return name in self._allowed


def _is_plain(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/plain")
        for name, value in message["headers"]
    )


def _request_id(request: Request) -> str:
    """Keep the id that a front proxy gave, if it looks like one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else str(new_id())


def _route_pattern(scope: Scope) -> str:
    """Return the whole pattern of the route, the prefix of its router included."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context or scope.get("route"), "path", "unmatched"))


def _account(scope: Scope, status: int, seconds: float) -> None:
    # The route's pattern, never the path: a path holds ids and whatever a stranger typed.
    pattern = _route_pattern(scope)
    method = scope["method"] if scope["method"].isalpha() and len(scope["method"]) < 8 else "other"
    count, clock = _instruments(method, pattern, status)
    count.inc()
    clock.observe(seconds)
    if pattern not in _QUIET:
        log.info(
            "request", method=method, route=pattern, status=status, ms=round(seconds * 1000, 1)
        )


@lru_cache(maxsize=1000)
def _instruments(method: str, pattern: str, status: int) -> tuple[Counter, Histogram]:
    return (
        requests_total.labels(method, pattern, str(status)),
        request_seconds.labels(method, pattern),
    )
