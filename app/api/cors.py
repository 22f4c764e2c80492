"""CORS for web pages of other origins: those in ``QX_WEB_ORIGINS``, none by default.

Callers show a bearer token, so no cookie is allowed and none is needed: a page of another origin
can call nothing in the name of somebody who merely visits it.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
# What a page may send beyond the headers that browsers always allow.
SENT = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Device-Token",
    "X-Merchant",
)
# What a page may read of a reply: browsers hide all others.
READ = (
    *("ETag", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After"),
    *("X-Request-Id", "Content-Disposition"),
)
PREFLIGHT_KEPT_S = 3600


class CrossOrigin(CORSMiddleware):
    """Answers preflights of listed origins, and marks the replies that their pages may read.

    A preflight has no token and counts for no limit: the application is not called. OPTIONS of
    any other origin is answered as without CORS.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=READ,
            max_age=PREFLIGHT_KEPT_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_options(scope) and not self.is_allowed_origin(
            Headers(scope=scope).get("origin", "")
        ):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _is_options(scope: Scope) -> bool:
    """Tell of any scope: that of the application's start has no method."""
    return (scope["type"], scope.get("method")) == ("http", "OPTIONS")
