"""One noun, one spelling, on every floor; and names from which clients are generated."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.api.routes import Route

APP = Path(__file__).resolve().parents[2] / "app"
NOUNS = {
    *("orgs", "venues", "activities", "signups", "checkins", "ledger", "awards", "cards"),
    *("rewards", "redemptions", "merchants", "leaderboards", "clubs", "needs", "councils"),
    *("lending", "evaluation", "devices", "notices", "people", "funds"),
    "deductions",
}
# Not domains: how one gets in, what is sent twice, what is in force, what is alive.
MACHINERY = {"audit", "records", "exports", "auth", "idempotency", "policies", "health", "outbox"}
CAMEL_CASE = re.compile(r"[a-z]+([A-Z][a-z]+)*")


def modules(floor: str) -> set[str]:
    """Names of the modules and packages of a floor."""
    return {path.stem for path in (APP / floor).iterdir() if path.name[0] not in "_."}


def api_routes(app: FastAPI) -> list[tuple[RouteContext, APIRoute]]:
    """Every API route as it is served, included routers too."""
    return [
        (context, context.original_route)
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute) and context.original_route.include_in_schema
    ]


def schemas(app: FastAPI) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = app.openapi()["components"]["schemas"]
    return found


def test_every_router_has_a_service_of_its_name() -> None:
    assert modules("routers") - modules("services") == set()


def test_every_service_has_tables_or_shapes_of_its_name() -> None:
    assert modules("services") - (modules("queries") | modules("schemas")) == set()


def test_every_floor_speaks_the_same_nouns() -> None:
    for floor in ("routers", "services", "queries", "models", "schemas"):
        assert modules(floor) - {"base"} <= NOUNS | MACHINERY, floor


def test_another_spelling_would_be_found() -> None:
    assert not {"check_ins", "events", "organizations"} & (NOUNS | MACHINERY)


def test_the_tree_is_really_read() -> None:
    assert {"checkins", "ledger", "redemptions"} <= modules("services")
    assert "__pycache__" not in modules("services")


def test_no_route_needs_patch_which_wx_request_cannot_send(app: FastAPI) -> None:
    routes = api_routes(app)
    assert len(routes) > 30
    assert [c.path for c, _ in routes if (c.methods or set()) & {"PATCH", "TRACE"}] == []


def test_every_route_is_of_the_class_that_retries(app: FastAPI) -> None:
    assert [
        context.path for context, route in api_routes(app) if not isinstance(route, Route)
    ] == []


def test_every_route_names_its_operation(app: FastAPI) -> None:
    ids = [route.operation_id for _, route in api_routes(app)]
    assert None not in ids
    assert [name for name in ids if not CAMEL_CASE.fullmatch(str(name))] == []
    assert [name for name, times in Counter(ids).items() if times > 1] == []


def test_a_name_that_fastapi_makes_up_would_be_found() -> None:
    assert not CAMEL_CASE.fullmatch("check_in_api_v1_checkins_post")
    assert not CAMEL_CASE.fullmatch("CheckIn")
    assert CAMEL_CASE.fullmatch("checkIn")


def test_every_model_has_a_title_of_its_own(app: FastAPI) -> None:
    titles = Counter(schema["title"] for schema in schemas(app).values())
    assert [title for title, times in titles.items() if times > 1] == []


def test_no_model_is_named_after_its_module(app: FastAPI) -> None:
    """Two models of one name become ``app__schemas__…``: ugly in every generated client."""
    assert [name for name in schemas(app) if "__" in name] == []


def test_paths_are_plural_nouns_in_kebab_case(app: FastAPI) -> None:
    for context, _ in api_routes(app):
        assert re.fullmatch(
            r"(/([a-z0-9]+(-[a-z]+)*(\.(svg|html|xlsx|csv))?|\{[a-z_]+\}))+", str(context.path)
        )


def test_the_api_lives_below_one_prefix(app: FastAPI) -> None:
    probes = {"/healthz", "/readyz", "/metrics"}
    outside = {c.path for c, _ in api_routes(app) if not str(c.path).startswith("/api/v1/")}
    assert outside == probes
