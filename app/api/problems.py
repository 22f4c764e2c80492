"""Rendering refusals as RFC 9457 problems, in the caller's language. The only place that does."""

from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.core.errors import Language, Refusal

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:qingxiang:problem:"


class FieldProblem(BaseModel):
    """``field`` is a path such as ``body.capacity`` or ``query.limit``.

    ``row``: of which row of a batch, when it is one.
    """

    row: int | None = None
    field: str
    msg: str


class Problem(BaseModel):
    """Why the answer is no. ``code`` is stable; ``msg`` is for a person."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    msg: str
    request_id: str
    errors: list[FieldProblem] | None = None


def language_of(request: Request) -> Language:
    """Choose zh-CN unless the caller prefers English."""
    best, best_q = "zh-CN", 0.0
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            q = float(weight or 1)
        except ValueError:
            continue
        if tag[:2].lower() in ("en", "zh") and q > best_q:
            best, best_q = tag[:2].lower(), q
    return "en" if best == "en" else "zh-CN"


def problem(request: Request, refusal: Refusal) -> JSONResponse:
    """Render a refusal with its headers."""
    message = refusal.message(language_of(request))
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + refusal.code,
        "title": refusal.title,
        "status": refusal.status,
        "detail": message,
        "code": refusal.code,
        "msg": message,
        "request_id": getattr(request.state, "request_id", ""),
    }
    if refusal.fields is not None:
        body["errors"] = refusal.fields
    headers = {**getattr(request.state, "headers", {}), **refusal.headers}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, refusal.status, headers, media_type=MEDIA_TYPE)
