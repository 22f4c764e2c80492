"""Reads the rows of an uploaded XLSX file: plain values of one worksheet below its headings.

Formulas and error values are refused with their cells, merged and hidden cells too (``guard``),
and values that a number format shows as something else (``formats``): the stored result of a
formula may depend on what nobody sees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import WorkSheetParser

from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.xlsx import formats
from app.core.xlsx.guard import (
    DISGUISED,
    MAX_TOLD,
    SheetNotPlain,
    SheetUnreadable,
    require_at_most,
    unpacked,
)

MAX_FILE_BYTES = 512 * 1024
MAX_SHEETS, MAX_COLUMNS = 20, 40
# Of one cell, as in Excel; and of all cells, as many can share one stored text.
MAX_CHARACTERS, MAX_ALL_CHARACTERS = 32_767, 2 * 1024 * 1024
LAST_ROW = 1_048_576  # of any sheet
FORMULA, ERROR = Bilingual("公式", "a formula"), Bilingual("错误值", "an error")
Value = str | int | float


@dataclass(frozen=True, slots=True)
class SheetRow:
    """``number`` is that of the row in the sheet; ``cells`` holds the values that are not empty."""

    number: int
    cells: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Sheet:
    headings: list[str]
    rows: list[SheetRow]


def read(content: bytes, most_rows: int) -> Sheet:
    """Read a file. Takes up to a second of a core: call it in a thread.

    Raises SheetUnreadable, SheetTooLarge or SheetNotPlain.
    """
    require_at_most(MAX_FILE_BYTES, len(content), "bytes")
    try:
        plain = unpacked(content)
        workbook = load_workbook(plain, read_only=True, keep_links=False)
        rows = _only_rows(workbook.worksheets, most_rows)
    except Refusal:
        raise
    except Exception as error:  # a broken file can raise nearly anything
        raise SheetUnreadable from error
    return _sheet(rows)


Row = tuple[int, dict[int, Any]]  # the number of a row, and its cells by column, from 1


def _only_rows(worksheets: Sequence[Any], most_rows: int) -> list[Row]:
    """Return the rows of the one worksheet that has any; a second with content is refused."""
    # All may be the same part, to be read again for each.
    require_at_most(MAX_SHEETS, len(worksheets), "worksheets")
    found: list[Row] = []
    for one in worksheets:
        rows = _filled(one, most_rows)
        if found and rows:
            raise _not_one("不止一张工作表有内容", "more than one worksheet with content")
        found = found or rows
    if not found:
        raise _not_one("没有内容", "no content")
    return found


def _not_one(zh: str, en: str) -> SheetNotPlain:
    return SheetNotPlain(fields=[{"field": "workbook", "msg": Bilingual(zh, en)}])


def _filled(worksheet: Any, most_rows: int) -> list[Row]:
    """Return the rows with content: that of the headings, and at most ``most_rows`` more."""
    rows: list[Row] = []
    last = characters = 0
    for number, cells in _parsed(worksheet):
        columns = [cell["column"] for cell in cells]
        if number <= last or len(set(columns)) < len(columns):
            raise SheetUnreadable  # a cell is there twice: which of them a program shows is unknown
        last = number
        texts = [len(cell["value"]) for cell in cells if isinstance(cell["value"], str)]
        characters += sum(texts)
        require_at_most(MAX_ALL_CHARACTERS, characters, "characters")
        require_at_most(MAX_CHARACTERS, max(texts, default=0), "characters of a cell")
        filled = {cell["column"]: cell for cell in cells if _value(cell) != ""}
        if not filled:
            continue
        for cell in filled.values():
            cell["format"] = formats.code_of(worksheet.parent, cell["style_id"])
        require_at_most(most_rows, len(rows), "rows")
        require_at_most(MAX_COLUMNS, max(filled), "columns")
        require_at_most(LAST_ROW, number, "rows")
        rows.append((number, filled))
    return rows


def _parsed(worksheet: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Read the rows that are in the file.

    openpyxl's ``iter_rows`` also yields all missing rows in between: a thousand million, if
    the file numbers its only row so.
    """
    workbook = worksheet.parent
    with worksheet._get_source() as part:
        yield from WorkSheetParser(
            part,
            worksheet._shared_strings,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,
            timedelta_formats=workbook._timedelta_formats,
        ).parse()


def _sheet(rows: list[Row]) -> Sheet:
    wrong = [told for number, cells in rows for told in _not_plain(number, cells)]
    if wrong:
        raise SheetNotPlain(fields=wrong[:MAX_TOLD])
    (_, top), *below = rows
    headings = {column: str(_value(cell)) for column, cell in sorted(top.items())}
    return Sheet(
        list(headings.values()),
        [SheetRow(number, dict(_named(headings, cells))) for number, cells in below],
    )


def _named(headings: dict[int, str], cells: dict[int, Any]) -> Iterator[tuple[str, Value]]:
    """Yield values with their headings. Columns without a heading are remarks, and ignored."""
    for column, cell in cells.items():
        if column in headings:
            yield headings[column], _value(cell)


def _not_plain(number: int, cells: dict[int, Any]) -> Iterator[dict[str, str | Bilingual]]:
    for column, cell in sorted(cells.items()):
        if what := _mistake_of(cell):
            yield {"field": f"{get_column_letter(column)}{number}", "msg": what}


def _mistake_of(cell: Any) -> Bilingual | None:
    match cell["data_type"]:
        case "f":
            return FORMULA
        case "e":
            return ERROR
    return None if formats.shows(cell["format"], cell["value"]) else DISGUISED


def _value(cell: Any) -> Value:
    """Return a number, a date in ISO 8601, or text without surrounding blanks; empty is ``""``."""
    match cell["value"]:
        case bool() as truth:
            return str(truth).upper()  # as the sheet shows it
        case float() as number if number.is_integer():
            return int(number)
        case int() | float() as number:
            return number
        case datetime() as moment if moment.time() == time.min:
            return moment.date().isoformat()
        case datetime() | date() | time() as moment:
            return moment.isoformat()
        case other:
            return str(other or "").strip()
