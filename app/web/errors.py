"""Refusals as pages, in people's language, with the way on."""

from urllib.parse import quote, urlsplit

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from app.core.errors import Refusal
from app.core.language import request_language
from app.services.auth import LoginRequired, TokenRefused
from app.web.access import SAFE_METHODS, is_part, local
from app.web.rendering import page

NOT_PAGES = ("/api/", "/sandbox/", "/assets/")
NEEDS_LOGIN = (LoginRequired, TokenRefused)


def wants_page(request: Request) -> bool:
    """Whether a browser navigates, or htmx fetches a part of a page. Scripts ask for JSON."""
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith(NOT_PAGES)


def refused(request: Request, refusal: Refusal) -> Response:
    """Return the page of a refusal, or the way to the login and from there back."""
    if isinstance(refusal, NEEDS_LOGIN):
        return _to_login(request)
    values = {
        "refusal": refusal,
        "message": refusal.message(request_language()),
        "request_id": getattr(request.state, "request_id", ""),
        "again": request.method in SAFE_METHODS and refusal.status in (429, 500, 503),
    }
    template = "part-error.html" if is_part(request) else "error.html"
    response = page(template, refusal.status, **values)
    response.headers.update(getattr(request.state, "headers", {}))
    response.headers.update(refusal.headers)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _to_login(request: Request) -> Response:
    """Lead to the login. What was posted is not sent again: the form's page is where it leads."""
    place = request.url.path
    if request.url.query:
        place += f"?{request.url.query}"
    if is_part(request) or request.method not in SAFE_METHODS:
        given = request.headers.get("hx-current-url") or request.headers.get("referer", "")
        came_from = urlsplit(given)
        place = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    target = f"/login?back={quote(local(place), safe='')}"
    if is_part(request):
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, 303, {"Cache-Control": "no-store"})
