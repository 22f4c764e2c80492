"""The examples of the OpenAPI document are there, and valid for their schemas."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI

JSON = "application/json"
FORM = "multipart/form-data"
FILE = "a,b\n"
DOCUMENT = "urn:document"


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    found: dict[str, Any] = app.openapi()
    return found


@pytest.fixture(scope="module")
def components(document: dict[str, Any]) -> jsonschema_rs.Registry:
    """The components of the document, converted once for all validators."""
    return jsonschema_rs.Registry([(DOCUMENT, {"components": document["components"]})])


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def wrong(components: jsonschema_rs.Registry, schema: dict[str, Any], value: Any) -> list[str]:
    """Return what is wrong with a value, by the schema and the components of the document."""
    whole = json.loads(json.dumps(schema).replace('"#/components/', f'"{DOCUMENT}#/components/'))
    validator = jsonschema_rs.Draft202012Validator(
        whole, validate_formats=True, registry=components
    )
    return [
        f"{'.'.join(map(str, one.instance_path))}: {one.message}"
        for one in validator.iter_errors(value)
    ]


def body_examples(document: dict[str, Any], content: dict[str, Any]) -> list[Any]:
    """Return the examples of a JSON body; of a form the one that its fields have together."""
    schema = content[JSON if JSON in content else FORM]["schema"]
    name = schema.get("$ref") or next(one["$ref"] for one in schema["anyOf"] if "$ref" in one)
    model = document["components"]["schemas"][name.rpartition("/")[2]]
    if JSON in content:
        found: list[Any] = model.get("examples", [])
        return found
    fields = model["properties"].items()
    files = {field: FILE for field, shape in fields if "contentMediaType" in shape}
    parts = {field: shape["examples"][0] for field, shape in fields if "examples" in shape}
    return [files | parts]


def test_every_body_has_an_example_that_is_valid(
    document: dict[str, Any], components: jsonschema_rs.Registry
) -> None:
    missing, invalid = [], {}
    for operation in operations(document):
        if "requestBody" not in operation:
            continue
        content = operation["requestBody"]["content"]
        found = body_examples(document, content)
        if not found:
            missing.append(operation["operationId"])
        for media_type, body in content.items():
            # Beside JSON, what is no JSON has an example of its own.
            own = media_type != JSON and JSON in content
            for value in [body["example"]] if own else found:
                if errors := wrong(components, body["schema"], value):
                    invalid[operation["operationId"]] = errors
    assert (missing, invalid) == ([], {})


def test_every_reply_of_json_has_an_example_that_is_valid(
    document: dict[str, Any], components: jsonschema_rs.Registry
) -> None:
    missing, invalid = [], {}
    for operation in operations(document):
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get(JSON)
            if content is None or status >= "300":
                continue
            name = f"{operation['operationId']} {status}"
            if "example" not in content:
                missing.append(name)
            elif errors := wrong(components, content["schema"], content["example"]):
                invalid[name] = errors
    assert (missing, invalid) == ([], {})


def test_every_other_example_is_valid(
    document: dict[str, Any], components: jsonschema_rs.Registry
) -> None:
    assert {
        f"{name}.{field}": errors
        for name, schema in document["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        for value in shape.get("examples", [])
        if (errors := wrong(components, shape, value))
    } == {}


def test_an_example_of_another_shape_would_be_found(components: jsonschema_rs.Registry) -> None:
    schema = {"$ref": "#/components/schemas/RedemptionIn"}
    assert wrong(components, schema, {"reward_id": "soap"}) != []
    assert wrong(components, schema, {"reward_id": "01900000-0000-7003-8000-000000000001"}) == []
