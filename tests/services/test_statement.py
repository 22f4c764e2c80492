"""How a statement is written: in pages, of what never changes, or not at all."""

import asyncio
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import now
from app.models.ledger import Kind
from app.queries.ledger import statement as queries
from app.queries.ledger.statement import Span
from app.runtime import Runtime
from app.services.ledger import statement
from app.services.ledger import statement_xlsx as spreadsheet
from app.services.ledger.statement import PAGE, Entry, Form, Heading, Period, Statement, Sums
from app.services.ledger.statement_html import HtmlForm
from app.services.ledger.statement_words import KINDS
from app.services.ledger.statement_xlsx import XlsxForm
from tests.factories.ledger import give_points
from tests.factories.people import TestPerson, make_person
from tests.factories.statements import Read, give_titled, read_html, read_xlsx, sheets

EVER = Period(date(2000, 1, 1), date(2099, 12, 31))
READERS: dict[type[Form], Callable[[bytes], Read]] = {
    HtmlForm: lambda content: read_html(content.decode()),
    XlsxForm: read_xlsx,
}
MANY = 20_000


class Kept(Form):
    """A form on no paper: it keeps the numbers of each page that it is given."""

    def begin(self, heading: Heading) -> None:
        self.file.write(f"{heading.entries}".encode())

    def add(self, entries: Sequence[Entry]) -> None:
        self.file.write(f" {entries[0].number}-{entries[-1].number}".encode())

    def end(self, heading: Heading, sums: Sums) -> None:
        self.file.write(f" {sums.income}".encode())


async def make(runtime: Runtime, person: TestPerson, form: type[Form]) -> bytes:
    """Make a statement of everything; return what was written."""
    return content(
        await statement.make_statement(runtime.database, person.id, "points", EVER, form)
    )


def content(made: Statement) -> bytes:
    with made.file as file:
        file.seek(0)
        return file.read()


async def give_many(runtime: Runtime, person: TestPerson, number: int) -> None:
    for first in range(0, number, 2_000):
        titles = [f"第{n}次" for n in range(first, min(first + 2_000, number))]
        await give_titled(runtime, person.id, titles, now())


def left_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def peak(runtime: Runtime, person: TestPerson, form: type[Form]) -> int:
    """Return the most bytes that were held while a statement was made."""
    tracemalloc.start()
    try:
        made = await statement.make_statement(runtime.database, person.id, "points", EVER, form)
        made.file.close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.long
async def test_a_long_passbook_has_a_statement(runtime: Runtime) -> None:
    person = await make_person(runtime)
    await give_many(runtime, person, MANY)

    pages = await make(runtime, person, Kept)
    page = (await make(runtime, person, HtmlForm)).decode()
    [sheet] = sheets(await make(runtime, person, XlsxForm))

    expected = [f"{first + 1}-{first + PAGE}" for first in range(0, MANY, PAGE)]
    assert pages.decode().split() == [str(MANY), *expected, str(MANY)]
    assert page.count("<td title=") == MANY
    numbers = [cell for (cell,) in sheet.iter_rows(max_col=1, values_only=True)]
    assert [one for one in numbers if isinstance(one, int)] == list(range(1, MANY + 1))


@pytest.mark.parametrize("form", READERS)
async def test_a_longer_statement_takes_no_more_memory(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, form: type[Form]
) -> None:
    monkeypatch.setattr(statement, "PAGE", 50)
    monkeypatch.setattr(statement, "IN_MEMORY", 4_096)
    little, much = await make_person(runtime), await make_person(runtime)
    await give_many(runtime, little, 100)
    await give_many(runtime, much, 1_000)
    await peak(runtime, little, form)  # what is made once

    assert await peak(runtime, much, form) < 1.5 * await peak(runtime, little, form)


@pytest.mark.parametrize("form", READERS)
async def test_what_is_booked_while_a_statement_is_made_is_not_in_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, form: type[Form]
) -> None:
    monkeypatch.setattr(statement, "PAGE", 2)
    person, loop = await make_person(runtime), asyncio.get_running_loop()
    await give_many(runtime, person, 5)

    class Meanwhile(form):  # type: ignore[misc,valid-type]
        """Points move after the heading was read, and again after each page."""

        def begin(self, heading: Heading) -> None:
            super().begin(heading)
            self.give()

        def add(self, entries: Sequence[Entry]) -> None:
            super().add(entries)
            self.give()

        def give(self) -> None:
            giving = give_points(runtime, person.id, 100)
            asyncio.run_coroutine_threadsafe(giving, loop).result(timeout=30)

    during = READERS[form](await make(runtime, person, Meanwhile))
    after = READERS[form](await make(runtime, person, form))

    assert (len(during.lines), during.sums, during.closing) == (5, (5, 0, 5), 5)
    assert (len(after.lines), after.closing) == (9, 405)


@pytest.mark.parametrize("form", READERS)
async def test_what_does_not_add_up_is_not_stated_and_leaves_nothing_behind(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: type[Form]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(statement, "IN_MEMORY", 1)  # a file that stays open is a warning
    person = await make_person(runtime)
    await give_many(runtime, person, 3)
    honest = queries.span

    async def one_too_many(*asked: Any) -> Span | None:
        found = await honest(*asked)
        return found and replace(found, closing=found.closing + 1)

    monkeypatch.setattr(queries, "span", one_too_many)
    with pytest.raises(AssertionError, match="adds up"):
        await make(runtime, person, form)

    assert left_in(tmp_path) == []


async def test_a_finished_spreadsheet_leaves_nothing_behind(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    person = await make_person(runtime)
    await give_many(runtime, person, 3)

    assert len(read_xlsx(await make(runtime, person, XlsxForm)).lines) == 3

    assert left_in(tmp_path) == []


async def test_no_name_of_a_fact_is_cut_off_by_its_value(runtime: Runtime) -> None:
    [sheet] = sheets(await make(runtime, await make_person(runtime), XlsxForm))
    named = [(name, value) for name, _, value in sheet.iter_rows(max_col=3, values_only=True)]
    names = [name for name, value in named if isinstance(name, str) and value is not None]

    assert len(names) > 10
    width = sum(sheet.column_dimensions[column].width for column in "AB")
    assert [name for name in names if sum(1 + (one > "\u2000") for one in name) > width] == []


async def test_what_one_sheet_cannot_hold_goes_on_on_the_next(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheet, "SHEET_ENTRIES", 3)
    person = await make_person(runtime)
    await give_many(runtime, person, 7)

    book = await make(runtime, person, XlsxForm)

    found = read_xlsx(book)
    assert [line.number for line in found.lines] == [1, 2, 3, 4, 5, 6, 7]
    assert found.sums == (7, 0, 7)
    assert [sheet.title for sheet in sheets(book)] == ["对账单 1", "对账单 2", "对账单 3"]
    assert [sheet.cell(1, 1).value for sheet in sheets(book)[1:]] == ["序号\nNo."] * 2
    assert [sheet.freeze_panes for sheet in sheets(book)[1:]] == ["A2", "A2"]


def test_every_kind_has_a_name_of_its_own() -> None:
    assert set(KINDS) == set(Kind)
    assert len({words.zh for words in KINDS.values()}) == len(Kind)
