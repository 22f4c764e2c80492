"""Messages of validators: exact in both languages."""

import ast
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core.validation_messages import explained
from app.schemas import base
from app.schemas.audit import SubjectFilter
from app.schemas.awards.batches import BatchRowIn
from app.services.attachments import subjects

APP = Path(base.__file__).parents[1]
# Where validators of requests are. Others of app/core read settings and answers of our own.
VALIDATORS = [*APP.glob("schemas/**/*.py"), Path(subjects.__file__)]
GENERAL = "内容不一致"


def general(source: str) -> list[int]:
    """Return the lines that raise a bare error, whose Chinese message would be the general one."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise)
        and any(
            isinstance(one, ast.Name) and one.id in ("ValueError", "AssertionError")
            for one in ast.walk(node)
        )
    ]


@pytest.mark.parametrize("file", VALIDATORS, ids=lambda file: file.stem)
def test_a_validator_has_a_message_in_both_languages(file: Path) -> None:
    assert general(file.read_text(encoding="utf-8")) == []


def test_a_bare_error_would_be_found() -> None:
    assert general("def f(x):\n    raise ValueError('no')\n") == [2]


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (base.Text, "\x01"),
        (base.Text, "\u202e"),
        (base.Moment, 5),
        (base.Moment, "20260101"),
        (base.Moment, "2026-01-01T00:00:00"),
        (base.Moment, "1926-01-01T00:00:00Z"),
        (SubjectFilter, "Award"),
        (BatchRowIn, {"evidence": {}}),
    ],
)
def test_the_message_is_exact(shape: Any, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(shape).validate_python(value)
    [error] = refused.value.errors()
    said = explained(error)
    assert (error["type"], said.en.isascii(), said.zh.isascii()) == ("bilingual", True, False)
    assert said.zh != GENERAL
