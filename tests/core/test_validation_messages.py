"""Messages of validators: exact in both languages."""

import ast
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from app.core.validation_messages import explained
from app.schemas import base
from app.schemas.awards.batches import BatchRowIn
from app.schemas.merchants import Phone
from app.schemas.org_changes import DivisionCode
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


def patterns(source: str) -> set[str]:
    """Return the patterns that pydantic itself checks: keyword arguments of fields."""
    return {
        ast.literal_eval(word.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg == "pattern"
    }


def test_every_pattern_has_its_message() -> None:
    files = [*VALIDATORS, *APP.glob("routers/*.py"), *APP.glob("api/*.py")]
    found = {one for file in files for one in patterns(file.read_text(encoding="utf-8"))}
    assert len(found) > 6
    for pattern in found:
        error = {"type": "string_pattern_mismatch", "msg": "", "ctx": {"pattern": pattern}}
        assert explained(error).zh not in {"格式不正确", "不正确"}, pattern


def test_the_message_is_that_of_the_pattern() -> None:
    shapes: list[tuple[Any, str]] = [
        (Phone, "只用数字、空格和 + ( ) -"),
        (DivisionCode, "应为 2 至 20 位数字"),
        (Annotated[str, Field(pattern="^x$")], "格式不正确"),
    ]
    for shape, zh in shapes:
        with pytest.raises(ValidationError) as refused:
            TypeAdapter(shape).validate_python("三茅街道办")
        [error] = refused.value.errors()
        assert explained(error).zh == zh


OWN_PATTERN_OF_A_TEXT = re.compile(r"\bText\b[^\]]*\bpattern=")


def test_no_text_has_a_pattern_of_its_own() -> None:
    """The document would show that of Text in its place."""
    files = [*VALIDATORS, *APP.glob("routers/*.py"), *APP.glob("api/*.py")]
    sources = {file.name: file.read_text(encoding="utf-8") for file in files}
    assert [name for name, text in sources.items() if OWN_PATTERN_OF_A_TEXT.search(text)] == []
    assert OWN_PATTERN_OF_A_TEXT.search('key: Annotated[Text, Field(max_length=9, pattern="^a$")]')


def test_a_limit_is_told() -> None:
    shapes: list[tuple[Any, Any, tuple[str, str]]] = [
        (
            Annotated[base.Text, Field(max_length=5)],
            "清" * 6,
            ("最多 5 个字符", "at most 5 characters"),
        ),
        (Annotated[str, Field(min_length=1)], "", ("不能为空", "must not be empty")),
        (Annotated[str, Field(min_length=2)], "a", ("至少 2 个字符", "at least 2 characters")),
        (Annotated[list[int], Field(max_length=2)], [1, 2, 3], ("最多 2 项", "at most 2 items")),
        (Annotated[int, Field(ge=3)], 2, ("应不小于 3", "must be at least 3")),
        (Annotated[int, Field(lt=3)], 3, ("应小于 3", "must be less than 3")),
    ]
    for shape, value, told in shapes:
        with pytest.raises(ValidationError) as refused:
            TypeAdapter(shape).validate_python(value)
        [error] = refused.value.errors()
        assert explained(error) == told
