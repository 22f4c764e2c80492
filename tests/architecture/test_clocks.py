"""No test depends on the hour at which it runs: see tests/factories/clock.py."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import ROOT

FILES = sorted((ROOT / "tests").rglob("*.py"))
THE_ONE = ROOT / "tests" / "factories" / "clock.py"
SEALS = re.compile(r"\b(seals|sealing|job)\.seal\(")
BY_A_SET_CLOCK = re.compile(r"at_noon|\btravel\(")
# Seals whatever is due, and looks at nothing of it.
ANY_NUMBER = {"tests/routers/test_ledger.py"}


def read_when_imported(tree: ast.AST) -> Iterator[int]:
    """Yield the lines on which a module asks for the time while it is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "now":
            yield node.lineno
        yield from read_when_imported(node)


def seals_by_the_real_clock(source: str) -> bool:
    return bool(SEALS.search(source)) and not BY_A_SET_CLOCK.search(source)


@pytest.mark.parametrize("source", ["T = local_date(now())", "class A:\n    T = [now()]"])
def test_a_time_that_is_read_when_imported_is_found(source: str) -> None:
    assert list(read_when_imported(ast.parse(source)))


def test_no_module_reads_the_clock_when_it_is_imported() -> None:
    """The test may run minutes later, on another day."""
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in FILES
        if file != THE_ONE
        for line in read_when_imported(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_what_seals_days_sets_the_clock() -> None:
    """How many days are over differs just after midnight."""
    assert seals_by_the_real_clock("assert await seals.seal(runtime) == 1")
    assert not seals_by_the_real_clock('mark("at_noon")\nassert await job.seal(runtime) == 1')
    found = {
        str(file.relative_to(ROOT))
        for file in FILES
        if seals_by_the_real_clock(file.read_text(encoding="utf-8"))
    }
    assert found - {str(Path(__file__).relative_to(ROOT))} == ANY_NUMBER
