"""The OpenAPI document: what FastAPI generates, and what it cannot know."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.access import BEARER
from app.api.downloads import WORKBOOK
from app.api.problems import Problem
from app.core.etag import Rendered

SCHEMA_PATH = "#/components/schemas/{model}"
KEY = "idempotency-key"
HEADERS = {
    "X-Request-Id": "Names this request in our log.",
    "RateLimit": "What is left of the caller's limit (IETF draft ratelimit-headers).",
    "RateLimit-Policy": "The caller's limit: requests `q` in a window of `w` seconds.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "Always `Bearer`.",
    "ETag": "Send it back as `If-None-Match`: 304 while nothing has changed.",
}
LIMITED = ("RateLimit", "RateLimit-Policy")
# A second call gets 200 and the first result.
REPEATABLE = {"signUp", "checkIn"}
# Kept by nobody, so that there is nothing to compare with.
NEVER_STORED = {"getMyCardCode"}
# From one operation's reply to the next one's parameter, or field of its body.
LINKS = (
    ("logIn", "refreshLogin", "body.refresh_token", "refresh_token"),
    ("refreshLogin", "logOut", "body.refresh_token", "refresh_token"),
    ("listActivities", "getActivity", "activity_id", "items/0/id"),
    ("listActivities", "signUp", "activity_id", "items/0/id"),
    ("createActivity", "getActivity", "activity_id", "id"),
    ("createActivity", "publishActivity", "activity_id", "id"),
    ("publishActivity", "signUp", "activity_id", "id"),
    ("publishActivity", "getCheckinCode", "activity_id", "id"),
    ("signUp", "cancelSignup", "signup_id", "id"),
    ("getCheckinCode", "checkIn", "body.code", "code"),
    ("checkIn", "reverseTransfer", "transfer_id", "award/id"),
    ("proposeAwards", "approveAward", "award_id", "items/0/award/id"),
    ("listRewards", "redeem", "body.reward_id", "items/0/id"),
    ("redeem", "cancelRedemption", "redemption_id", "id"),
    ("redeem", "collectRedemption", "body.pickup_code", "pickup_code"),
    ("getMyCardCode", "charge", "body.card_code", "code"),
    ("charge", "refundCharge", "charge_id", "id"),
)


def document(app: FastAPI) -> dict[str, Any]:
    """Generate once: operations, the bearer scheme, and the problem that refusals are."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = schema.setdefault("components", {})
        problem = Problem.model_json_schema(ref_template=SCHEMA_PATH)
        schemas = components.setdefault("schemas", {})
        schemas |= problem.pop("$defs")
        schemas[Problem.__name__] = problem
        components["securitySchemes"] = {
            BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
        components["headers"] = {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in HEADERS.items()
        }
        for method, operation in _operations(schema):
            _complete(method, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def published(app: FastAPI) -> Rendered:
    """Render once: to write the document down costs as much as thirty requests."""
    if not hasattr(app.state, "published"):
        body = json.dumps(document(app), ensure_ascii=False, separators=(",", ":")).encode()
        app.state.published = Rendered.of(body)
    found: Rendered = app.state.published
    return found


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in schema["paths"].values():
        yield from methods.items()


def _complete(method: str, operation: dict[str, Any]) -> None:
    name, responses = operation["operationId"], operation["responses"]
    parameters = operation.get("parameters", [])
    limited = "429" in responses
    if name in REPEATABLE:
        responses["200"] = responses["201"] | {"description": "Done before: the first result."}
    if method == "get" and name not in NEVER_STORED and _is_json(responses["200"]):
        operation["parameters"] = [*parameters, _if_none_match()]
        responses["200"] = responses["200"] | {"headers": _headers("ETag")}
        responses["304"] = {"description": "Not changed.", "headers": _headers("ETag")}
    if WORKBOOK in (files := responses.get("200", {}).get("content", {})):
        files[WORKBOOK]["schema"] = {"type": "string", "format": "binary"}
    for status, response in responses.items():
        _add_headers(status, response, limited=limited)
    _add_links(name, operation)
    operation["responses"] = dict(sorted(responses.items()))


def _is_json(response: dict[str, Any]) -> bool:
    return "application/json" in response.get("content", {})


def _if_none_match() -> dict[str, Any]:
    return {
        "name": "if-none-match",
        "in": "header",
        "required": False,
        "description": "The ETag of the reply that the caller has.",
        "schema": {"type": "string"},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _add_headers(status: str, response: dict[str, Any], *, limited: bool) -> None:
    names = ["X-Request-Id"]
    if limited and (status < "400" or status == "429"):
        names += LIMITED
    if status in {"429", "503"}:
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    response["headers"] = _headers(*names) | response.get("headers", {})


def _add_links(name: str, operation: dict[str, Any]) -> None:
    links = {
        target: _link(target, place, at) for source, target, place, at in LINKS if source == name
    }
    if any(one["name"] == "cursor" for one in operation.get("parameters", [])):
        links["nextPage"] = _link(name, "cursor", "next_cursor")
    for status, response in operation["responses"].items():
        if links and status in {"200", "201"}:
            response["links"] = links


def _link(target: str, place: str, pointer: str) -> dict[str, Any]:
    value = f"$response.body#/{pointer}"
    if place.startswith("body."):
        return {"operationId": target, "requestBody": {place.removeprefix("body."): value}}
    return {"operationId": target, "parameters": {place: value}}
