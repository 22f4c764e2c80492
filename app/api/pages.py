"""Pages: Swagger UI, the codes of all refusals, and what a phone's own scanner opens.

Nothing is loaded from another host: the files of Swagger UI are those of ``fastapi-swagger``.
"""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from jinja2 import Environment, StrictUndefined
from starlette.responses import RedirectResponse, Response

from app.api.access import routes_with_access_rules
from app.api.context import runtime_of
from app.api.openapi import published
from app.api.problems import Facts
from app.api.refusals import catalogue
from app.api.routes import conditional
from app.core.language import request_language

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
# Of the page for scanners, which has no script. Its style is named by its hash.
STYLE = """
  body { font: 18px/1.6 sans-serif; margin: 2em auto; max-width: 26em; padding: 0 1em }
  code { font-size: 20px; overflow-wrap: anywhere }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
SCANNED_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}
# What a code may look like; another text is not shown.
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
SWAGGER = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
# The users of the demonstration data, whom the WeChat sandbox knows.
CAST = ("alice", "bob", "carol", "organizer", "organizer2", "merchant", "merchant2", "auditor")
MANY = 30  # operations of one code; of more only their number is shown
_environment = Environment(autoescape=True, undefined=StrictUndefined)


def add(app: FastAPI) -> None:
    """Serve the document and its pages. Their rule and rate limit are those of the router."""

    @app.get("/openapi.json", include_in_schema=False)
    async def get_document(request: Request) -> Response:
        return conditional(request, published(app))

    @app.get("/", include_in_schema=False)
    async def get_start() -> Response:
        return RedirectResponse("docs")

    @app.get("/docs", include_in_schema=False)
    async def get_docs(request: Request) -> Response:
        sandbox = runtime_of(request).sandbox is not None
        return _page("docs.html", sandbox=sandbox, cast=(*CAST, "admin"))

    @app.get("/docs/codes", include_in_schema=False)
    async def get_codes() -> Response:
        return _page("codes.html", **codes_of(app))

    @app.get("/docs/start.js", include_in_schema=False)
    async def get_script() -> Response:
        return Response(_data("docs.js"), media_type="text/javascript")

    @app.get("/c/{code}", include_in_schema=False)
    async def get_scanned(code: str) -> Response:
        """Tell where to scan the code. It is not looked up: right and wrong ones look alike."""
        return scanned_page(code)

    for name, media_type in SWAGGER.items():
        _add_file(app, name, media_type)


def scanned_page(code: str) -> Response:
    """Return the page for a code of a screen or poster, in the language of the request."""
    shown = code if _CODE.fullmatch(code) else None
    values = {"code": shown, "style": STYLE, "zh": request_language() == "zh-CN"}
    page = _environment.from_string(_data("scanned.html")).render(values)
    return Response(page, media_type="text/html", headers=SCANNED_HEADERS)


def codes_of(app: FastAPI) -> dict[str, Any]:
    """Return the values of the page of codes: each with the operations that answer with it."""
    operations: dict[str, list[str]] = {}
    names = set()
    for route, rule in routes_with_access_rules(app):
        name = getattr(route.original_route, "operation_id", None)
        if rule is not None and name is not None:
            names.add(name)
            for refusal in rule.answers:
                operations.setdefault(refusal.code, []).append(name)
    codes = [
        {
            **{name: getattr(one, name) for name in ("code", "status", "zh", "en")},
            "facts": one.fact_names,
            "operations": sorted(operations.get(one.code, [])),
        }
        for one in catalogue()
    ]
    facts = [(name, field.description) for name, field in Facts.model_fields.items()]
    return {"codes": codes, "facts": facts, "most": MANY, "total": len(names)}


def _add_file(app: FastAPI, name: str, media_type: str) -> None:
    body = (files("fastapi_swagger") / "resources" / name).read_bytes()

    @app.get(f"/swagger/{name}", include_in_schema=False)
    async def get_file() -> Response:
        return Response(body, media_type=media_type)


def _page(name: str, **values: Any) -> Response:
    text = _environment.from_string(_data(name)).render(values)
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type="text/html", headers=headers)


def _data(name: str) -> str:
    return (files("app") / "data" / name).read_text(encoding="utf-8")
