"""Two lanes (DESIGN.md 2): what a crowd does at once is written otherwise than everything else.

The data plane is a closed list of modules. All other modules, the control plane, take what
they need as ``Tx`` or ``Reader`` and never the ``Runtime``; they query with SQLModel's
``select``, and have SQL text only for arrays, windows over a subtree, what bench/ measures, and
the statements of SHORTER_AS_SQL.
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
    "routers": {
        *("activities", "checkins", "checkouts", "counters", "leaderboards", "ledger", "live"),
        "signups",
    },
    "queries": {
        *("activities", "checkins", "checkouts", "idempotency", "leaderboards", "live", "signups"),
        "waiting_lists",
        *("awards.granting", "ledger.posting", "ledger.reading", "ledger.totals"),
    },
}
RUNTIME = {"Runtime", "AppRuntime", "runtime_of"}
# What WeChat, Redis, a store, or the reading of an upload may delay holds no connection meanwhile.
WITHOUT_A_TRANSACTION = {
    *("attachments._may_attach", "attachments._uploaded", "attachments._stored"),
    *("attachments._served", "posters._wxacode", "activity_posters._wxacode", "pushes._reader"),
    "org_imports._uploaded",
    "scans._received",  # settles in several transactions
    *("auth.log_in", "auth.refresh", "auth.log_out", "awards._uploaded"),
    *("health.get_metrics", "health.is_ready"),
}
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|SET|LOCK|TRUNCATE)\s")
ARRAY = re.compile(r"\bunnest\(|\bANY\s*\(")
WINDOW, SUBTREE = re.compile(r"\bOVER\s*[(\w]"), re.compile(r"path \^@")
# What is measured by a read of this name in bench/growth.py, or by this module (bench.http: in
# its writing cases). A key is the name
# of a statement, or of a module for all of its statements.
MEASURED = {
    "ledger.attendance": "bench.verify",
    "ledger.awarded": "bench.verify",
    "ledger.checking": "bench.verify",
    "ledger.checksums": "bench.verify",
    "ledger.closing.CLOSING_CHECKS": "bench.verify",
    "ledger.decided": "bench.verify",
    "ledger.facts": "bench.verify",
    "ledger.goods": "bench.verify",
    "ledger.holds.HOLD_CHECKS": "bench.verify",
    "ledger.schema": "bench.verify",
    "ledger.months": "bench.verify",
    "ledger.redactions.REDACTION_CHECKS": "bench.verify",
    "ledger.sealing_facts": "bench.verify",
    "ledger.settled": "bench.verify",
    "ledger.sealing._NODES": "bench.verify",
    "ledger.sealing._TREE": "bench.verify",
    "ledger.standing": "bench.verify",
    "ledger.trail": "bench.verify",
    "ledger.linked": "bench.verify",
    "ledger.visited": "bench.verify",
    "ledger.statement._ENTRIES": "statement: entries in the middle",
    "merchants._ITEMS": "merchant's statement",
    "merchants._STATEMENT": "merchant's statement",
    "merchants._SUMS": "merchant's statement",
    "policies._NEWEST": "bench.http",
}
# SQL text that select, insert, update or delete can say too, and why it is shorter as text.
SHORTER_AS_SQL = {
    "awards.reading._OF_PERSON": "a lateral of four filtered aggregates over the lots of an award",
    "attendance_figures._FIGURES": "grouping sets over a subtree, by what holds of each check-in",
    "corrections._STATE": "a check-in with the latest of its corrections, by a lateral",
    "divisions._MOVE": "an update from a recursive query",
    "funds._CHANGES": "a union of ten selects over one materialized set",
    "funds._PUBLIC": "nine sums over a lateral that reads one row of each issuer",
    "health._OVERPOWERED": "privileges of columns from PostgreSQL's catalogue",
    "ledger.exchanged.EXCHANGE_CHECKS": "run by bench.verify with the checks of its neighbours",
    "ledger.merged.MERGE_CHECKS": "run by bench.verify with the checks of its neighbours",
    "ledger.probing.share_snapshot": "SET TRANSACTION SNAPSHOT takes a literal alone",
    "ledger.probing.tune": "settings of PostgreSQL's planner",
    "ledger.sealing._GROUP_LEAVES": "hashes of leaves, by the same SQL as the tree",
    "ledger.sealing._LEAVES": "hashes of leaves, by the same SQL as the tree",
    "ledger.sealing._SEALED_ENTRY": "the text of a leaf, by the same SQL as the tree",
    "merges._BLOCKERS": "six counts of six tables in one statement",
    "signup_offers.LOCK_LAPSED": "locks rows in a subquery, and joins what it found",
    "signup_reminders.REMIND": "an insert from a union, joined with what it has inserted",
    "swaps._RETIME": "an update by the lesser of two columns of other tables",
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


def is_measured(statement: str) -> bool:
    return statement in MEASURED or statement.rpartition(".")[0] in MEASURED


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
    assert {name for name in found if not is_measured(name)} == SHORTER_AS_SQL.keys()


def test_every_measured_statement_is_measured() -> None:
    measures = {read.name for read in READS} | {"bench.http", "bench.verify"}
    assert set(MEASURED.values()) <= measures
    there = {name for module, source in control_plane("queries") for name in plain(module, source)}
    assert MEASURED.keys() <= there | {name.rpartition(".")[0] for name in there}


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
