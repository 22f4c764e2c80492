"""Exports: any list as a file, a row for each item and every cell a text.

The list is read page by page, as a client would read it; no connection is held while a page is
written, and memory holds one page. So what changes meanwhile may stand in the file as it was
before or after. A file is handed out when it is whole and stands in the audit trail.
"""

import asyncio
import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from types import UnionType
from typing import IO, Any, ClassVar, Union, get_args, get_origin
from uuid import UUID

from openpyxl.utils import get_column_letter
from pydantic import BaseModel

from app.core.clock import local_time
from app.core.db import Database, Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.language import Bilingual, spoken
from app.core.normalize import legible
from app.core.paging import Page, PageParams
from app.core.spool import spooled
from app.core.xlsx.writer import FORMULA, HEADER, Book
from app.schemas.exports import HEADINGS, NO, VALUES, YES
from app.services import audit

# As many as a statement reads at once: a long list is searched once for each page.
PAGE = 1_000
MAX_ROWS = 50_000
# A file of up to so many bytes stays in memory; a longer one goes to the temporary directory.
IN_MEMORY = 2**20
MAX_CHARACTERS = 32_767  # of a cell, in Excel
# A whole number is told from text only because a CSV need not mark it.
Cell = str | int
Read = Callable[[Session, PageParams], Awaitable[Page[Any]]]


class TooManyRows(Refusal):
    code, status, title = "exports.too_many_rows", 422, "Too many rows"
    zh = "数据超过单次导出上限，请选择下级组织、状态或更短的时间后分次导出"
    en = "The list is longer than a file may be; choose an organisation below, a state or a time."
    fact_names = ("limit", "measure")


@dataclass(frozen=True, slots=True)
class Column:
    """``path``: the fields that lead to the value, from the item down."""

    path: tuple[str, ...]
    heading: Bilingual


def columns_of(item: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Column]:
    """Yield a column for each field of a list's items, and of the models in them.

    Raises LookupError for a field without a heading.
    """
    own = getattr(import_module(item.__module__), "HEADINGS", {})
    for name, field in item.model_fields.items():
        path = (*above, name)
        nested = _model_in(field.annotation)
        if nested is not None:
            yield from columns_of(nested, path)
            continue
        heading = own.get(name) or HEADINGS.get(".".join(path)) or HEADINGS.get(name)
        if heading is None:
            raise LookupError(f"{item.__name__}.{name} has no heading: see schemas/exports.py")
        yield Column(path, heading)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, or may hold; None for values and lists."""
    optional = get_origin(annotation) in (Union, UnionType)
    for one in get_args(annotation) if optional else [annotation]:
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def cells_of(item: BaseModel, columns: Sequence[Column]) -> list[Cell]:
    """Return the row of an item, in the language of the request."""
    fields = item.model_dump()
    return [_cell(_at(fields, one.path), one.path[-1]) for one in columns]


def _at(fields: Any, path: Sequence[str]) -> Any:
    for name in path:
        fields = fields[name] if fields is not None else None
    return fields


def _cell(value: Any, name: str) -> Cell:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _text(value, name)
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"


def _text(value: Any, name: str) -> str:
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
            text = " / ".join(_text(one, name) for one in value)
        case _:
            words = VALUES.get(name, {}).get(str(value))
            text = words.said() if words else legible(str(value))
    return text


def _pairs(named: Mapping[str, Any]) -> str:
    """Return what has names in one cell, without what is empty: ``文号：3号；公示：五日``."""
    colon, semicolon = ("：", "；") if spoken() == "zh-CN" else (": ", "; ")
    texts = {name: _text(value, name) for name, value in named.items()}
    return semicolon.join(
        f"{HEADINGS[name].said() if name in HEADINGS else legible(name)}{colon}{text}"
        for name, text in texts.items()
        if text
    )


class Table(ABC):
    """What an export is written as. The steps are slow: each is taken in a thread."""

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
        """Tidy up, whether the file was ended or not."""


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
    """UTF-8 with a BOM, for Excel; lines end as RFC 4180 has it.

    CSV has no types: what could begin a formula has a ``'`` before it.
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
    """Who exports which list for what, for the audit trail. ``filters`` are names only."""

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
) -> IO[bytes]:
    """Write a list to a file and who takes it to the audit trail; the caller closes the file.

    Without a ``note`` it is the caller's own list, of which nothing is noted. Raises
    TooManyRows, and what ``read`` raises.
    """
    with spooled(IN_MEMORY) as file:
        with closing(form(file)) as table:
            rows = await _write(database, table, title, columns, read)
        if note is not None:
            async with database.transaction() as tx:
                await _write_note(tx, note, form.name, rows)
    return file


async def _write(
    database: Database, table: Table, title: Bilingual, columns: Sequence[Column], read: Read
) -> int:
    """Write all pages of a list; return how many rows they had."""

    def add(items: Sequence[BaseModel]) -> None:
        table.add([cells_of(item, columns) for item in items])

    asked, rows = PageParams(PAGE), 0
    async with database.read() as tx:
        page = await read(tx, asked)
    await asyncio.to_thread(table.begin, title.said(), [one.heading.said() for one in columns])
    while True:
        rows += len(page.items)
        if rows > MAX_ROWS:
            raise TooManyRows(limit=MAX_ROWS, measure="rows")
        await asyncio.to_thread(add, page.items)
        if page.next_cursor is None:
            break
        async with database.read() as tx:
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
