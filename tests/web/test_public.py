"""Public pages: they need no login, show what everybody may know, and escape it."""

from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from app.models.activities import ActivityStatus
from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.pages import browser

LETTERS = str.maketrans("0123456789abcdef", "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳")


@pytest.fixture
def word() -> str:
    """A word that nothing else has."""
    return uuid4().hex[:8].translate(LETTERS)


async def test_what_is_on_is_found_by_words_and_category(
    app: FastAPI, runtime: Runtime, word: str
) -> None:
    await make_activity(runtime, title=f"讲座<i>{word}", capacity=3)
    async with browser(app) as client:
        whole = await client.get("/activities", params={"q": word, "category": ""})
        part = await client.get("/activities", params={"q": word}, headers={"HX-Request": "true"})
        nothing = await client.get("/activities", params={"q": word, "category": "safety"})

    assert f"讲座&lt;i&gt;{word}" in whole.text
    assert "<i>" not in whole.text.partition("<main")[2]
    assert "<html" in whole.text
    assert f"讲座&lt;i&gt;{word}" in part.text
    assert "<html" not in part.text
    assert "没有符合条件的活动" in nothing.text


async def test_the_list_is_paged_with_its_filter(app: FastAPI, runtime: Runtime, word: str) -> None:
    for _ in range(3):
        await make_activity(runtime, title=f"读书{word}")
    async with browser(app) as client:
        first = await client.get("/activities", params={"q": word, "limit": 2})
        [href] = [
            part.partition('"')[0].replace("&amp;", "&")
            for part in first.text.split('rel="next" href="')[1:]
        ]
        second = await client.get(href)
    assert first.text.count(f"读书{word}") == 2
    assert f"q={quote(word)}" in href
    assert second.text.count(f"读书{word}") == 1


async def test_a_draft_is_not_public(app: FastAPI, runtime: Runtime) -> None:
    draft = await make_activity(runtime, status=ActivityStatus.draft)
    shown = await make_activity(runtime, title="义诊<script>alert(1)</script>")
    async with browser(app) as client:
        lost = await client.get(f"/activities/{draft.id}")
        found = await client.get(f"/activities/{shown.id}")
    assert lost.status_code == 404
    assert "活动不存在" in lost.text
    assert found.status_code == 200
    assert "<script>alert" not in found.text


async def test_award_notices_are_public(app: FastAPI) -> None:
    async with browser(app) as client:
        found = await client.get("/award-notices")
    assert found.status_code == 200
    assert "积分公示" in found.text


async def test_a_wrong_filter_is_a_page_too(app: FastAPI) -> None:
    async with browser(app) as client:
        for query in ({"category": "x"}, {"cursor": "x"}, {"limit": "0"}):
            refused: httpx.Response = await client.get("/activities", params=query)
            assert refused.status_code == 422
            assert "<html" in refused.text
