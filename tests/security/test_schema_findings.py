"""The negative control of test_schema.py: an application with flaws, and each is found."""

import asyncio
import json

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.access import PROBE, allow
from app.api.middleware import RequestContext
from app.api.openapi import document
from app.api.problems import MEDIA_TYPE, problem
from app.api.routes import Router
from app.core.errors import Internal, Invalid, MethodNotAllowed, Refusal
from app.routers.health import Alive
from tests.security.schema_runs import Amount, run
from tests.security.schema_world import World

WHOLE = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FOUND = {
    "/crashes": "not_a_server_error",
    "/surprises": "status_code_conformance",
    "/misshapes": "response_schema_conformance",
    "/mistypes": "content_type_conformance",
    "/refuses-plainly": "refusal_is_a_problem",
    "/refuses-what-is-valid": "positive_data_acceptance",
    "/takes-anything": "negative_data_rejection",
    "/forgets-the-key": "missing_required_header",
}
router = Router(root="")


@router.get("/sound", operation_id="sound", **allow(PROBE))
async def sound() -> Alive:
    return Alive()


@router.get("/crashes", operation_id="crashes", **allow(PROBE))
async def crashes() -> Alive:
    raise Internal


@router.get("/surprises", operation_id="surprises", **allow(PROBE))
async def surprises() -> Response:
    return Response(b"{}", 202, media_type="application/json")


@router.get("/misshapes", operation_id="misshapes", response_model=Alive, **allow(PROBE))
async def misshapes() -> Response:
    return Response(b'{"status": 1}', media_type="application/json")


@router.get("/mistypes", operation_id="mistypes", response_model=Alive, **allow(PROBE))
async def mistypes() -> Response:
    return Response(b'{"status": "ok"}', media_type="text/html")


@router.get("/refuses-plainly", operation_id="refusesPlainly", **allow(PROBE))
async def refuses_plainly() -> Response:
    return Response(json.dumps({"detail": "no"}), 422, media_type=MEDIA_TYPE)


@router.get("/refuses-what-is-valid", operation_id="refusesWhatIsValid", **allow(PROBE))
async def refuses_what_is_valid(n: int = 0) -> Alive:
    raise Invalid(fields=[{"field": "query.n", "msg": "no"}])


@router.get("/forgets-the-key", operation_id="forgetsTheKey", **allow(PROBE, once_in_batch=True))
async def forgets_the_key() -> Alive:
    return Alive()


TAKES = allow(PROBE)
BODY = {"required": True, "content": {"application/json": {"schema": WHOLE}}}
TAKES["openapi_extra"] |= {"requestBody": BODY}


@router.post("/takes-anything", operation_id="takesAnything", **TAKES)
async def takes_anything() -> Alive:
    return Alive()


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return problem(request, MethodNotAllowed(headers=dict(error.headers or {})))
    return problem(request, error if isinstance(error, Refusal) else Invalid())


async def _refuse_silently(request: Request, error: Exception) -> Response:
    return problem(request, MethodNotAllowed())


def flawed() -> FastAPI:
    """An application that is sound around its routes."""
    app = FastAPI()
    app.include_router(router)
    app.add_middleware(RequestContext, allowed_hosts=["*"])
    for error in (Refusal, RequestValidationError, HTTPException):
        app.add_exception_handler(error, _refuse)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


async def examine(app: FastAPI) -> dict[str, set[str]]:
    """Return the checks that failed, by path."""
    world = World(headers={}, known={"org_id": ["1"]})
    report = await asyncio.to_thread(run, app, world, [Amount(examples=3, scenarios=1)])
    failed: dict[str, set[str]] = {}
    for finding in report.findings:
        failed.setdefault(str(finding.operation).partition(" ")[2], set()).add(finding.check)
    return failed


async def test_every_flaw_of_a_route_is_found() -> None:
    failed = await examine(flawed())
    assert "/sound" not in failed, failed
    assert {path: check for path, check in FOUND.items() if check not in failed.get(path, ())} == {}


async def test_flaws_around_the_routes_are_found() -> None:
    app = flawed()
    app.user_middleware.clear()
    app.add_exception_handler(HTTPException, _refuse_silently)
    failed = await examine(app)
    assert {"response_headers_conformance", "unsupported_method"} <= failed["/sound"], failed
