"""Rendering refusals as RFC 9457 problems, in the caller's language. The only place that does."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.core.errors import Refusal
from app.core.language import Bilingual, Language, preferred

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
    """Why the answer is no. ``code`` is stable; ``msg`` is for a person.

    ``facts`` let a screen say when, how many, which: ``limit``, ``used``, ``available``,
    ``opens_at``, ``closes_at``, ``status``.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    msg: str
    request_id: str
    errors: list[FieldProblem] | None = None
    facts: dict[str, str | int | bool | None] | None = None


def language_of(request: Request) -> Language:
    return preferred(request.headers.get("accept-language", ""))


def problem(request: Request, refusal: Refusal) -> JSONResponse:
    """Render a refusal with its headers."""
    language = language_of(request)
    message = refusal.message(language)
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
        body["errors"] = [_worded(one, language) for one in refusal.fields]
    if refusal.facts:
        body["facts"] = to_jsonable_python(refusal.facts)
    headers = {**getattr(request.state, "headers", {}), **refusal.headers}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, refusal.status, headers, media_type=MEDIA_TYPE)


def _worded(field: Mapping[str, Any], language: Language) -> dict[str, Any]:
    return {
        name: value.said(language) if isinstance(value, Bilingual) else value
        for name, value in field.items()
    }
