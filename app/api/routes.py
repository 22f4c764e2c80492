"""The route class of every endpoint: access rule, retries, reply headers and ETags."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Set
from contextlib import AsyncExitStack
from functools import cached_property, partial
from typing import Any

import structlog
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from app.api import documents
from app.api.bodies import Fields, StrictRequest
from app.api.operations import additions_of
from app.api.problems import ACCEPT_LANGUAGE, NO_STORE
from app.core.db_errors import Retry
from app.core.errors import Busy, Malformed
from app.core.etag import TaggedBody, tag_of
from app.core.language import Bilingual
from app.core.validation_messages import invalid

log = structlog.get_logger(__name__)
API = "/api/v1"
MAX_ATTEMPTS = 3
MAX_NAME = 40  # characters of an unknown parameter that are repeated
NO_CONTENT = 204  # FastAPI and a replay of a reply would give it the content type of JSON
ANY_TAG = "*"
REVALIDATE = "private, no-cache"
_OF_EVERY_READ = [(b"cache-control", REVALIDATE.encode()), (b"vary", ACCEPT_LANGUAGE.encode())]
_UTF_8 = (b"utf-8", b"utf8")
# The key of FastAPI's exit stack for function-scoped dependencies (the transaction).
_STACK = "fastapi_function_astack"


Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Look = Callable[[Request, Fields], Coroutine[Any, Any, None]]


class Guard(ABC):
    """A dependency that runs before the body is parsed and before all other dependencies."""

    @abstractmethod
    async def __call__(self, request: Request) -> None:
        """Raise a refusal if the request is not allowed."""

    def around(self, handler: Handler) -> Handler:
        """Return the handler, or a wrapper that adds a condition of the access rule."""
        return handler

    # Called with the first fields of a large form, before the rest of it is read.
    look: Look | None = None


class Route(APIRoute):
    """Calls the guard; then runs the handler and its transaction, again after a deadlock.

    FastAPI closes the transaction outside the handler, where a retry is not possible. So each
    attempt has its own exit stack, closed here: the commit happens before a reply exists.
    ``tests/api/test_routes.py`` fails if FastAPI renames the stack.

    The guard is declared as a dependency but called here: FastAPI takes as long to call one
    dependency as for a bare request, and parses the body before it calls any.
    """

    guard: Guard | None = None

    @cached_property
    def _start(self) -> str:
        return self.path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Compare the literal prefix first: matching the pattern takes forty times as long.

        So a router's prefix must be given to its constructor, not to include_router.
        """
        if not scope["path"].startswith(self._start) and not scope.get("root_path"):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Handler:
        needed = self.dependant.dependencies
        if needed and isinstance(first := needed[0].call, Guard):
            self.guard = first
            needed.pop(0)
        ordinary = self.answering(super().get_route_handler())
        if self.body_field is None:
            return ordinary

        async def handler(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            if self.max_body_size is None:
                await _read_body(strict)
            return await ordinary(strict)

        return handler

    def answering(self, solve: Handler) -> Handler:
        """Return what ``solve`` does after the guard, retried, with headers and ETag."""
        guard = self.guard
        run = solve if guard is None else guard.around(solve)
        # A route without dependencies has no transaction to retry.
        if self.dependant.dependencies:
            run = partial(_with_retries, run)
        additions, known = additions_of(self.endpoint), frozenset(_query_names(self.dependant))
        document = additions.document
        if document is not None:
            assert self.max_body_size is not None, "a document has a limit of its own"
            run = partial(_with_document, run, document.field)
        # A route with its own, larger body limit reads the body only after the access check.
        if self.body_field is not None and self.max_body_size is not None:
            run = partial(_after_body, run, guard.look if guard is not None else None)
        no_store = additions.no_store
        takes_any = additions.any_query or not self.path.startswith(API)

        async def handler(request: Request) -> Response:
            if guard is not None:
                await guard(request)
            by_text = document is not None and documents.is_text(request)
            if request.scope["query_string"] and not takes_any and not by_text:
                require_known(request.query_params.keys(), known)
            response = await run(request)
            if response.status_code == NO_CONTENT:
                del response.headers["content-type"]
            headers = getattr(request.state, "headers", {})
            response.raw_headers += [(k.lower().encode(), v.encode()) for k, v in headers.items()]
            if no_store:
                response.headers["Cache-Control"] = NO_STORE
            if request.method == "GET" and response.status_code == 200:
                return _with_etag(request, response)
            return response

        return handler


class Router(APIRouter):
    """A router of ``Route`` endpoints, below ``/api/v1`` by default.

    ``about`` describes its tag in the OpenAPI document.
    """

    def __init__(
        self,
        *,
        root: str = API,
        prefix: str = "",
        about: Bilingual | None = None,
        **options: Any,
    ) -> None:
        super().__init__(route_class=Route, prefix=root + prefix, **options)
        self.about = about


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Yield the query parameters of a route, those of its dependencies too."""
    yield from (one.alias for one in dependant.query_params)
    for one in dependant.dependencies:
        yield from _query_names(one)


def require_known(given: Set[str], known: Set[str]) -> None:
    """Raise Invalid for a query parameter that the route does not have.

    Ignored, a misspelt filter would return everything.
    """
    if not given <= known:
        name = min(given - known)[:MAX_NAME]
        raise invalid(f"query.{name}", "没有这个参数", "there is no such parameter")


async def _read_body(request: StrictRequest, look: Look | None = None) -> None:
    """Read and cache the body before FastAPI parses it; raises the size limit's 413 here.

    ``look`` may raise a refusal before the file of a large form is read.
    Raises Malformed for a form that is not UTF-8: another codec could decode to half of a
    surrogate pair, or fail otherwise than Starlette expects.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    is_form = media_type == b"multipart/form-data"
    if is_form and options.get(b"charset", b"utf-8").lower() not in _UTF_8:
        raise Malformed
    try:
        await request.read(partial(look, request) if look is not None else None)
    except ClientDisconnect:
        raise HTTPException(400) from None


async def _after_body(original: Handler, look: Look | None, request: Request) -> Response:
    assert isinstance(request, StrictRequest)
    await _read_body(request, look)
    return await original(request)


async def _with_document(original: Handler, field: str, request: Request) -> Response:
    assert isinstance(request, StrictRequest)
    return await original(await documents.as_json(request, field))


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


def conditional(request: Request, reply: TaggedBody) -> Response:
    """Return the rendered reply, or 304 if the caller's ETag matches."""
    tag = f'"{reply.tag}"'
    if reply.body is None or has_tag(request, tag):
        response = Response(status_code=304)
    else:
        response = Response(reply.body, media_type="application/json")
    # As bytes: Starlette takes longer to encode a header than to send it.
    response.raw_headers += [(b"etag", tag.encode()), *_OF_EVERY_READ]
    return response


def known_tag(request: Request) -> str | None:
    """Return the tag of If-None-Match, if it holds exactly one, or ANY_TAG."""
    if request.headers.get("if-none-match") == ANY_TAG:
        return ANY_TAG
    known = request.headers.get("if-none-match", "").removeprefix("W/")
    quoted = len(known) > 2 and known[0] == known[-1] == '"' and known.count('"') == 2
    return known[1:-1] if quoted else None


def has_tag(request: Request, tag: str) -> bool:
    """Whether If-None-Match holds the tag; ``*`` matches any (RFC 9110, 13.1.2)."""
    known = request.headers.get("if-none-match", "")
    return known == ANY_TAG or tag in known


def _with_etag(request: Request, response: Response) -> Response:
    """Add an ETag of the body; return 304 if the caller's matches. JSON may hold words."""
    if "etag" in response.headers or response.headers.get("cache-control") == NO_STORE:
        return response
    body = getattr(response, "body", None)
    if body is None:
        return response
    response.headers["ETag"] = f'"{tag_of(bytes(body))}"'
    response.headers.setdefault("Cache-Control", REVALIDATE)
    if response.media_type == JSONResponse.media_type:
        response.headers["Vary"] = ACCEPT_LANGUAGE
    if has_tag(request, response.headers["etag"]):
        kept = {k: v for k, v in response.headers.items() if not k.startswith("content-")}
        return Response(status_code=304, headers=kept)
    return response
