"""docs/upgrading.md tells of each migration since the release."""

import re

import pytest

from tests.engines import ROOT
from tests.migrations.old import migrations_since, read_kept

NOTES = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
COLUMNS = ["migration", "what it does", "locks", "time up / down", "the way back loses"]


def rows(notes: str) -> list[list[str]]:
    """Return the cells of the table, the head first, of the part about the release."""
    part = notes.partition(f"\n## From {read_kept()['revision']}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|(.+)\|$", part, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def missing(notes: str, migrations: list[str]) -> set[str]:
    """Return the migrations of which the notes do not say all."""
    told = [row[0].strip("`") for row in rows(notes)[2:] if len(row) == len(COLUMNS) and all(row)]
    return {*migrations} - {*told}


def test_each_migration_since_the_release_has_a_line() -> None:
    assert rows(NOTES)[0] == COLUMNS
    assert missing(NOTES, migrations_since()) == set()
    assert [row[0].strip("`") for row in rows(NOTES)[2:]] == migrations_since()


@pytest.mark.parametrize("taken", [r"\| `20261129_audit` .*\n", "0.1 s / 0.2 s"])
def test_a_line_or_a_cell_that_is_missing_is_noticed(taken: str) -> None:
    notes, number = re.subn(taken, "", NOTES)
    assert number == 1
    assert missing(notes, migrations_since()) == {"20261129_audit"}


def test_the_way_back_ends_at_the_release() -> None:
    assert f'"{read_kept()["revision"]}"' in NOTES.partition("## The way back")[2]
