"""Who may call what: each route has its rule, and stands in the MATRIX of its noun's test module.

So a new route is a decision.
"""

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.api.access import (
    ANYONE,
    AccessRule,
    AccessRuleUndeclared,
    access_rule_of,
    allow,
    require_access_rules,
    routes_with_access_rules,
)
from app.api.routes import Route, Router
from app.core.settings import Settings
from app.main import create_app
from tests.security import nouns

RULES = {row.operation: row.rule for row in nouns.rows().values()}
# The documentation: served, but not part of what it describes.
PAGES = {
    "GET /": "anyone",
    "GET /docs": "anyone",
    "GET /openapi.json": "anyone",
    "GET /swagger/swagger-ui-bundle.js": "anyone",
    "GET /swagger/swagger-ui.css": "anyone",
    "GET /swagger/favicon-32x32.png": "anyone",
}


def name_of(policy: AccessRule | None) -> str | None:
    return policy.name if policy else None


def served(app: FastAPI) -> dict[str, str | None]:
    """Every route that FastAPI serves, included routers too, with its rule; pages by their path."""
    return {
        context.original_route.operation_id or f"{method} {context.path}": name_of(
            access_rule_of(context)
        )
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in context.methods or ()
    }


def test_the_table_is_what_is_served(app: FastAPI) -> None:
    assert served(app) == RULES | PAGES


def test_another_rule_would_be_found() -> None:
    router, opened = Router(), FastAPI()

    @router.get("/me", operation_id="getMe", **allow(ANYONE))
    async def get_me() -> None: ...

    opened.include_router(router)
    assert served(opened)["getMe"] != RULES["getMe"]


def test_the_start_up_check_sees_every_served_route(app: FastAPI) -> None:
    seen = {
        getattr(route.original_route, "operation_id", None) or f"{method} {route.path}"
        for route, _ in routes_with_access_rules(app)
        for method in route.methods or ()
    }
    assert seen == set(served(app))


def test_the_document_tells_the_policy(app: FastAPI) -> None:
    told = {
        operation["operationId"]: operation["x-access-rule"]
        for operations in app.openapi()["paths"].values()
        for operation in operations.values()
    }
    assert told == RULES


def test_a_route_without_a_policy_keeps_the_application_from_starting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Router()

    @bare.get("/bare")
    async def bare_handler() -> None: ...

    monkeypatch.setattr("app.routers.orgs.router", bare)
    with pytest.raises(AccessRuleUndeclared, match="/bare"):
        create_app(settings)


def test_a_bare_route_on_the_application_itself_is_found() -> None:
    application = FastAPI()

    @application.get("/bare")
    async def bare_handler() -> None: ...

    with pytest.raises(AccessRuleUndeclared, match="/bare"):
        require_access_rules(application)


def test_a_route_with_a_policy_is_no_reason_to_refuse() -> None:
    application = FastAPI(openapi_url=None)
    router = Router()

    @router.get("/guarded", **allow(ANYONE))
    async def guarded() -> None: ...

    application.include_router(router)
    require_access_rules(application)


def test_the_policy_guards_the_route_before_every_dependency(app: FastAPI) -> None:
    """A transaction that is opened for a stranger would cost us what it costs nobody else."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            assert isinstance(route, Route), context.path
            assert isinstance(route.guard, AccessRule), context.path
