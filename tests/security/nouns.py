"""What the test module of each noun tells of its operations, collected.

A router ``app/routers/<noun>.py`` has the test module ``tests/routers/test_<noun>.py``. It
exports MATRIX, and of the others what the noun needs:

``MATRIX``             a line for each operation: its access rule, and what each caller gets
``REQUESTS``           by operation, what makes a request that reaches for something of Alice's
``HERS``               by table, the SQL condition for the rows that are Alice's
``BESIDE_POINTS``      its tables on whose rows nobody's points depend (``test_tampering``)
``REFUSED``            by code, what makes a request that is refused with facts
``known``              what a generated request of Schemathesis may name, by field or parameter
``completion``         what makes a generated body one that can succeed
``BEYOND_THE_SCHEMA``  with which fields and codes a body is refused that its schema allows
``HIDDEN_AT_FIRST``    operations that do not find what another operation has just made

A line of MATRIX is ``operation  rule  cells  status=code …``, with two spaces or more between
the first three; the operation may be followed by a word, where it stands on several lines.
A cell is the status of the answer. ``+`` means that the answer shows, or the call changes,
something that is Alice's own; without it neither may happen. 401 is ``auth.login_required``
and 403 ``auth.forbidden``; the codes of other refusals stand at the end of the line.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app import routers
from app.api.exports import EXPORTED, name_of

# The columns of the matrix. ``outsider`` holds every role, each at a wrong place.
EVERYBODY = (
    *("nobody", "alice", "bob", "counter", "rival"),
    *("sibling", "parent", "auditor", "admin", "outsider"),
)
HEADING = ("operation", "rule", *EVERYBODY)
DEFAULT_CODES = {401: "auth.login_required", 403: "auth.forbidden"}
ROUTERS = f"{routers.__name__}."
Exports = Mapping[str, Any]  # of a test module, by name


@dataclass(frozen=True)
class Row:
    """``cells`` by caller, ``codes`` of refusals by status."""

    operation: str
    rule: str
    cells: dict[str, str]
    codes: dict[int, str]


@cache
def modules() -> dict[str, Exports]:
    """Import the test module of every router; return what they export, by noun."""
    nouns = sorted(module.name for module in iter_modules(routers.__path__))
    for noun in nouns:
        import_module(ROUTERS + noun)  # which declares the files of its lists
    return {noun: vars(import_module(f"tests.routers.test_{noun}")) for noun in nouns}


def rows_of(matrix: str) -> dict[str, Row]:
    """Read a MATRIX; the first of its lines names the columns."""
    heading, *lines = matrix.strip().splitlines()
    assert tuple(heading.split()) == HEADING, heading
    return dict(map(_row, lines))


def _row(line: str) -> tuple[str, Row]:
    name, rule, rest = re.split(r" {2,}", line.strip(), maxsplit=2)
    words = rest.split()
    cells = dict(zip(EVERYBODY, words[: len(EVERYBODY)], strict=True))
    codes = dict(word.split("=") for word in words[len(EVERYBODY) :])
    refusals = DEFAULT_CODES | {int(status): code for status, code in codes.items()}
    return name, Row(name.split()[0], rule, cells, refusals)


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join mappings that have no key in common."""
    found: dict[str, Any] = {}
    for part in parts:
        assert not found.keys() & part.keys(), f"told twice: {found.keys() & part.keys()}"
        found |= part
    return found


def rows() -> dict[str, Row]:
    """Return the lines of all modules, by the operation and the word after it, and of files."""
    told = merged(rows_of(exports["MATRIX"]) for exports in modules().values())
    return told | {
        row.operation: row for name in sorted(EXPORTED) for row in _rows_of_files(told[name])
    }


def files() -> set[str]:
    """Return the operations that are files of lists; their lines follow from the lists'."""
    return {name_of(name, form) for name in EXPORTED for form in ("csv", "xlsx")}


def _rows_of_files(listed: Row) -> Iterator[Row]:
    """Yield the rows of a list's files: the list's own, but they need a login."""
    cells, rule = listed.cells, listed.rule
    if rule == "anyone":
        cells, rule = cells | {"nobody": "401"}, "person"
    packed = {who: cell.rstrip("+") for who, cell in cells.items()}  # nobody reads a zip
    yield Row(name_of(listed.operation, "csv"), rule, cells, listed.codes)
    yield Row(name_of(listed.operation, "xlsx"), rule, packed, listed.codes)


def requests() -> dict[str, Any]:
    """Return what makes the requests: of a list's files those of the list, with a purpose."""
    told = merged(exports.get("REQUESTS", {}) for exports in modules().values())
    files = {
        name_of(name, form): _with_purpose(name, told.get(name))
        for name in sorted(EXPORTED)
        for form in ("csv", "xlsx")
    }
    return told | files


def _with_purpose(name: str, make: Any) -> Any:
    purpose = {} if "My" in name or "Child" in name else {"purpose": "核对"}  # one's own needs none

    async def ask(world: Any) -> Any:
        from tests.security.world import Ask

        listed = await make(world) if make else Ask()
        return replace(listed, query=listed.query | purpose)

    return ask


def hers() -> dict[str, str]:
    return merged(exports.get("HERS", {}) for exports in modules().values())


def beside_points() -> set[str]:
    return {table for exports in modules().values() for table in exports.get("BESIDE_POINTS", ())}


def refused() -> dict[str, Any]:
    return merged(exports.get("REFUSED", {}) for exports in modules().values())


@dataclass(frozen=True)
class Served:
    """An operation that a router module serves; ``label`` as Schemathesis writes it."""

    noun: str
    label: str
    operation: str


def served(app: FastAPI) -> list[Served]:
    """Return the operations of all router modules."""
    return [
        Served(route.endpoint.__module__.removeprefix(ROUTERS), f"{method} {context.path}", name)
        for context in iter_route_contexts(app.routes)
        if isinstance(route := context.original_route, APIRoute)
        and route.endpoint.__module__.startswith(ROUTERS)
        and (name := route.operation_id)
        for method in context.methods or ()
    ]
