"""The OpenAPI document: what FastAPI generates, and what it cannot know."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.access import BEARER
from app.core.problems import Problem

SCHEMA_PATH = "#/components/schemas/{model}"


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
        app.openapi_schema = schema
    return app.openapi_schema
