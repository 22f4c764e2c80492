"""What the test module of each noun tells is complete, and told once."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel import SQLModel

from tests.security import nouns
from tests.security.nouns import Exports, Served

# Whose row it is, and who wrote it.
PERSON_COLUMNS = {"person_id", "owner_id", "created_by"}
# Tables of people that no operation shows.
SHOWN_TO_NOBODY = {"idempotency_keys"}
ROW = "isAlive  probe  200 200 200 200 200 200 200 200 200 200"


def misplaced(served: list[Served], modules: Mapping[str, Exports]) -> dict[str, set[str]]:
    """Return, by noun, operations without a line and lines without an operation."""
    found = {}
    for noun, exports in modules.items():
        told = {row.operation for row in nouns.rows_of(exports["MATRIX"]).values()}
        operations = {one.operation for one in served if one.noun == noun} - nouns.files()
        if different := told ^ operations:
            found[noun] = different
    return found


def requests_without_a_line(modules: Mapping[str, Exports]) -> set[str]:
    return {
        name
        for exports in modules.values()
        for name in exports.get("REQUESTS", {}).keys() - nouns.rows_of(exports["MATRIX"]).keys()
    }


def tables_of_nobody(hers: Mapping[str, str]) -> set[str]:
    """Return tables that name a person, and of which no noun says which rows are Alice's."""
    return {
        table.name
        for table in SQLModel.metadata.tables.values()
        if PERSON_COLUMNS & set(table.columns.keys())
    } - (hers.keys() | SHOWN_TO_NOBODY)


def matrix(*lines: str) -> str:
    return "\n".join(["  ".join(nouns.HEADING), *lines])


def test_every_noun_tells_of_its_own_operations(app: FastAPI) -> None:
    assert misplaced(nouns.served(app), nouns.modules()) == {}


def test_an_operation_without_a_line_would_be_found() -> None:
    served = [Served("health", "GET /healthz", "isAlive"), Served("health", "GET /x", "isWell")]
    assert misplaced(served, {"health": {"MATRIX": matrix(ROW)}}) == {"health": {"isWell"}}


def test_a_line_without_an_operation_would_be_found() -> None:
    served = [Served("health", "GET /healthz", "isAlive")]
    other = {"orgs": {"MATRIX": matrix(ROW)}}
    assert misplaced(served, other) == {"orgs": {"isAlive"}}


def test_every_request_has_a_line() -> None:
    assert requests_without_a_line(nouns.modules()) == set()


def test_a_request_without_a_line_would_be_found() -> None:
    known = {"health": {"MATRIX": matrix(ROW), "REQUESTS": {"isWell": None}}}
    assert requests_without_a_line(known) == {"isWell"}


def test_lines_of_one_operation_agree_on_its_rule() -> None:
    told = {(row.operation, row.rule) for row in nouns.rows().values()}
    assert len(told) == len({operation for operation, _ in told})


def test_a_matrix_is_read_by_its_columns() -> None:
    wide = "readIt again  merchant staff  401 403+ 3 4 5 6 7 8 9 404  404=its.not_found"
    row = nouns.rows_of(matrix(wide))["readIt again"]
    assert (row.operation, row.rule) == ("readIt", "merchant staff")
    assert (row.cells["nobody"], row.cells["alice"], row.cells["outsider"]) == (
        "401",
        "403+",
        "404",
    )
    assert row.codes[404] == "its.not_found"


@pytest.mark.parametrize(
    "wrong",
    [
        ROW,
        matrix(ROW).replace("alice  bob", "bob  alice"),
        matrix(ROW.rpartition(" ")[0]),
        matrix(ROW.replace("  probe", "")),
    ],
    ids=["no heading", "another order", "a cell too few", "no rule"],
)
def test_a_matrix_of_another_shape_is_refused(wrong: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        nouns.rows_of(wrong)


def test_what_two_modules_tell_would_be_found() -> None:
    with pytest.raises(AssertionError, match="signups"):
        nouns.merged([{"signups": "person_id = :alice"}, {"signups": "true"}])


def test_every_table_that_names_a_person_has_rows_that_are_alices() -> None:
    assert tables_of_nobody(nouns.hers()) == set()


def test_a_table_that_no_noun_tells_of_would_be_found() -> None:
    without: dict[str, Any] = {k: v for k, v in nouns.hers().items() if k != "signups"}
    assert tables_of_nobody(without) == {"signups"}
