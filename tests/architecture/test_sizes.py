"""Small files, small functions, thin handlers, packages without facades: DESIGN.md 7, measured."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_APP_FILE, MAX_TEST_FILE, MAX_FUNCTION, MAX_HANDLER = 300, 500, 70, 15
# The topmost package sets the collector. The models' imports all of its modules: this fills the
# metadata.
MAY_HAVE_CODE = {".", "models"}
CATCH_ALL = {"utils", "common", "crud", "constants", "helpers"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def functions(source: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            yield node


def length(node: Function) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def statement_lines(node: Function) -> int:
    """Lines of the body without signature and docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if not body:
        return 0
    assert body[-1].end_lineno is not None
    return body[-1].end_lineno - body[0].lineno + 1


def is_handler(node: Function) -> bool:
    """Tell whether it is decorated with ``@router.get(…)`` or a sister."""
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and isinstance(decorator.func.value, ast.Name)
        and decorator.func.value.id == "router"
        for decorator in node.decorator_list
    )


def too_long(file: Path, limit: int) -> list[str]:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    return [f"{file.name}: {lines} lines"] if lines > limit else []


def long_functions(source: str) -> list[str]:
    return [f"{one.name}: {length(one)}" for one in functions(source) if length(one) > MAX_FUNCTION]


def fat_handlers(source: str) -> list[str]:
    return [
        f"{one.name}: {statement_lines(one)}"
        for one in functions(source)
        if is_handler(one) and statement_lines(one) > MAX_HANDLER
    ]


def test_no_file_of_the_application_is_long() -> None:
    assert [found for file in python_files("app") for found in too_long(file, MAX_APP_FILE)] == []


def test_no_file_of_tests_is_long() -> None:
    assert [
        found for file in python_files("tests") for found in too_long(file, MAX_TEST_FILE)
    ] == []


def test_a_long_file_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "orgs.py"
    file.write_text("x = 1\n" * (MAX_APP_FILE + 1))
    assert too_long(file, MAX_APP_FILE) == ["orgs.py: 301 lines"]


def test_no_function_is_long() -> None:
    found = {
        str(file.relative_to(ROOT)): long
        for file in python_files("app", "tests")
        if (long := long_functions(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_a_long_function_would_be_found() -> None:
    source = "async def sprawl():\n" + "    x = 1\n" * MAX_FUNCTION
    assert long_functions(source) == ["sprawl: 71"]


def test_handlers_only_parse_call_and_return() -> None:
    found = {
        file.name: fat
        for file in python_files("app/routers")
        if (fat := fat_handlers(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_every_router_has_a_handler_that_is_measured() -> None:
    for file in python_files("app/routers"):
        if file.stem != "__init__":
            source = file.read_text(encoding="utf-8")
            assert any(is_handler(one) for one in functions(source)), file.name


def test_a_fat_handler_would_be_found() -> None:
    body = "    x = 1\n" * (MAX_HANDLER + 1)
    fat = f'@router.post("/x", status_code=201)\nasync def fat():\n    """Why."""\n{body}'
    assert fat_handlers(fat) == ["fat: 16"]
    assert fat_handlers(fat.replace("@router.post", "@other.post")) == []


def test_nothing_is_named_after_a_drawer() -> None:
    found = [file for file in python_files("app", "tests") if file.stem in CATCH_ALL]
    assert found == []
    assert Path("app/utils.py").stem in CATCH_ALL


def holds_only_a_docstring(source: str) -> bool:
    body = ast.parse(source).body
    return not body or (len(body) == 1 and ast.get_docstring(ast.parse(source)) is not None)


def test_packages_have_no_facades() -> None:
    found = {
        str(file.parent.relative_to(ROOT / "app"))
        for file in python_files("app")
        if file.name == "__init__.py"
        and not holds_only_a_docstring(file.read_text(encoding="utf-8"))
    }
    assert found == MAY_HAVE_CODE


def test_a_facade_would_be_found() -> None:
    docstring = '"""The ledger."""\n'
    assert holds_only_a_docstring(docstring)
    assert holds_only_a_docstring("")
    assert not holds_only_a_docstring(f"{docstring}from app.services.ledger.posting import post\n")
    assert not holds_only_a_docstring('__all__ = ["post"]\n')
