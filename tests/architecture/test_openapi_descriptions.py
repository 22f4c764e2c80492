"""Everything in the OpenAPI document says what it means: operations, parameters, properties."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

SENTENCE = 2  # characters: `Id.` is a description, an empty string is none


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    found: dict[str, Any] = app.openapi()
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def says_nothing(one: dict[str, Any]) -> bool:
    return len(one.get("description", "")) <= SENTENCE


def test_every_property_is_described(document: dict[str, Any]) -> None:
    assert [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        if says_nothing(shape)
    ] == []


def test_every_parameter_is_described(document: dict[str, Any]) -> None:
    assert [
        f"{operation['operationId']} {one['name']}"
        for operation in operations(document)
        for one in operation.get("parameters", [])
        if says_nothing(one)
    ] == []


def test_every_operation_has_a_summary_and_a_description(document: dict[str, Any]) -> None:
    assert [
        operation["operationId"]
        for operation in operations(document)
        if says_nothing(operation) or not operation.get("summary")
    ] == []
