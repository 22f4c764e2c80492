"""The application factory: routers, error handlers, middleware, lifespan."""

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from app import routers, web
from app.api import pages
from app.api.access import ANYONE, require_access_rules
from app.api.bodies import DuplicateKey
from app.api.direct import DirectRoutes
from app.api.middleware import RequestContext
from app.api.openapi import described, document
from app.api.own_writes import OwnWrites
from app.api.problems import problem, too_large
from app.api.routes import Route, Router
from app.core.discovery import declared
from app.core.errors import (
    Internal,
    Invalid,
    Malformed,
    MethodNotAllowed,
    Refusal,
    TooLarge,
    UnknownRoute,
)
from app.core.language import Bilingual
from app.core.logging import configure_logging
from app.core.parent_watch import watch_parent
from app.core.settings import Settings, get_settings
from app.core.validation_messages import explained
from app.jobs.worker import jobs
from app.runtime import open_runtime
from app.web import errors

log = structlog.get_logger(__name__)
MAX_BODY_BYTES = 64 * 1024
# FastAPI's telemetry would record bodies and error messages, which contain secrets.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
# Matched first: the routes with the most requests. The other routers follow by name.
CROWDED = ("checkins", "signups", "activities", "ledger", "counters", "leaderboards", "cards")
_BY_STATUS: dict[int, type[Refusal]] = {
    400: Malformed,
    404: UnknownRoute,
    405: MethodNotAllowed,
    413: TooLarge,
}


def discovered_routers() -> list[Router]:
    """Return the ``router`` of every module of ``app.routers``, in the order of matching."""
    names = {module.name for module in iter_modules(routers.__path__)}
    ordered = [*CROWDED, *sorted(names - {*CROWDED})]
    return [import_module(f"{routers.__name__}.{name}").router for name in ordered]


def discovered_pages() -> list[Router]:
    """Return the ``router`` of every module of ``app.web``."""
    return list(declared(web, "router"))


class Application(FastAPI):
    """FastAPI wrapped in DirectRoutes and RequestContext, outside of all other middleware."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings

    def build_middleware_stack(self) -> ASGIApp:
        stack, settings = DirectRoutes(self, super().build_middleware_stack()), self._settings
        context = RequestContext(stack, settings.allowed_hosts, settings.web_origins)
        return OwnWrites(context) if settings.database_read_urls else context


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application. Raises AccessRuleUndeclared for a route without an access rule."""
    settings = settings or get_settings()
    app = Application(
        settings,
        title="青享 Qingxiang",
        version="0.1.0",
        description="社区青年参与平台：报名、签到、青年积分、青享卡、兑换。",
        lifespan=_lifespan(settings),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        openapi_url=None,
        max_body_size=MAX_BODY_BYTES,
        telemetry=NO_TELEMETRY,
        redirect_slashes=False,
    )
    app.openapi_tags = [tag for router in discovered_routers() for tag in described(router)]
    for router in (*discovered_routers(), *discovered_pages()):
        # Not include_router: each inclusion matches a request twice more and wraps it again.
        app.router.routes.extend(router.routes)
    app.state.job_intervals = {job.name: job.every for job in jobs()}
    _document(app)
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(DuplicateKey, _on_duplicate_key)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_failure)
    require_access_rules(app)
    return app


def _document(app: FastAPI) -> None:
    """Serve the OpenAPI document and its pages: public and rate-limited."""
    app.openapi_url = "/openapi.json"
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    app.router.route_class = Route
    app.router.dependencies.append(Depends(ANYONE))

    pages.add(app)


def _lifespan(settings: Settings) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logging(settings.log_level, settings.log_format)
        async with AsyncExitStack() as stack:
            stack.enter_context(watch_parent())
            runtime = await stack.enter_async_context(open_runtime(settings))
            if runtime.sandbox is not None:
                app.mount("/sandbox/wechat", runtime.sandbox)
            app.state.runtime = runtime
            await stack.enter_async_context(runtime.replicas.watched())
            gc.collect()
            gc.freeze()  # what lives as long as the process is not looked at again
            log.info("ready", env=settings.env, wechat=settings.wechat)
            yield

    return lifespan


def _refused(request: Request, refusal: Refusal) -> Response:
    """Render a refusal: as a page for people, as a problem for programs."""
    if errors.wants_page(request):
        return errors.refused(request, refusal)
    return problem(request, refusal)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _refused(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    """List the invalid fields, without the values sent: they may contain secrets."""
    assert isinstance(error, RequestValidationError)
    fields: list[dict[str, str | Bilingual]] = [
        {"field": ".".join(str(part) for part in item["loc"])[:200], "msg": explained(item)}
        for item in error.errors()[:50]
    ]
    return _refused(request, Invalid(fields=fields))


async def _on_duplicate_key(request: Request, error: Exception) -> Response:
    assert isinstance(error, DuplicateKey)
    return problem(request, error.refusal)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = _BY_STATUS.get(error.status_code, Malformed)
    if error.status_code == 405 and _is_plain_options(request):
        return Response(status_code=204, headers={"Allow": _allow(request)})
    too_long = refusal is TooLarge
    response = _refused(request, too_large(request.scope) if too_long else refusal())
    if error.status_code == 405:
        response.headers["Allow"] = _allow(request)
    return response


def _is_plain_options(request: Request) -> bool:
    """Whether a request asks for the methods of a path, and is no preflight of a web page."""
    return request.method == "OPTIONS" and "access-control-request-method" not in request.headers


def _allow(request: Request) -> str:
    """Return the methods of every route with this path; Starlette names only the first route's.

    Of ``/charges/preview`` and ``/charges/{id}`` the path without parameters is meant.
    """
    routes = [
        route
        for route in iter_route_contexts(request.app.routes)
        if (pattern := getattr(route, "path_regex", None)) and pattern.match(request.scope["path"])
    ]
    parameters = [(route.path or "").count("{") for route in routes]
    found = {
        method
        for route, count in zip(routes, parameters, strict=True)
        if count == min(parameters)
        for method in route.methods or ()
    }
    found |= {"HEAD", "OPTIONS"} if "GET" in found else {"OPTIONS"}  # HEAD: see RequestContext
    return ", ".join(sorted(found))


async def _on_failure(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Reply without details of the error; the log has them under the request id."""
    return _refused(request, Internal())
