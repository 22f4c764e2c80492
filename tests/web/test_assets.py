"""Files of pages: addressed by their content, and those of others unmodified, with a licence."""

import re
from hashlib import sha256
from importlib.resources import files

import httpx
import pytest

from app.web import assets

STATIC = files("app.web").joinpath("static")
TEMPLATES = files("app.web").joinpath("templates")
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:", re.IGNORECASE
)


@pytest.mark.parametrize("name", assets.VENDORED)
def test_a_file_of_others_is_as_it_was_published(name: str) -> None:
    version, _, digest = assets.VENDORED[name]
    assert sha256(assets.FILES[name].body).hexdigest() == digest
    assert version.split()[1].encode() in assets.FILES[name].body
    licence = STATIC.joinpath(f"{name.partition('.')[0]}.LICENSE").read_text()
    assert "Zero-Clause BSD" in licence


def test_every_minified_file_is_listed() -> None:
    assert {name for name in assets.FILES if ".min." in name} == assets.VENDORED.keys()


async def test_a_file_is_kept_for_ever_at_the_address_of_its_content(
    api: httpx.AsyncClient,
) -> None:
    url = assets.url_of("qx.css")

    found = await api.get(url)
    assert found.status_code == 200
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-type"].startswith("text/css")
    assert found.headers["x-content-type-options"] == "nosniff"

    tag, name = url.split("/")[2:]
    for other in (f"/assets/{'0' * len(tag)}/{name}", f"/assets/{tag}/none.css"):
        lost = await api.get(other)
        assert lost.status_code == 404
        assert lost.headers["cache-control"] == "no-store"


def test_pages_have_no_inline_script_and_style() -> None:
    found = {
        file.name: INLINE.findall(file.read_text())
        for file in TEMPLATES.iterdir()
        if INLINE.search(file.read_text())
    }
    assert found == {}
    for bad in ("<script>x</script>", '<p style="x">', '<p onclick="x">', "<style>"):
        assert INLINE.search(bad), bad
    assert not INLINE.search('<script type="module" src="/x.js"></script>')
