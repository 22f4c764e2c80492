"""Refusals as RFC 9457 problems, in the caller's language."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from app.api.problems import MEDIA_TYPE, language_of, problem
from app.core.errors import Busy, Invalid, RateLimited
from tests.factories.http import require_documented


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw, "state": {}})


def body_of(*args: Any) -> Any:
    return json.loads(bytes(problem(*args).body))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "zh-CN"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en", "en"),
        ("en-GB", "en"),
        ("EN-us;q=1", "en"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("zh;q=0.1, en;q=0.9", "en"),
        ("fr, de;q=0.9, en;q=0.5", "en"),
        ("fr", "zh-CN"),
        ("*", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("en;q=nonsense", "zh-CN"),
        (";;;,,,q=", "zh-CN"),
        ("x" * 10_000, "zh-CN"),
        ("en;q=nan", "zh-CN"),
    ],
)
def test_the_language_is_the_one_that_the_caller_likes_best(accepted: str, language: str) -> None:
    assert language_of(request(accept_language=accepted)) == language


def test_without_a_header_it_is_chinese() -> None:
    assert body_of(request(), Busy())["msg"] == Busy.zh


def test_in_english_when_asked() -> None:
    body = body_of(request(accept_language="en"), Busy())
    assert body["msg"] == body["detail"] == Busy.en


def test_a_problem_has_every_member() -> None:
    asked = request()
    asked.state.request_id = "abcdefgh"
    fields = [{"field": "body.capacity", "msg": "too big"}]
    assert body_of(asked, Invalid(fields=fields)) == {
        "type": "urn:qingxiang:problem:request.invalid",
        "title": "Invalid request",
        "status": 422,
        "detail": Invalid.zh,
        "code": "request.invalid",
        "msg": Invalid.zh,
        "request_id": "abcdefgh",
        "errors": fields,
    }


def test_its_headers_say_when_to_come_back() -> None:
    response = problem(request(), RateLimited(retry_after=7))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in problem(request(), Busy()).headers


@pytest.mark.parametrize(("accepted", "language"), [("", "zh-CN"), ("en-GB", "en")])
def test_its_headers_name_its_language(accepted: str, language: str) -> None:
    headers = problem(request(accept_language=accepted), Busy()).headers
    assert (headers["content-language"], headers["vary"]) == (language, "Accept-Language")


@pytest.mark.parametrize(
    ("path", "code"),
    [("/api/v1/me/points", "points.insufficient"), ("/api/v1/me", "request.unknown")],
)
async def test_a_code_that_an_operation_does_not_declare_is_found(
    app: FastAPI, path: str, code: str
) -> None:
    reply = httpx.Response(
        409,
        headers={"Content-Type": MEDIA_TYPE},
        json={"code": code},
        request=httpx.Request("GET", f"http://test{path}"),
    )
    with pytest.raises(AssertionError, match="does not document"):
        await require_documented(app, reply)


async def test_a_code_that_an_operation_declares_is_not_found(app: FastAPI) -> None:
    reply = httpx.Response(
        401,
        headers={"Content-Type": MEDIA_TYPE},
        json={"code": "auth.token_invalid"},
        request=httpx.Request("GET", "http://test/api/v1/me/points"),
    )
    await require_documented(app, reply)
