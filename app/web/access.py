"""Who is at a page: an opaque cookie in place of a bearer token, and no write from another site.

A page asks for the same access rules as the API. The cookie is looked up in ``WebLogins``; a page
reads no ``Authorization`` header, and the API reads no cookie.
"""

import re
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from app.api.access import ANONYMOUS, AccessRule, allow
from app.api.context import address_of, runtime_of
from app.core.errors import Refusal
from app.core.tokens import Claims
from app.runtime import Runtime
from app.services.auth import TokenRefused
from app.services.web_logins import LASTS

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Where a login leads without another place.
HOME = "/projector"
# No "//host", no backslash, which browsers take for a slash, and no tab, which they leave out.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}", re.ASCII)


class ForeignPage(Refusal):
    code, status, title = "web.foreign_page", 403, "Sent by another site"
    zh, en = "请求不是由本站页面发出的", "This request was not sent by a page of this site."


@dataclass(frozen=True)
class PageRule(AccessRule):
    """The access rule of a page.

    ``__call__`` raises ForeignPage for a write that a page of another site may have sent. A cookie
    that is not valid is none: public pages work with it, the others lead to the login.
    """

    async def __call__(self, request: Request) -> None:
        if request.method not in SAFE_METHODS and not is_own_page(request):
            raise ForeignPage
        request.state.web_login = await _login_of(request)
        try:
            await super().__call__(request)
        except TokenRefused:
            if self.authenticated:
                raise
            request.state.caller = None

    def claims_of(self, request: Request, runtime: Runtime) -> Claims | None:  # noqa: ARG002
        found: Claims | None = request.state.web_login
        return found


def for_pages(rule: AccessRule, *refusals: type[Refusal], body: bool = False) -> dict[str, Any]:
    """Return the route arguments of a page with an access rule of the API."""
    taken = {one.name: getattr(rule, one.name) for one in fields(rule)}
    declared = allow(PageRule(**taken), ForeignPage, *refusals, body=body)
    return declared | {"include_in_schema": False}


def is_own_page(request: Request) -> bool:
    """Whether a page of this site sent a request, by Sec-Fetch-Site, or Origin in old browsers.

    With neither it is refused: every browser sends one of them with a write.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return urlsplit(origin).netloc == request.headers.get("host") and bool(origin)


def is_part(request: Request) -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("hx-request") == "true"


def local(path: str | None, otherwise: str = HOME) -> str:
    """Return a path of this site, to which a page may lead; ``otherwise`` for anything else."""
    if path is None or not _LOCAL.fullmatch(path) or path.startswith(("/login", "/logout")):
        return otherwise
    return path


def is_secure(request: Request) -> bool:
    """Whether cookies are for https alone: always in production."""
    return runtime_of(request).settings.env == "production" or request.url.scheme == "https"


def cookie_name(request: Request, name: str = "qx") -> str:
    """Return the name of a cookie. ``__Host-``: no other host and no http reply can set it."""
    return f"__Host-{name}" if is_secure(request) else name


def set_cookie(
    request: Request, response: Response, value: str, *, name: str = "qx", seconds: int | None
) -> None:
    """Set a cookie that no script reads. ``seconds``: None: 12 hours, as a login lasts."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=int(LASTS.total_seconds()) if seconds is None else seconds,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def forget_cookie(request: Request, response: Response, name: str = "qx") -> None:
    set_cookie(request, response, "", name=name, seconds=0)


async def _login_of(request: Request) -> Claims | None:
    """Return the claims of the cookie's login. An unknown cookie is looked up under a limit."""
    token = request.cookies.get(cookie_name(request))
    if token is None or len(token) > 100:
        return None
    runtime = runtime_of(request)
    known = runtime.web_logins.known(token)
    if known is not None:
        return known
    (await runtime.limiter.take(ANONYMOUS, address_of(request))).enforce()
    return await runtime.web_logins.find(token)
