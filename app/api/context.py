"""Request-scoped values for handlers and dependencies: the runtime, the caller, the address.

A FastAPI dependency costs about as much time as a bare request. Handlers of the data plane
take the ``Request`` and call these functions instead.
"""

from uuid import UUID

from fastapi import Request

from app.core.tokens import Claims
from app.core.validation_messages import invalid
from app.runtime import Runtime
from app.services.merchants.access import Staff


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def address_of(request: Request) -> str:
    """Return the client address. uvicorn takes it from proxy headers of trusted proxies only."""
    return request.client.host if request.client else "unknown"


async def reads_primary(request: Request) -> bool:
    """Tell whether a request must not read from a replica: its caller has just written."""
    runtime, caller = runtime_of(request), caller_of(request)
    if not runtime.replicas:
        return True
    return caller is not None and await runtime.writers.has(caller)


def person_of(request: Request) -> UUID:
    """Return the caller's id. Requires an access rule that authenticates the caller."""
    caller = caller_of(request)
    assert caller is not None, "the route's access rule demands a person"
    return caller


def caller_of(request: Request) -> UUID | None:
    claims: Claims | None = request.state.caller
    return claims.person_id if claims else None


async def optional_caller(request: Request) -> UUID | None:
    """Return the caller's id, None without a login: a dependency of public routes."""
    return caller_of(request)


def staff_of(request: Request) -> Staff:
    """Return the caller as staff of the merchant that ``X-Merchant`` names, if it names one.

    Raises Invalid for a malformed id.
    """
    named = request.headers.get("x-merchant")
    try:
        return Staff(person_of(request), UUID(named) if named is not None else None)
    except ValueError:
        raise invalid("header.x-merchant", "应为商户编号", "not the id of a merchant") from None
