"""Who may call what: the whole table, written out, so that a new route is a decision."""

from pkgutil import iter_modules

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app import main, routers
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
from app.routers import health

TABLE = {
    "GET /healthz": "probe",
    "GET /readyz": "probe",
    "GET /metrics": "probe",
    "POST /api/v1/auth/wechat": "anyone",
    "POST /api/v1/auth/refresh": "anyone",
    "POST /api/v1/auth/logout": "person",
    "GET /api/v1/me": "person",
    "PUT /api/v1/me": "person",
    "GET /api/v1/orgs": "anyone",
    "GET /api/v1/activities": "anyone",
    "POST /api/v1/activities": "organizer",
    "GET /api/v1/activities/{activity_id}": "anyone",
    "POST /api/v1/activities/{activity_id}/publish": "organizer",
    "GET /api/v1/activities/{activity_id}/checkin-code": "organizer",
    "GET /api/v1/activities/{activity_id}/checkin-code.svg": "organizer",
    "POST /api/v1/activities/{activity_id}/signups": "person",
    "DELETE /api/v1/signups/{signup_id}": "person",
    "GET /api/v1/me/signups": "person",
    "POST /api/v1/checkins": "person",
    "GET /api/v1/me/points": "person",
    "GET /api/v1/me/points/entries": "person",
    "POST /api/v1/ledger/transfers/{transfer_id}/reversal": "administrator",
    "GET /api/v1/me/awards": "person",
    "GET /api/v1/me/awards.xlsx": "person",
    "GET /api/v1/me/awards.csv": "person",
    "GET /api/v1/awards": "reader",
    "GET /api/v1/awards.xlsx": "reader",
    "GET /api/v1/awards.csv": "reader",
    "POST /api/v1/awards": "organizer",
    "POST /api/v1/awards/batches": "organizer",
    "POST /api/v1/awards/batches/sheet": "organizer",
    "GET /api/v1/awards/batches/template": "organizer",
    "POST /api/v1/awards/{award_id}/approval": "organizer",
    "POST /api/v1/awards/{award_id}/rejection": "organizer",
    "GET /api/v1/awards/notices": "anyone",
    "POST /api/v1/awards/{award_id}/objections": "person",
    "POST /api/v1/awards/objections/{objection_id}/decision": "organizer",
    "GET /api/v1/orgs/{org_id}/fund": "anyone",
    "GET /api/v1/orgs/{org_id}/fund/receipts": "anyone",
    "GET /api/v1/orgs/{org_id}/fund/receipts.xlsx": "person",
    "GET /api/v1/orgs/{org_id}/fund/receipts.csv": "person",
    "POST /api/v1/orgs/{org_id}/fund/receipts": "administrator",
    "GET /api/v1/me/points/entries/{number}/proof": "person",
    "GET /api/v1/me/points/statement.html": "person",
    "GET /api/v1/me/points/statement.xlsx": "person",
    "GET /api/v1/ledger/seals": "anyone",
    "POST /api/v1/deductions": "organizer",
    "GET /api/v1/audit": "auditor",
    "GET /api/v1/audit.xlsx": "auditor",
    "GET /api/v1/audit.csv": "auditor",
    "GET /api/v1/deductions": "reader",
    "GET /api/v1/deductions.xlsx": "reader",
    "GET /api/v1/deductions.csv": "reader",
    "GET /api/v1/me/deductions": "person",
    "POST /api/v1/deductions/{deduction_id}/appeal": "person",
    "POST /api/v1/deductions/{deduction_id}/decision": "organizer",
    "GET /api/v1/me/card": "person",
    "GET /api/v1/me/card/code": "person",
    "GET /api/v1/rewards": "anyone",
    "POST /api/v1/redemptions": "person",
    "POST /api/v1/redemptions/{redemption_id}/cancel": "person",
    "GET /api/v1/me/redemptions": "person",
    "POST /api/v1/merchant/redemptions/collect": "merchant staff",
    "POST /api/v1/merchant/charges": "merchant staff",
    "POST /api/v1/merchant/charges/{charge_id}/refund": "merchant staff",
    "GET /api/v1/merchant/statement": "merchant staff",
    "GET /api/v1/merchant/statement.xlsx": "merchant staff",
    "GET /api/v1/merchant/statement.csv": "merchant staff",
    "GET /api/v1/leaderboards": "anyone",
    "GET /api/v1/me/notices": "person",
}
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
    """Every route that FastAPI serves, included routers too, with its policy."""
    return {
        f"{method} {context.path}": name_of(access_rule_of(context))
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in context.methods or ()
    }


def test_the_table_is_what_is_served(app: FastAPI) -> None:
    assert served(app) == TABLE | PAGES


def test_the_start_up_check_sees_every_served_route(app: FastAPI) -> None:
    seen = {
        f"{method} {route.path}"
        for route, _ in routes_with_access_rules(app)
        for method in route.methods or ()
    }
    assert seen == set(served(app))


def test_the_document_tells_the_policy(app: FastAPI) -> None:
    told = {
        f"{method.upper()} {path}": operation["x-access-rule"]
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }
    assert told == TABLE


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


def test_every_router_module_is_included() -> None:
    included = {module.__name__ for module in (*main.ROUTERS, health)}
    assert included == {f"app.routers.{info.name}" for info in iter_modules(routers.__path__)}
