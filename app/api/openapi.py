"""The OpenAPI document: FastAPI's output, completed with headers, links and problem replies."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from app.api import documents, schemas
from app.api.access import BEARER
from app.api.context import optional_caller
from app.api.downloads import WORKBOOK
from app.api.operations import Additions, additions_of
from app.api.routes import Router
from app.core.etag import TaggedBody

FILES = (WORKBOOK, "text/csv", "application/pdf", "application/zip")
EXAMPLES = files("app") / "data" / "examples.json"
SCHEMA_PATH = "#/components/schemas/{model}"
KEY = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
HEADERS = {
    "X-Request-Id": "Names this request in our log.",
    "RateLimit": "What is left of the caller's limit (IETF draft ratelimit-headers).",
    "RateLimit-Policy": "The caller's limit: requests `q` in a window of `w` seconds.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "Always `Bearer`.",
    "Cache-Control": "Always `no-store`: the reply holds a code or a token.",
    REPLAYED: "`true` if this is the first reply to the key, repeated; else the header is missing.",
    "ETag": "Send it back as `If-None-Match`: 304 while nothing has changed.",
}
# Nouns that the names of path parameters shorten.
NAMED = {"org": "organisation", "signup": "sign-up", "co organizer": "co-organizer's record"}
LIMITED = ("RateLimit", "RateLimit-Policy")


def document(app: FastAPI) -> dict[str, Any]:
    """Generate the document once; add the bearer scheme, headers and the schema of problems."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
            servers=[{"url": "/", "description": "本服务 This service"}],
            contact={"name": "青享 Qingxiang"},
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        )
        components = schema.setdefault("components", {})
        components["schemas"] = schemas.completed(components.get("schemas", {}))
        components["securitySchemes"] = {
            BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
        components["headers"] = {
            name: {
                "description": text,
                "required": name != REPLAYED,
                "schema": {"type": "string"},
            }
            for name, text in HEADERS.items()
        }
        additions, optional = additions_by_operation(app), _optional_logins(app)
        for method, operation in _operations(schema):
            name = operation["operationId"]
            _complete(method, operation, additions[name])
            documents.describe(operation, additions[name].document)
            if name in optional and not operation["security"]:
                operation["security"] = [{}, {BEARER: []}]
        app.openapi_schema = schemas.renamed(schemas.pruned(schema))
    return app.openapi_schema


def described(router: Router) -> list[dict[str, str]]:
    """Return the tags of a router with what it is about, in both languages."""
    if router.about is None:
        return []
    return [{"name": str(tag), "description": "\n\n".join(router.about)} for tag in router.tags]


def published(app: FastAPI) -> TaggedBody:
    """Serialize the document once: it takes as long as about thirty requests."""
    if not hasattr(app.state, "published"):
        body = json.dumps(document(app), ensure_ascii=False, separators=(",", ":")).encode()
        app.state.published = TaggedBody.of(body)
    found: TaggedBody = app.state.published
    return found


def printed(app: FastAPI) -> str:
    """Return the document as text for a file: one value a line, the same for every run."""
    return json.dumps(document(app), ensure_ascii=False, indent=1) + "\n"


def additions_by_operation(app: FastAPI) -> dict[str, Additions]:
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    return {
        str(route.operation_id): additions_of(route.endpoint)
        for route in routes
        if isinstance(route, APIRoute)
    }


def _optional_logins(app: FastAPI) -> set[str]:
    """Return the public operations that tell a caller who is logged in more."""
    return {
        str(route.operation_id)
        for context in iter_route_contexts(app.routes)
        if isinstance(route := context.original_route, APIRoute)
        and (
            additions_of(route.endpoint).knows_caller
            or any(one.call is optional_caller for one in route.dependant.dependencies)
        )
    }


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in schema["paths"].values():
        yield from methods.items()


def _complete(method: str, operation: dict[str, Any], additions: Additions) -> None:
    responses = operation["responses"]
    parameters = operation.get("parameters", [])
    _describe_ids(parameters)
    limited = "429" in responses
    for one in parameters:
        # Of a query no format: there a malformed id is that of nothing, and the list is empty.
        if one["in"] == "path" and one["name"].endswith("_id"):
            one["schema"].setdefault("format", "uuid")
    if additions.naturally_idempotent:
        responses["200"] = responses["201"] | {"description": "Done before: the first result."}
    if method == "get" and not additions.no_store and _is_json(responses["200"]):
        operation["parameters"] = [*parameters, _if_none_match()]
        responses["200"] = responses["200"] | {"headers": _headers("ETag")}
        responses["304"] = {"description": "Not changed.", "headers": _headers("ETag")}
    for media_type, body in responses.get("200", {}).get("content", {}).items():
        if media_type.startswith("image/") or media_type in FILES:
            body["schema"] = {"type": "string", "format": "binary"}
        if media_type == "text/event-stream":
            body.pop("schema", None)  # a schema would be that of each event, not of the stream
    keyed = any(one["name"] == KEY for one in parameters)
    for status, response in responses.items():
        _add_headers(status, response, limited=limited, keyed=keyed)
        if additions.no_store and status < "400":
            response["headers"] |= _headers("Cache-Control")
    _add_links(operation, additions.links)
    _add_examples(operation, examples())
    operation["responses"] = dict(sorted(responses.items()))


def _describe_ids(parameters: list[dict[str, Any]]) -> None:
    """Describe the ids of a path by their names: ``data_copy_id`` is the id of the data copy."""
    for one in parameters:
        if one["in"] == "path" and one["name"].endswith("_id"):
            noun = one["name"].removesuffix("_id").replace("_", " ")
            one.setdefault("description", f"Id of the {NAMED.get(noun, noun)}.")


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


def _add_headers(status: str, response: dict[str, Any], *, limited: bool, keyed: bool) -> None:
    names = ["X-Request-Id"]
    if limited and (status < "400" or status == "429"):
        names += LIMITED
    if keyed and status < "500" and status not in {"401", "429"}:  # others are kept with the key
        names.append(REPLAYED)
    if status in {"429", "503"}:
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    response["headers"] = _headers(*names) | response.get("headers", {})


def _add_links(operation: dict[str, Any], declared: Mapping[str, Mapping[str, str]]) -> None:
    links = {target: _link(target, inputs) for target, inputs in declared.items()}
    if any(one["name"] == "cursor" for one in operation.get("parameters", [])):
        links["nextPage"] = _link(operation["operationId"], {"cursor": "next_cursor"})
    for status, response in operation["responses"].items():
        if links and status in {"200", "201", "202"}:
            response["links"] = links


def _add_examples(operation: dict[str, Any], known: Mapping[str, Mapping[str, Any]]) -> None:
    for status, example in known.get(operation["operationId"], {}).items():
        content = operation["responses"].get(status, {}).get("content", {})
        if "application/json" in content:
            content["application/json"]["example"] = example


@cache
def examples() -> Mapping[str, Mapping[str, Any]]:
    """Return examples of replies by operation and status. ``qingxiang demo`` writes the file."""
    found: Mapping[str, Mapping[str, Any]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found


def _link(target: str, inputs: Mapping[str, str]) -> dict[str, Any]:
    link: dict[str, Any] = {"operationId": target}
    for place, pointer in inputs.items():
        kind = "requestBody" if place.startswith("body.") else "parameters"
        link.setdefault(kind, {})[place.removeprefix("body.")] = f"$response.body#/{pointer}"
    return link
