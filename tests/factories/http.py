"""Calling the API in tests."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, lru_cache
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from app.api.access import routes_with_access_rules
from app.api.problems import MEDIA_TYPE
from app.api.refusals import catalogue
from tests.factories.people import TestPerson

# Of requests that reach no operation, and of failures.
OF_NO_OPERATION = {"request.host_not_allowed", "request.unknown_route", "service.internal"}


@asynccontextmanager
async def in_process(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of an application without a socket. Its failures are replies, with 500."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def check(response: httpx.Response) -> None:
        await require_documented(app, response)

    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", event_hooks={"response": [check]}
    ) as client:
        yield client


@lru_cache(maxsize=4)  # of few applications: one that is kept keeps its connections
def documented_codes(app: FastAPI) -> dict[str, list[tuple[re.Pattern[str], str, set[str]]]]:
    """Return, by method, the pattern, path and documented codes of each route, in their order."""
    found: dict[str, list[tuple[re.Pattern[str], str, set[str]]]] = {}
    for route, rule in routes_with_access_rules(app):
        pattern = getattr(route, "path_regex", None)
        if rule is not None and pattern is not None:
            codes = {one.code for one in rule.answers}
            for method in route.methods or ():
                found.setdefault(method, []).append((pattern, str(route.path), codes))
    return found


async def require_documented(app: FastAPI, response: httpx.Response) -> None:
    """Assert that the OpenAPI document lists the code of a refusal for its operation."""
    if response.headers.get("content-type") != MEDIA_TYPE:
        return
    request = response.request
    for pattern, path, codes in documented_codes(app).get(request.method, ()):
        if pattern.match(request.url.path):
            await response.aread()
            code = response.json()["code"]
            assert code in codes | OF_NO_OPERATION, (
                f"{request.method} {path} does not document {code}"
            )
            return


def keyed(person: TestPerson, key: str | None = None) -> dict[str, str]:
    """Return the person's headers with an Idempotency-Key, a new one by default."""
    return person.headers | {"Idempotency-Key": key or str(uuid4())}


def assert_refused(response: httpx.Response, status: int, code: str) -> None:
    """Assert the problem body of DESIGN.md 5 with this code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"urn:qingxiang:problem:{code}"
    assert body["title"]
    assert body["detail"] == body["msg"]
    assert body["request_id"] == response.headers["x-request-id"]
    told = {*body.get("facts", {})}
    declared = declared_facts().get(code)
    assert declared is None or told <= declared, "a fact that is not declared"


@cache
def declared_facts() -> dict[str, set[str]]:
    """Return the facts that each code may have: all modules of the application are imported."""
    return {one.code: {*one.fact_names} for one in catalogue()}


async def wechat_code(api: httpx.AsyncClient, user: str) -> str:
    """Return a login code of the sandbox, as ``wx.login`` does on the phone."""
    made = await api.post("/sandbox/wechat/codes", json={"user": user})
    assert made.status_code == 200, made.text
    return str(made.json()["code"])


async def log_in(api: httpx.AsyncClient, user: str | None = None) -> dict[str, Any]:
    """Log a sandbox user in, a new one by default; return the body of the reply."""
    code = await wechat_code(api, user or f"user-{uuid4()}")
    reply = await api.post("/api/v1/auth/wechat", json={"code": code})
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def walk(
    api: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **params: Any
) -> list[dict[str, Any]]:
    """Read all pages of a list. Fails after a hundred pages, as with a cursor that repeats."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(100):
        page = await api.get(path, headers=headers, params=params | cursor)
        assert page.status_code == 200, page.text
        body = page.json()
        assert len(body["items"]) <= params.get("limit", 20)
        items += body["items"]
        if body["next_cursor"] is None:
            return items
        cursor = {"cursor": body["next_cursor"]}
    raise AssertionError("a list of a hundred pages")
