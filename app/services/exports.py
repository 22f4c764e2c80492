"""Exports: any list as a file, one row per item, all cells as text.

The list is read page by page. No connection is held while a page is written, and memory holds
one page. So rows that change during the export may appear in either state. The file is
returned when it is complete and recorded in the audit trail.
"""

import asyncio
import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any, ClassVar
from uuid import UUID

from openpyxl.utils import get_column_letter
from pydantic import BaseModel

from app.core.clock import local_time
from app.core.db import Database, ReadPool, Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.language import Bilingual, request_language
from app.core.normalize import legible
from app.core.paging import Page, PageParams
from app.core.spool import spooled
from app.core.xlsx.writer import FORMULA, HEADER, Book
from app.schemas.exports import HEADINGS, NO, YES, Column, Words, words_of_states
from app.services import audit

# Equal to the page size of statements. Each page searches the list again, so pages are large.
PAGE = 1_000
MAX_ROWS = 100_000
# Files up to this size stay in memory; larger ones go to the temporary directory.
IN_MEMORY = 2**20
MAX_CHARACTERS = 32_767  # per cell, in Excel
# Whole numbers differ from text only for CSV, where they need no protection from formulas.
Cell = str | int
Read = Callable[[Session, PageParams], Awaitable[Page[Any]]]
Admit = Callable[[], Awaitable[None]]


class TooManyRows(Refusal):
    code, status, title = "exports.too_many_rows", 422, "Too many rows"
    zh = "数据超过单次导出上限，请选择下级组织、状态或更短的时间后分次导出"
    en = "The list is longer than a file may be; choose an organisation below, a state or a time."
    fact_names = ("limit", "measure")


def cells_of(item: BaseModel, columns: Sequence[Column]) -> list[Cell]:
    """Return the row of an item, in the language of the request."""
    fields = item.model_dump()
    return [
        _cell(
            _at(fields, one.path),
            words_of_states(fields["subject"]["type"]) if one.is_state else one.words,
        )
        for one in columns
    ]


def _at(fields: Any, path: Sequence[str]) -> Any:
    for name in path:
        fields = fields.get(name) if fields is not None else None
    return fields


def _cell(value: Any, words: Words) -> Cell:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _text(value, words)
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"


def _text(value: Any, words: Words) -> str:
    match value:
        case None:
            text = ""
        case bool():
            text = (YES if value else NO).said()
        case datetime():
            text = f"{local_time(value)}"
        case date():
            text = value.isoformat()
        case Mapping():
            text = _pairs(value)
        case list() | tuple():
            text = " / ".join(_text(one, words) for one in value)
        case _:
            named = words.get(str(value))
            text = named.said() if named else legible(str(value))
    return text


def _pairs(named: Mapping[str, Any]) -> str:
    """Return the named values as one cell, without empty ones: ``文号：3号；公示：五日``."""
    colon, semicolon = ("：", "；") if request_language() == "zh-CN" else (": ", "; ")
    texts = {name: _text(value, {}) for name, value in named.items()}
    return semicolon.join(
        f"{HEADINGS[name].said() if name in HEADINGS else legible(name)}{colon}{text}"
        for name, text in texts.items()
        if text
    )


class Table(ABC):
    """The format of an export. Its methods block: each is called in a thread."""

    name: ClassVar[str]

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    @abstractmethod
    def begin(self, title: str, headings: Sequence[str]) -> None: ...

    @abstractmethod
    def add(self, rows: Sequence[Sequence[Cell]]) -> None: ...

    def end(self) -> None:  # noqa: B027 - a form may be complete after every row
        """Write what follows the last row."""

    def close(self) -> None:  # noqa: B027 - most forms leave nothing
        """Release resources; called whether or not ``end`` was."""


class XlsxTable(Table):
    name = "xlsx"

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._book = Book()

    def begin(self, title: str, headings: Sequence[str]) -> None:
        sheet = self._book.open_sheet(title)
        sheet.freeze_panes = "A2"
        for place, heading in enumerate(headings, start=1):
            sheet.column_dimensions[get_column_letter(place)].width = max(14, 2 * len(heading))
        self._book.append(self._book.text(heading, **HEADER) for heading in headings)

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        for row in rows:
            self._book.append(None if cell == "" else self._book.text(str(cell)) for cell in row)

    def end(self) -> None:
        self._book.save(self.file)

    def close(self) -> None:
        self._book.close()


class CsvTable(Table):
    """UTF-8 with a BOM, for Excel; CRLF line ends (RFC 4180).

    CSV has no types: text that could begin a formula is prefixed with ``'``.
    """

    name = "csv"

    def begin(self, title: str, headings: Sequence[str]) -> None:  # noqa: ARG002 - CSV has none
        self.file.write("\ufeff".encode())
        self.add([headings])

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        lines = io.StringIO()
        csv.writer(lines).writerows([[_harmless(cell) for cell in row] for row in rows])
        self.file.write(lines.getvalue().encode())


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


@dataclass(frozen=True, slots=True)
class AuditNote:
    """Who exports which list and why, for the audit trail. ``filters``: names, without values."""

    actor: UUID
    org_id: UUID | None
    list: str
    filters: Sequence[str]
    purpose: str


async def export(
    database: Database,
    title: Bilingual,
    columns: Sequence[Column],
    read: Read,
    form: type[Table],
    note: AuditNote | None,
    pool: ReadPool,
    admit: Admit | None = None,
) -> IO[bytes]:
    """Write a list to a file and record the export; the caller closes the file.

    ``note`` is None for the caller's own list and for HEAD, which are not recorded. ``pool``: the
    server that is read, one for all pages: another could be further back. ``admit`` is called once
    the first page is read, so that what ``read`` refuses is not counted as an export. Raises
    TooManyRows, and what ``read`` and ``admit`` raise.
    """
    with spooled(IN_MEMORY) as file:
        with closing(form(file)) as table:
            rows = await _write(pool, table, title, columns, read, admit)
        if note is not None:
            async with database.transaction() as tx:
                await _write_note(tx, note, form.name, rows)
    return file


async def _write(
    pool: ReadPool,
    table: Table,
    title: Bilingual,
    columns: Sequence[Column],
    read: Read,
    admit: Admit | None,
) -> int:
    """Write all pages of a list; return the number of rows. Raises TooManyRows."""

    def add(items: Sequence[BaseModel]) -> None:
        table.add([cells_of(item, columns) for item in items])

    asked, rows = PageParams(PAGE), 0
    async with pool.read() as tx:
        page = await read(tx, asked)
    if admit is not None:
        await admit()
    await asyncio.to_thread(table.begin, title.said(), [one.heading.said() for one in columns])
    while True:
        rows += len(page.items)
        if rows > MAX_ROWS:
            raise TooManyRows(limit=MAX_ROWS, measure="rows")
        await asyncio.to_thread(add, page.items)
        if page.next_cursor is None:
            break
        async with pool.read() as tx:
            page = await read(tx, PageParams(PAGE, page.next_cursor))
    await asyncio.to_thread(table.end)
    return rows


async def _write_note(tx: Session, note: AuditNote, form: str, rows: int) -> None:
    await audit.write_about(
        tx,
        note.actor,
        "exported",
        ("export", new_id()),
        note.org_id,
        reason=note.purpose,
        fields=note.filters,
        facts={"list": note.list, "form": form, "rows": rows},
    )
