"""Rendering refusals as RFC 9457 problems, in the caller's language. The only place that does."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_jsonable_python
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from app.core.errors import Refusal, TooLarge
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


class Facts(BaseModel):
    """When, how many, which. Which facts a refusal may have its ``code`` tells; see `x-facts`."""

    model_config = ConfigDict(extra="allow")

    limit: int | None = Field(None, description="The most that is allowed.")
    measure: str | None = Field(None, description="What `limit` counts: `rows`, `bytes`, …")
    window: int | None = Field(None, description="Seconds in which `limit` requests may be made.")
    retry_after: int | None = Field(None, description="Seconds after which to try again.")
    used: int | None = Field(None, description="How much of `limit` is used up.")
    period_start: datetime | None = Field(
        None, description="Since when `used` counts; null: since ever."
    )
    needed: int | str | None = Field(None, description="Points, or the key of a tier.")
    available: int | None = Field(None, description="Points that the caller can spend.")
    tier: str | None = Field(None, description="The key of the caller's tier.")
    stock_left: int | None = Field(None, description="Pieces that are left in this period.")
    status: str | None = Field(None, description="The state that the thing has.")
    opens_at: datetime | None = Field(None, description="From when on it is possible.")
    closes_at: datetime | None = Field(None, description="Until when it is, or was, possible.")
    starts_at: datetime | None = Field(None, description="When the activity begins.")
    ends_at: datetime | None = Field(None, description="When the activity is over.")
    expires_at: datetime | None = Field(None, description="When the reservation ends, or ended.")
    refunded_at: datetime | None = Field(None, description="When the charge was given back.")
    used_at: datetime | None = Field(None, description="When the key was used first.")
    day: date | None = Field(None, description="The day in question, in Asia/Shanghai.")
    proposed: int | None = Field(None, description="Rows without a mistake.")
    refused: int | None = Field(None, description="Rows with a mistake.")


class Problem(BaseModel):
    """Why the answer is no. ``code`` is stable; ``msg`` is for a person.

    ``facts`` let a screen say when, how many, which.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    msg: str
    request_id: str
    errors: list[FieldProblem] | None = None
    facts: Facts | None = None


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
    facts = dict(refusal.facts)
    if refusal.retry_after is not None:  # a mini-program cannot rely on the case of headers
        facts["retry_after"] = refusal.retry_after
    if facts:
        body["facts"] = to_jsonable_python(facts)
    headers = {**getattr(request.state, "headers", {}), **refusal.headers}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, refusal.status, headers, media_type=MEDIA_TYPE)


def too_large(scope: Scope) -> TooLarge:
    """Refuse a body, saying how long one may be where that is known."""
    limit = scope.get(MAX_BODY_SIZE_SCOPE_KEY)
    return TooLarge() if limit is None else TooLarge(limit=limit, measure="bytes")


def _worded(field: Mapping[str, Any], language: Language) -> dict[str, Any]:
    return {
        name: value.said(language) if isinstance(value, Bilingual) else value
        for name, value in field.items()
    }
