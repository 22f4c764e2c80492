"""The files that pages load, below ``static/``. Their addresses change with their content."""

from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from starlette.responses import Response

from app.api.access import ANYONE, allow
from app.api.routes import Router
from app.core.errors import UnknownRoute

TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Unmodified files of others: version, licence and SHA-256. ``tests/web/test_assets.py`` compares.
VENDORED = {
    "htmx.min.js": (
        "htmx.org 4.0.1",
        "0BSD",
        "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    ),
}
router = Router(root="/assets")


class Asset(NamedTuple):
    """``tag``: 16 hexadecimal digits of the SHA-256 of the body."""

    tag: str
    media_type: str
    body: bytes


def _load() -> dict[str, Asset]:
    found = {}
    for file in files("app.web").joinpath("static").iterdir():
        media_type = TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            body = file.read_bytes()
            found[file.name] = Asset(sha256(body).hexdigest()[:16], media_type, body)
    return found


FILES = _load()


def url_of(name: str) -> str:
    """Return the address of a file, which caches may keep for ever."""
    return f"/assets/{FILES[name].tag}/{name}"


@router.get("/{tag}/{name}", **allow(ANYONE, UnknownRoute), include_in_schema=False)
async def get_asset(tag: str, name: str) -> Response:
    """Return a file. The tag of an older version is not found, or caches would keep a wrong one."""
    found = FILES.get(name)
    if found is None or found.tag != tag:
        raise UnknownRoute
    return Response(found.body, media_type=found.media_type, headers=HEADERS)
