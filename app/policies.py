"""Deny by default: no process starts with a route that does not say who may call it."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from app.access import Policy
from app.core.routes import Route

# It has no policy because production has no sandbox.
EXEMPT = "/sandbox/wechat"


class PolicyUndeclared(Exception):
    """A route without a policy: a mistake of ours, found at start."""


def policy_of(route: RouteContext) -> Policy | None:
    """Return the policy that guards a route."""
    original = route.original_route
    guard = original.guard if isinstance(original, Route) else None
    return guard if isinstance(guard, Policy) else None


def routes_with_policies(app: FastAPI) -> Iterator[tuple[RouteContext, Policy | None]]:
    """Yield every route with its policy, those of included routers too."""
    for route in iter_route_contexts(app.routes):
        if route.path != EXEMPT:
            yield route, policy_of(route)


def require_policies(app: FastAPI) -> None:
    """Raise PolicyUndeclared, naming every route that has none."""
    declared = list(routes_with_policies(app))
    assert declared, "an application without routes: this check would see nothing"
    bare = [f"{sorted(route.methods or ())} {route.path}" for route, p in declared if p is None]
    if bare:
        raise PolicyUndeclared("; ".join(bare))
