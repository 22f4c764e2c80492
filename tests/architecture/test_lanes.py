"""Two lanes (DESIGN.md 2): what a crowd does at once is written otherwise than everything else.

The data plane is a closed list of modules. All other modules, the control plane, take what
they need as ``Tx`` or ``Reader`` and never the ``Runtime``; they query with SQLModel's
``select``, and have SQL text only for arrays, windows over a subtree, or what bench/ measures.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from bench.growth import READS
from tests.engines import ROOT

APP = ROOT / "app"
# By layer, without which a rush would fail: group commits, set-based SQL, the bare Request.
DATA_PLANE = {
    "routers": {"activities", "checkins", "leaderboards", "ledger", "merchants", "signups"},
    "queries": {
        *("activities", "checkins", "idempotency", "leaderboards", "ledger", "signups"),
        *("awards.attendance", "awards.granting"),
    },
}
RUNTIME = {"Runtime", "AppRuntime", "runtime_of"}
# What WeChat, Redis or the parsing of a sheet may delay holds no connection meanwhile.
WITHOUT_A_TRANSACTION = {
    *("auth.log_in", "auth.refresh", "auth.log_out", "awards._uploaded", "health.is_ready"),
}
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|SET|LOCK|TRUNCATE)\s")
ARRAY = re.compile(r"\bunnest\(|\bANY\s*\(")
WINDOW, SUBTREE = re.compile(r"\bOVER\s*[(\w]"), re.compile(r"path \^@")
# What bench/growth.py measures by a read of this name.
MEASURED = {
    "merchants._ITEMS": "merchant's statement",
    "merchants._STATEMENT": "merchant's statement",
    "merchants._SUMS": "merchant's statement",
}
# SQL text that SQLModel's select, insert, update or delete can say as well. It only shrinks.
NOT_YET_SELECTED = {
    "auth.SPEND",
    *("awards.reading._OF_PERSON", "awards.reading._OF_SUBTREE"),
    "awards.reviewing._LOCK_NUMBERS",
    *("awards.reviewing._STANDING", "awards.reviewing._REVIEW", "awards.reviewing._APPROVALS"),
    *("awards.reviewing._GIVE_NOTICE", "awards.reviewing._WAIT_UNTIL"),
    *("awards.reviewing._OBJECT", "awards.reviewing._DECIDE", "awards.reviewing._NOTICES"),
    *("cards._CURRENT", "cards._INSERT", "cards._FORGET"),
    *("funds._WAITING", "funds._MONTH", "funds._FIRST_UNCLOSED", "funds._PUBLIC"),
    *("health._OVERPOWERED", "health.schema_version"),
    *("orgs._MOVE", "orgs._MOVE_ACTIVITIES", "outbox._POSTPONE"),
    "policies._INSERT",
    *("redemptions._REDEEMED", "redemptions._SETTLE", "redemptions.REFUND", "rewards._PAGE"),
}
# Beside the queries: how a connection is set up, constraints, and what starts the engines.
MAY_HAVE_SQL = {"core", "embedded", "models", "queries"}


def sources(layer: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each module of a layer, and its text."""
    for file in sorted((APP / layer).rglob("*.py")):
        parts = file.relative_to(APP / layer).with_suffix("").parts
        yield ".".join(parts), file.read_text(encoding="utf-8")


def control_plane(layer: str) -> Iterator[tuple[str, str]]:
    listed = DATA_PLANE.get(layer, set())
    for name, source in sources(layer):
        if name not in listed and name.partition(".")[0] not in listed:
            yield name, source


def named(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield what stands at the top of a module, by the name that it defines."""
    for one in tree.body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield one.name, one
        elif isinstance(one, ast.Assign):
            yield ast.unparse(one.targets[0]), one
        elif not isinstance(one, ast.Import | ast.ImportFrom):
            yield f"line {one.lineno}", one


def takers(module: str, source: str) -> set[str]:
    """Return what takes the Runtime, or imports it under another name."""
    tree = ast.parse(source)
    found = {
        name
        for name, body in named(tree)
        for node in ast.walk(body)
        if isinstance(node, ast.Name) and node.id in RUNTIME
    }
    renamed = {
        f"import of {alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in RUNTIME and alias.asname
    }
    return {f"{module}.{name}" for name in found | renamed}


def statements(module: str, source: str) -> Iterator[tuple[str, str]]:
    """Yield each SQL text of a module by the name of its constant or function."""
    for name, body in named(ast.parse(source)):
        inner = {
            id(part)
            for node in ast.walk(body)
            if isinstance(node, ast.JoinedStr)
            for part in node.values
        }
        for node in ast.walk(body):
            if id(node) not in inner and SQL.match(text := text_of(node)):
                yield f"{module}.{name}", text


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "?" for part in node.values)
    return ""


def is_for_arrays_or_windows(sql: str) -> bool:
    return bool(ARRAY.search(sql) or (WINDOW.search(sql) and SUBTREE.search(sql)))


def plain(module: str, source: str) -> set[str]:
    """Return the statements of a module that need no SQL text."""
    texts = statements(module, source)
    return {name for name, sql in texts if not is_for_arrays_or_windows(sql)}


def test_the_control_plane_takes_no_runtime() -> None:
    found = {
        name
        for layer in ("routers", "services", "queries")
        for module, source in control_plane(layer)
        for name in takers(module, source)
    }
    assert found == WITHOUT_A_TRANSACTION


@pytest.mark.parametrize(
    "source",
    [
        "async def read(runtime: AppRuntime) -> None: ...",
        "async def read(request: Request) -> None:\n    runtime_of(request)",
        "Own = Annotated[Runtime, None]",
    ],
)
def test_a_module_that_takes_the_runtime_would_be_found(source: str) -> None:
    assert takers("needs", source) in ({"needs.read"}, {"needs.Own"})


def test_a_runtime_of_another_name_would_be_found() -> None:
    renamed = "from app.api.access import runtime_of as held"
    assert takers("needs", renamed) == {"needs.import of runtime_of"}


def test_sql_text_of_the_control_plane_is_needed() -> None:
    found = {name for module, source in control_plane("queries") for name in plain(module, source)}
    assert found - MEASURED.keys() == NOT_YET_SELECTED


def test_every_measured_statement_is_measured() -> None:
    assert set(MEASURED.values()) <= {read.name for read in READS}
    there = {
        name for module, source in sources("queries") for name, _ in statements(module, source)
    }
    assert MEASURED.keys() <= there


def test_sql_text_that_select_can_say_would_be_found() -> None:
    source = '''
_FIND = text("SELECT * FROM needs WHERE id = :id")
_FIND_MANY = text("SELECT * FROM needs WHERE id = ANY(CAST(:ids AS uuid[]))")
_RANKS = f"""
SELECT id, {RANK}, row_number() OVER (ORDER BY id) FROM needs JOIN orgs o WHERE o.path ^@ :path
"""
_ROWS = "SELECT id, row_number() OVER (ORDER BY id) FROM needs"

def count(tx):
    """Select nothing."""
    return tx.execute(text(f"SELECT count(*) FROM {TABLE}"))
'''
    assert plain("needs", source) == {"needs._FIND", "needs._ROWS", "needs.count"}
    assert len(dict(statements("needs", source))) == 5


def test_sql_stands_in_queries_alone() -> None:
    elsewhere = {
        str(file.relative_to(APP))
        for file in APP.rglob("*.py")
        if file.relative_to(APP).parts[0] not in MAY_HAVE_SQL
        and list(statements(file.stem, file.read_text(encoding="utf-8")))
    }
    assert elsewhere == set()


def test_the_data_plane_is_there() -> None:
    """A name that is not there any more would be leave for the next of that name."""
    for layer, names in DATA_PLANE.items():
        modules = {name for name, _ in sources(layer)}
        packages = {name.partition(".")[0] for name in modules}
        assert names <= modules | packages, layer
