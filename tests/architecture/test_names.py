"""Naming: a noun has one spelling on all layers, and names suit generated clients.

Nouns are found by their modules: a new one needs no change here.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.api.routes import Route

APP = Path(__file__).resolve().parents[2] / "app"
LAYERS = ("routers", "services", "queries", "schemas", "models")
# Not nouns: the bases of all schemas and models.
BASE = {"base"}
# Services for all domains (DESIGN.md 2); they may have no tables.
FLOOR = {"records", "cases", "audit", "notify", "exports", "attachments", "geofences"}
# Of the service of check-ins, which is too long for one file.
FLOOR |= {"checkin_codes", "checkin_devices", "checkin_places", "checkin_walk_ins"}
# Of the service of sessions, likewise.
FLOOR |= {"session_numbers"}
# Synonyms of our nouns (DESIGN.md 7).
OTHER_WORDS = {
    "events": "activities",
    "organizations": "orgs",
    "users": "people",
    "messages": "notices",
    "enrolments": "signups",
}
MODULE = re.compile(r"[a-z]+(_[a-z]+)*")
CAMEL_CASE = re.compile(r"[a-z]+([A-Z][a-z]+)*")


def modules(layer: str) -> set[str]:
    """Return the names of the modules and packages of a layer."""
    return {path.stem for path in (APP / layer).iterdir() if path.name[0] not in "_."} - BASE


def tree() -> dict[str, set[str]]:
    return {layer: modules(layer) for layer in LAYERS}


def alone(layers: Mapping[str, set[str]]) -> set[str]:
    """Return the names that only one layer has."""
    times = Counter(name for names in layers.values() for name in names)
    return {name for name, n in times.items() if n == 1}


def spelt_twice(names: Iterable[str]) -> list[set[str]]:
    """Return names that differ by underscores or plural only."""
    alike: dict[str, set[str]] = {}
    for name in names:
        alike.setdefault(plural(name.replace("_", "")), set()).add(name)
    return [group for group in alike.values() if len(group) > 1]


def plural(noun: str) -> str:
    """Return the plural of a noun; of a plural, itself."""
    if noun in {"person", "people"}:
        return "people"
    if noun in {"child", "children"}:
        return "children"
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(ss|x|ch|sh)$", noun) else "s")


def misnamed_collections(path: str) -> list[str]:
    """Return the segments before ``{…_id}`` that are not its plural in kebab case."""
    pairs = re.findall(r"/([^/{}]+)/\{(\w+)_id\}", path)
    return [segment for segment, noun in pairs if segment != plural(noun).replace("_", "-")]


def api_routes(app: FastAPI) -> list[tuple[RouteContext, APIRoute]]:
    """Return every API route as it is served, included routers too."""
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
    assert modules("services") - FLOOR - (modules("queries") | modules("schemas")) == set()


def test_every_noun_is_on_more_than_one_layer() -> None:
    assert alone(tree()) - FLOOR == set()


def test_a_noun_that_one_layer_spells_otherwise_would_be_found() -> None:
    spelled = tree() | {"schemas": modules("schemas") | {"check_ins"}}
    assert alone(spelled) - FLOOR == {"check_ins"}


def test_every_noun_has_one_spelling() -> None:
    names = set().union(*tree().values())
    assert spelt_twice(names) == []
    assert names & OTHER_WORDS.keys() == set()
    assert [name for name in names if not MODULE.fullmatch(name)] == []


def test_another_spelling_would_be_found() -> None:
    names = {"activities", "activity", "checkins", "check_ins", "people", "person", "classes"}
    assert sorted(map(sorted, spelt_twice(names))) == [
        ["activities", "activity"],
        ["check_ins", "checkins"],
        ["people", "person"],
    ]
    assert not MODULE.fullmatch("checkIns")


def test_every_operation_has_the_tag_of_its_noun(app: FastAPI) -> None:
    for context, route in api_routes(app):
        assert [route.endpoint.__module__] == [f"app.routers.{tag}" for tag in route.tags], (
            context.path
        )


def test_the_tree_is_really_read() -> None:
    assert modules("services") >= {"checkins", "ledger", "redemptions"}
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
    """FastAPI would name two models of one name ``app__schemas__…`` in generated clients."""
    assert [name for name in schemas(app) if "__" in name] == []


def test_paths_are_plural_nouns_in_kebab_case(app: FastAPI) -> None:
    for context, _ in api_routes(app):
        assert re.fullmatch(
            r"(/([a-z0-9]+(-[a-z]+)*(\.(svg|html|xlsx|csv|pdf))?|\{[a-z_]+\}))+", str(context.path)
        )


def test_a_collection_is_the_plural_of_what_is_in_it(app: FastAPI) -> None:
    paths = [str(context.path) for context, _ in api_routes(app)]
    assert [segment for path in paths for segment in misnamed_collections(path)] == []


def test_a_misnamed_collection_would_be_found() -> None:
    assert misnamed_collections("/activity/{activity_id}/sign-ups/{signup_id}") == [
        "activity",
        "sign-ups",
    ]
    assert misnamed_collections("/categories/{category_id}/study-groups/{study_group_id}") == []


def test_the_api_lives_below_one_prefix(app: FastAPI) -> None:
    probes = {"/healthz", "/readyz", "/metrics"}
    outside = {c.path for c, _ in api_routes(app) if not str(c.path).startswith("/api/v1/")}
    assert outside == probes
