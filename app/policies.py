"""Deny by default: no process starts with a route that does not say who may call it."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.deps import Policy

# Served by the docs page; they show the public document and nothing else.
DOCUMENTATION = {"/", "/docs", "/openapi.json", "/swagger/"}


class PolicyUndeclared(Exception):
    """A route without a policy: a mistake of ours, found at start."""


def policy_of(route: APIRoute) -> Policy | None:
    """Return the policy that guards a route."""
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, Policy):
            return dependency.call
    return None


def routes_with_policies(app: FastAPI) -> Iterator[tuple[APIRoute, Policy | None]]:
    """Yield every API route with its policy."""
    for route in app.routes:
        if isinstance(route, APIRoute) and not _is_documentation(route.path):
            yield route, policy_of(route)


def require_policies(app: FastAPI) -> None:
    """Raise PolicyUndeclared, naming every route that has none."""
    bare = [
        f"{sorted(route.methods or ())} {route.path}"
        for route, policy in routes_with_policies(app)
        if policy is None
    ]
    if bare:
        raise PolicyUndeclared("; ".join(bare))


def _is_documentation(path: str) -> bool:
    return path in DOCUMENTATION or path.startswith("/swagger/")
