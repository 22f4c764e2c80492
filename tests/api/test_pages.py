"""The page that a phone's own scanner opens."""

import hashlib
from base64 import b64encode

import httpx
import pytest

from app.api import pages

CODE = "q3mQ0b1YkX7sJd2uR5vTzA8wLfNcEhGi"


async def test_the_page_says_where_to_scan(api: httpx.AsyncClient) -> None:
    chinese = await api.get(f"/c/{CODE}")
    english = await api.get(f"/c/{CODE}", headers={"Accept-Language": "en"})

    assert "请在青享小程序内扫码" in chinese.text
    assert "Scan this inside the mini-program" in english.text
    for reply in (chinese, english):
        assert reply.status_code == 200
        assert f"<code>{CODE}</code>" in reply.text
        assert "<script" not in reply.text
        assert "noindex" in reply.headers["x-robots-tag"]
        assert reply.headers["cache-control"] == "no-store"
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        style = reply.text.partition("<style>")[2].partition("</style>")[0]
        assert b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy


@pytest.mark.parametrize(
    "text", ["%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%22onload%3D%22x", "x" * 65, "{{7*7}}", "%00"]
)
async def test_other_text_is_not_shown(api: httpx.AsyncClient, text: str) -> None:
    reply = await api.get(f"/c/{text}")
    bare = pages.scanned_page("").body
    assert reply.status_code in {200, 404}
    assert "alert" not in reply.text
    if reply.status_code == 200:
        assert reply.content == bare
