"""Direct routes: a plan answers a plain request without FastAPI's layers.

A route declared with ``@direct`` remains FastAPI's: in the OpenAPI document, in the table of
access rules, and for every request that is not plain. A request is plain if its body is short
JSON in one piece and all its values are valid. Whether it is plain is decided before anything is
counted or claimed; one that is not plain goes to FastAPI with the body that was received.

A plan is made from FastAPI's route object, and only if everything in it is understood here: see
``_unknown``. It shares guard, retries, headers and ETag with ``Route``, and fields, error handlers
and serialization with FastAPI. Decision 0024 has the reasons.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import fields
from inspect import iscoroutinefunction
from typing import Any, cast

import structlog
from fastapi import FastAPI
from fastapi._compat import (
    ModelField,
    field_annotation_is_scalar,
    field_annotation_is_scalar_sequence,
)
from fastapi.dependencies.models import Dependant
from fastapi.params import Body
from fastapi.routing import APIRoute, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.bodies import DuplicateKey, StrictRequest, parsed
from app.api.operations import additions_of
from app.api.routes import Route

log = structlog.get_logger(__name__)
# Bytes. A plain body is parsed before the access rule has counted the request, so it is short.
MAX_PLAIN_BODY = 4096
JSON = (b"application/json", b"application/json; charset=utf-8")
ABSENT = object()
NO_BODY: Message = {"type": "http.request", "body": b"", "more_body": False}

# The attributes that a plan implements, or that do not change a reply. All others must be empty
# in a Dependant, and in a route as FastAPI sets them by default. So an attribute that a later
# FastAPI adds costs a route its plan once it is used, and is not ignored.
OF_HANDLER = {
    *("call", "path", "scope", "use_cache", "dependencies", "request_param_name"),
    *("path_params", "query_params", "body_params", "response_param_name"),
}
OF_DEPENDENCY = {"call", "name", "path", "use_cache", "request_param_name"}
OF_ROUTE = {
    *("path", "path_format", "path_regex", "param_convertors", "methods", "_start"),
    *("app", "endpoint", "guard", "dependant", "dependencies", "body_field"),
    *("status_code", "response_model", "response_field"),
    # Documentation:
    *("name", "operation_id", "unique_id", "summary", "description", "tags", "responses"),
    "openapi_extra",
}
DEFAULTS = vars(APIRoute("/", lambda: None))


class NotPlain(Exception):
    """A request is for FastAPI."""


class PlainRequest(StrictRequest):
    """A request with the valid arguments of its handler."""

    arguments: dict[str, Any]


class Plan:
    """What FastAPI does for a plain request of one route. See ``plans_of``."""

    def __init__(self, route: Route) -> None:
        self.route, self._wanted = route, cast("Any", route.dependant)
        self.reads_body = bool(route.dependant.body_params)
        self.answer = route.answering(self._call)
        self._defaults = {
            one.name: one.get_default()
            for one in _parameters(route.dependant)
            if not one.field_info.is_required()
        }
        self._lists = {one.name for one in route.dependant.query_params if _is_list(one)}

    def may_be_plain(self, scope: Scope) -> bool:
        """Tell before a body is received: FastAPI refuses a too large one without receiving it."""
        headers = dict(reversed(scope["headers"]))  # of one that is repeated the first counts
        length = headers.get(b"content-length", b"0")
        if not self.reads_body:
            return bool(length == b"0")
        is_short = len(length) <= len(str(MAX_PLAIN_BODY)) and length.isdigit()
        return is_short and headers.get(b"content-type", JSON[0]) in JSON

    def set_arguments(
        self, request: PlainRequest, message: Message, path_params: Mapping[str, Any]
    ) -> None:
        """Validate path, query and body, the first message of which is given. Raises NotPlain."""
        wanted, body = self._wanted, message.get("body", b"")
        if message["type"] != "http.request" or message.get("more_body"):
            raise NotPlain
        if len(body) > MAX_PLAIN_BODY or (body and "content-type" not in request.headers):
            raise NotPlain
        try:
            content = {one.alias: parsed(body) for one in wanted.body_params} if body else {}
        except (ValueError, RecursionError, DuplicateKey):
            raise NotPlain from None
        request.arguments = {
            **self._valid(wanted.path_params, path_params),
            **self._valid(wanted.query_params, request.query_params),
            **self._valid(wanted.body_params, content),
        }

    def _valid(self, parameters: list[ModelField], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of parameters, of which one that is repeated counts last."""
        found: dict[str, Any] = {}
        for one in parameters:
            value = given.get(one.alias, ABSENT)
            if value is ABSENT and one.name in self._defaults:
                found[one.name] = self._defaults[one.name]
            elif value is ABSENT or one.name in self._lists:
                raise NotPlain
            else:
                found[one.name], errors = one.validate(value, {})
                if errors:
                    raise NotPlain
        return found

    async def _call(self, request: Request) -> Response:
        """Call the dependencies and the handler; serialize what it returns."""
        assert isinstance(request, PlainRequest)
        wanted, arguments = self._wanted, dict(request.arguments)
        for one in wanted.dependencies:
            arguments[one.name] = await one.call(**{one.request_param_name: request})
        if wanted.request_param_name:
            arguments[wanted.request_param_name] = request
        # A handler may set a status and headers on the response that it gets; 0: not set.
        changes = None
        if wanted.response_param_name:
            changes = arguments[wanted.response_param_name] = Response(status_code=0)
        result = await wanted.call(**arguments)
        if isinstance(result, Response):
            return result
        content = await serialize_response(
            field=self.route.response_field, response_content=result, dump_json=True
        )
        status = (changes and changes.status_code) or self.route.status_code or 200
        response = Response(content, status, media_type="application/json")
        if not is_body_allowed_for_status_code(status):
            response.body = b""
        if changes is not None:
            response.raw_headers.extend(changes.raw_headers)
        return response


class DirectRoutes:
    """The ASGI layer around FastAPI's own that answers the plain requests of direct routes."""

    def __init__(self, app: FastAPI, ordinary: ASGIApp) -> None:
        self._app, self._ordinary = app, ordinary
        # Other middleware is part of ``ordinary``, and a plan does not know it.
        plans = [] if app.user_middleware else [*plans_of(app.router.routes)]
        self._by_path: dict[tuple[str, str], list[Plan]] = {}
        self._patterned: defaultdict[str, list[Plan]] = defaultdict(list)
        for plan in plans:
            for method in plan.route.methods or ():
                if plan.route.param_convertors:
                    self._patterned[method].append(plan)
                else:
                    self._by_path[method, plan.route.path] = [plan]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plan, matched = self._find(scope)
        if plan is None or not plan.may_be_plain(scope):
            await self._ordinary(scope, receive, send)
            return
        message = NO_BODY
        if plan.reads_body:
            message = await receive()
            receive = _again(message, receive)
        request = PlainRequest(scope, receive)
        try:
            plan.set_arguments(request, message, matched["path_params"])
        except NotPlain:
            await self._ordinary(scope, receive, send)
            return
        scope.update(matched)
        try:
            response = await plan.answer(request)
        except Exception as error:
            handlers: Mapping[Any, Any] = self._app.exception_handlers
            kind = next(one for one in type(error).__mro__ if one in handlers)
            response = await handlers[kind](request, error)
            await response(scope, receive, send)
            if kind is Exception:  # a failure: RequestContext logs it
                raise
        else:
            await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Plan | None, Scope]:
        """Return the plan of a request, and what its route adds to the scope."""
        if scope["type"] == "http":
            method, path = scope["method"], scope["path"]
            for plan in self._by_path.get((method, path)) or self._patterned.get(method, []):
                match, matched = plan.route.matches(scope)
                if match is Match.FULL:
                    return plan, matched
        return None, {}


def plans_of(routes: Sequence[BaseRoute]) -> Iterator[Plan]:
    """Yield a plan of each direct route, except those that FastAPI alone can answer."""
    for place, route in enumerate(routes):
        if isinstance(route, Route) and additions_of(route.endpoint).direct:
            unknown = {*_unknown(route), *_in_front(route, routes[:place])}
            if unknown:
                log.warning("route_not_direct", route=route.path, reason=sorted(unknown))
            else:
                yield Plan(route)


def _in_front(route: Route, earlier: Sequence[BaseRoute]) -> Iterator[str]:
    """Yield the earlier routes that may match a request of this one."""
    for one in earlier:
        if not isinstance(one, Route):
            yield repr(one)
        elif {*(one.methods or ())} & {*(route.methods or ())} and _overlap(one.path, route.path):
            yield one.path


def _overlap(one: str, other: str) -> bool:
    """Whether a path may match both patterns: a parameter may match any segment, or a part."""
    if ":" in one + other:  # a convertor that may match more than a segment
        return True
    segments, others = one.split("/"), other.split("/")
    return len(segments) == len(others) and all(
        a == b or "{" in a + b for a, b in zip(segments, others, strict=True)
    )


def _unknown(route: Route) -> Iterator[str]:
    """Yield what a plan of this route would not do as FastAPI does."""
    handler = route.dependant
    for name in vars(route).keys() - OF_ROUTE:
        if (getattr(route, name) or None) != (DEFAULTS.get(name) or None):
            yield name
    yield from _filled(handler, OF_HANDLER)
    for one in handler.dependencies:
        yield from _filled(one, OF_DEPENDENCY)
        if not (one.name and one.request_param_name):
            yield "dependencies"
    calls = [one.call for one in (handler, *handler.dependencies)]
    if len(set(calls)) < len(calls) or not all(map(iscoroutinefunction, calls)):
        yield "call"
    for parameter in _parameters(handler):
        info = parameter.field_info
        is_immutable = isinstance(parameter.get_default(), Hashable)
        if not is_immutable or info.validate_default or info.validation_alias:
            yield parameter.name
    yield from (one.name for one in handler.query_params if not (_is_scalar(one) or _is_list(one)))
    if len(handler.body_params) > 1 or any(
        type(one.field_info) is not Body for one in handler.body_params
    ):
        yield "body_params"


def _filled(dependant: Dependant, understood: set[str]) -> Iterator[str]:
    names = {field.name for field in fields(dependant)} - understood
    return (name for name in names if getattr(dependant, name))


def _parameters(handler: Dependant) -> list[ModelField]:
    return handler.path_params + handler.query_params + handler.body_params


def _is_scalar(parameter: ModelField) -> bool:
    return field_annotation_is_scalar(parameter.field_info.annotation)


def _is_list(parameter: ModelField) -> bool:
    return field_annotation_is_scalar_sequence(parameter.field_info.annotation)


def _again(message: Message, receive: Receive) -> Receive:
    """Return a ``receive`` that returns a message that was received before, then all others."""
    received = [message]

    async def receive_again() -> Message:
        return received.pop() if received else await receive()

    return receive_again
