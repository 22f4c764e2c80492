"""The route class of every endpoint: its guard, retries, reply headers and ETags in one place."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import cached_property, partial
from typing import Any

import structlog
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.etag import Rendered, tag_of

log = structlog.get_logger(__name__)
API = "/api/v1"
MAX_ATTEMPTS = 3
REVALIDATE = "private, no-cache"
# FastAPI closes function-scoped dependencies (our transaction) with this stack.
_STACK = "fastapi_function_astack"


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Guard(ABC):
    """A dependency that looks at the request alone, before anything else does."""

    @abstractmethod
    async def __call__(self, request: Request) -> None:
        """Raise a refusal, or let the request pass."""

    def around(self, handler: Handler) -> Handler:
        """Return the handler, or one that runs it under a condition of the rule."""
        return handler


class Route(APIRoute):
    """Asks its guard; then runs a handler, its transaction included, again after a deadlock.

    FastAPI would close the transaction outside the handler, where nothing can be tried
    again. So each attempt gets a stack of its own, closed here: the commit happens before
    a reply exists. ``tests/api/test_routes.py`` fails if FastAPI renames its stack.

    The guard is declared as a dependency, and called here: FastAPI takes as long to call
    one as for a bare request, and would parse a stranger's body first.
    """

    guard: Guard | None = None

    @cached_property
    def _start(self) -> str:
        return self.path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell most other paths by how they begin; the pattern costs forty times as much.

        So a router's prefix is given when it is made, not when it is included.
        """
        if not scope["path"].startswith(self._start) and not scope.get("root_path"):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Handler:
        needed = self.dependant.dependencies
        if needed and isinstance(first := needed[0].call, Guard):
            self.guard = first
            needed.pop(0)
        guard, reads_body = self.guard, self.body_field is not None
        original = super().get_route_handler()
        if guard is not None:
            original = guard.around(original)
        # Without dependencies it opens no transaction of its own: nothing to run again.
        run = partial(_with_retries, original) if needed else original

        # A body may be too long for anybody; a larger one is not taken from everybody.
        guard_first = self.max_body_size is not None

        async def handler(request: Request) -> Response:
            if reads_body and not guard_first:
                await _read_body(request)
            if guard is not None:
                await guard(request)
            if reads_body and guard_first:
                await _read_body(request)
            response = await run(request)
            headers = getattr(request.state, "headers", {})
            response.raw_headers += [(k.lower().encode(), v.encode()) for k, v in headers.items()]
            if request.method == "GET" and response.status_code == 200:
                return _with_etag(request, response)
            return response

        return handler


class Router(APIRouter):
    """A router whose endpoints are ``Route``, below ``/api/v1`` unless told otherwise."""

    def __init__(self, *, root: str = API, prefix: str = "", **options: Any) -> None:
        super().__init__(route_class=Route, prefix=root + prefix, **options)


async def _read_body(request: Request) -> None:
    """Read the body, which FastAPI parses later. One that is too long is refused to anybody."""
    try:
        await request.body()
    except ClientDisconnect:
        raise HTTPException(400) from None


async def _with_retries(original: Handler, request: Request) -> Response:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            async with AsyncExitStack() as stack:
                request.scope[_STACK] = stack
                response = await original(request)
        except Retry as conflict:
            log.warning("transaction_retried", attempt=attempt, sqlstate=str(conflict))
        else:
            return response
    raise Busy(retry_after=1)


def conditional(request: Request, reply: Rendered) -> Response:
    """Answer with what was rendered, or 304 when the caller has it."""
    tag = f'"{reply.tag}"'
    headers = {"ETag": tag, "Cache-Control": REVALIDATE}
    if reply.body is None or _has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(reply.body, headers=headers, media_type="application/json")


def known_tag(request: Request) -> str | None:
    """Return the tag of what the caller has, if it is exactly one."""
    known = request.headers.get("if-none-match", "").removeprefix("W/")
    quoted = len(known) > 2 and known[0] == known[-1] == '"' and known.count('"') == 2
    return known[1:-1] if quoted else None


def _has(request: Request, tag: str) -> bool:
    """Whether the caller has what the tag names; ``*`` is any (RFC 9110, 13.1.2)."""
    known = request.headers.get("if-none-match", "")
    return known == "*" or tag in known


def _with_etag(request: Request, response: Response) -> Response:
    """Tag the body; answer 304 when the caller has this very one already."""
    if "etag" in response.headers or response.headers.get("cache-control") == "no-store":
        return response
    body = getattr(response, "body", None)
    if body is None:
        return response
    response.headers["ETag"] = f'"{tag_of(bytes(body))}"'
    response.headers.setdefault("Cache-Control", REVALIDATE)
    if _has(request, response.headers["etag"]):
        kept = {k: v for k, v in response.headers.items() if not k.startswith("content-")}
        return Response(status_code=304, headers=kept)
    return response
