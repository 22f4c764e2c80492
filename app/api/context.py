"""What a request carries for handlers and dependencies: the runtime, the caller, the address.

Each FastAPI dependency costs about as much as a bare request. Handlers of the data plane take
the ``Request`` and call these functions instead.
"""

from uuid import UUID

from fastapi import Request

from app.core.tokens import Claims
from app.runtime import Runtime


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def address_of(request: Request) -> str:
    """Return the caller's address; uvicorn has believed a proxy only if it is a trusted one."""
    return request.client.host if request.client else "unknown"


def person_of(request: Request) -> UUID:
    """Return who calls, on a route whose policy demands a person."""
    caller = caller_of(request)
    assert caller is not None, "the route's policy demands a person"
    return caller


def caller_of(request: Request) -> UUID | None:
    claims: Claims | None = request.state.caller
    return claims.person_id if claims else None
