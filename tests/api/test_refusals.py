"""The catalogue of refusals: complete, printed, its facts known to the OpenAPI document."""

import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.problems import Facts, problem
from app.api.refusals import catalogue, document
from app.core.errors import RateLimited
from tests.api.test_problems import body_of, request
from tests.architecture.test_openapi import operations, refusals
from tests.engines import ROOT


def test_the_catalogue_has_every_refusal() -> None:
    found = {one.code: one for one in refusals()}
    assert [one.code for one in catalogue()] == sorted(found)


@pytest.mark.long
def test_the_command_prints_the_whole_catalogue() -> None:
    """In a process of its own: it must import the refusals itself."""
    refusals()
    command = [sys.executable, "-m", "app.cli", "refusals"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    assert printed.stdout == document()
    for one in catalogue():
        assert f"| `{one.code}` | {one.status} | {one.zh} | {one.en} |" in printed.stdout


def test_one_name_is_one_fact_for_all() -> None:
    told = {name for one in refusals() for name in one.fact_names}
    assert told == Facts.model_fields.keys()
    assert all(one.description for one in Facts.model_fields.values())


def test_each_operation_names_the_facts_of_its_refusals(app: FastAPI) -> None:
    names = {one.code: list(one.fact_names) for one in catalogue() if one.fact_names}
    for name, operation in operations(app.openapi()):
        for status, response in operation["responses"].items():
            codes = {code for code in names if f"`{code}`" in response.get("description", "")}
            if int(status) >= 400:
                assert response.get("x-facts", {}) == {c: names[c] for c in codes}, name


def test_facts_stand_in_the_body_with_when_to_come_back() -> None:
    body: dict[str, Any] = body_of(request(), RateLimited(retry_after=7, limit=3, window=60))
    assert body["facts"] == {"limit": 3, "window": 60, "retry_after": 7}
    assert problem(request(), RateLimited(retry_after=7)).headers["retry-after"] == "7"
    assert "facts" not in body_of(request(), RateLimited())
