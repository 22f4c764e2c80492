"""What every page has: headers, languages, refusals as pages."""

import httpx
import pytest
from fastapi import FastAPI

from app.web.rendering import POLICY
from tests.factories.http import assert_refused
from tests.factories.pages import browser


async def test_a_page_has_the_headers_of_pages(app: FastAPI) -> None:
    async with browser(app) as client:
        for path in ("/login", "/w/abc", "/nowhere"):
            found = await client.get(path)
            assert found.headers["content-security-policy"] == POLICY
            assert found.headers["cache-control"] == "no-store"
            assert found.headers["x-content-type-options"] == "nosniff"
            assert found.headers["referrer-policy"] == "same-origin"
            assert found.headers["x-frame-options"] == "DENY"
            assert found.headers["content-language"] == "zh-CN"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize(
    ("language", "said", "lang"),
    [("zh-CN,zh;q=0.9", "页面不存在", "zh-CN"), ("en-GB,en;q=0.9", "no such page", "en")],
)
async def test_a_refusal_is_a_page_in_peoples_language(
    app: FastAPI, language: str, said: str, lang: str
) -> None:
    async with browser(app) as client:
        lost = await client.get("/nowhere", headers={"Accept-Language": language})
    assert lost.status_code == 404
    assert lost.headers["content-type"].startswith("text/html")
    assert said in lost.text
    assert f'<html lang="{lang}">' in lost.text
    assert lost.headers["x-request-id"] in lost.text


async def test_programs_still_get_problems(app: FastAPI, api: httpx.AsyncClient) -> None:
    assert_refused(await api.get("/nowhere"), 404, "request.unknown_route")
    async with browser(app) as client:
        assert_refused(await client.get("/api/v1/nowhere"), 404, "request.unknown_route")


async def test_part_of_a_page_is_refused_as_a_part(app: FastAPI) -> None:
    async with browser(app) as client:
        part = await client.get("/projector?limit=x", headers={"HX-Request": "true"})
        assert part.status_code == 401
        lost = await client.get("/nowhere", headers={"HX-Request": "true"})
    assert lost.status_code == 404
    assert "<html" not in lost.text
    assert 'role="alert"' in lost.text
