"""Sheets: the rows of an uploaded XLSX file, which may be anything at all.

What is read is plain values of one sheet, below one line of headings. Whatever could mean
something else than it shows is refused with its cell: a formula may have been computed
from what nobody sees, a merged cell has a value that its neighbours only seem to have, a
hidden row would be paid unseen.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from io import BytesIO
from typing import Any
from xml.parsers import expat

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import WorkSheetParser

from app.core.errors import Refusal

MAX_FILE_BYTES = 512 * 1024
# 500 rows of long texts are half of it. A file is unpacked only as far as it admits to.
MAX_UNPACKED_BYTES = 4 * 1024 * 1024
MAX_PARTS = 100
# Of one part, and one in another: each costs a parser memory, and some kilobytes hold a million.
MAX_ELEMENTS, MAX_DEPTH = 200_000, 100
MAX_COLUMNS = 40
LAST_ROW = 1_048_576  # of any sheet
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
MAX_TOLD = 20
MERGED, HIDDEN = "合并单元格 merged cells", "隐藏的内容 hidden"
# Of a row in points, of a column in characters: less is a line that nobody can read.
LEAST_EXTENT = 1
Value = str | int | float


class SheetUnreadable(Refusal):
    code, status, title = "sheets.unreadable", 422, "Not a readable XLSX file"
    zh, en = "文件不是可读取的 XLSX 表格", "The file is not a readable XLSX sheet."


class SheetTooLarge(Refusal):
    code, status, title = "sheets.too_large", 413, "Sheet too large"
    zh, en = "表格过大，请拆分后上传", "The sheet is too large; upload it in parts."


class SheetNotPlain(Refusal):
    """``fields`` name the cells."""

    code, status, title = "sheets.not_plain", 422, "Sheet not plain"
    zh, en = (
        "表格只能有一张工作表，不能含公式、错误值、合并或隐藏的单元格",
        "A sheet holds plain values: one worksheet, no formulas, errors, merged or hidden cells.",
    )


@dataclass(frozen=True, slots=True)
class SheetRow:
    """``number`` is the row's in the sheet; ``cells`` are by heading, without empty ones."""

    number: int
    cells: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Sheet:
    headings: list[str]
    rows: list[SheetRow]


def read(content: bytes, most_rows: int) -> Sheet:
    """Read a file. Takes up to a second of a core: call it in a thread.

    Raises SheetUnreadable, SheetTooLarge, SheetNotPlain.
    """
    if len(content) > MAX_FILE_BYTES:
        raise SheetTooLarge
    try:
        plain = _unpacked(content)
        workbook = load_workbook(plain, read_only=True, keep_links=False)
        filled = [lines for one in workbook.worksheets if (lines := _lines(one, most_rows))]
    except Refusal:
        raise
    except Exception as error:  # a broken file can raise nearly anything
        raise SheetUnreadable from error
    if len(filled) != 1:
        found = f"{len(filled)} 张工作表有内容 worksheets with content"
        raise SheetNotPlain(fields=[{"field": "workbook", "msg": found}])
    return _sheet(filled[0])


def _unpacked(content: bytes) -> BytesIO:
    """Look into the archive before anybody parses it; return it with nothing packed.

    A file may say that it is small, and swell when it is read to its end: so what is read
    here, as far as it admits to, is all that anybody reads.
    """
    plain = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as archive, zipfile.ZipFile(plain, "w") as copy:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS or sum(one.file_size for one in parts) > MAX_UNPACKED_BYTES:
            raise SheetTooLarge
        for part in parts:
            with archive.open(part) as packed:
                text = packed.read(part.file_size + 1)  # without a number it would swell
            if text[:4].startswith(_UTF_16) or b"<!DOC" in text:
                raise SheetUnreadable  # UTF-16 or a document type: nobody's sheet, an attack
            if strange := _strange(text):
                fields = [{"field": where, "msg": what} for where, what in strange]
                raise SheetNotPlain(fields=fields)
            copy.writestr(part.filename, text)
    plain.seek(0)
    return plain


def _strange(part: bytes) -> list[tuple[str, str]]:
    """Find what means something else than it shows, and where, in any part of a file.

    A sheet may lie anywhere in the archive, and its XML may be spelled in many ways: so it is
    parsed, as whoever shows it does. What is no XML nobody can show as a sheet. Raises
    SheetTooLarge for more elements, or deeper ones, than the sheet of a batch ever has.
    """
    found: list[tuple[str, str]] = []
    elements = depth = 0

    def begin(tag: str, of: dict[str, str]) -> None:
        nonlocal elements, depth
        elements, depth = elements + 1, depth + 1
        if elements > MAX_ELEMENTS or depth > MAX_DEPTH:
            raise SheetTooLarge
        told = _told(tag.rpartition(" ")[2], of)
        if told is not None and len(found) < MAX_TOLD:
            found.append(told)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    with suppress(expat.ExpatError):
        parser.Parse(part, True)
    return found


def _told(tag: str, of: dict[str, str]) -> tuple[str, str] | None:
    """Say where an element shows something else than it holds, and what; None if it does not."""
    match tag:
        case "mergeCell":
            return of.get("ref", "?"), MERGED
        case "row" if _is_set(of, "hidden") or _is_flat(of, "ht"):
            return f"row {of.get('r', '?')}", HIDDEN
        case "col" if _is_set(of, "hidden") or _is_flat(of, "width"):
            return f"column {of.get('min', '?')}", HIDDEN
        case "sheet" if of.get("state", "visible").strip() != "visible":
            return of.get("name", "?"), HIDDEN
        case "sheetFormatPr" if (
            _is_set(of, "zeroHeight")
            or _is_flat(of, "defaultRowHeight")
            or _is_flat(of, "defaultColWidth")
        ):
            return "sheet", HIDDEN
    return None


def _is_set(of: dict[str, str], name: str) -> bool:
    return of.get(name, "0").strip() not in ("0", "false")


def _is_flat(of: dict[str, str], name: str) -> bool:
    try:
        return not float(of.get(name, LEAST_EXTENT)) >= LEAST_EXTENT  # NaN is no extent
    except ValueError:
        return True


def blank(title: str, headings: Sequence[str]) -> bytes:
    """Make a sheet to be filled in: headings, and columns that keep what is typed as text."""
    workbook = Workbook()
    worksheet = workbook.active
    assert worksheet is not None
    worksheet.title = re.sub(r"[\\/*?:\[\]]", " ", title)[:31]  # what Excel allows
    worksheet.append(list(headings))
    worksheet.freeze_panes = "A2"
    for place, heading in enumerate(headings, start=1):
        column = worksheet.column_dimensions[get_column_letter(place)]
        column.width = max(12, 1.5 * len(heading))
        column.number_format = "@"
        worksheet.cell(1, place).font = Font(bold=True)
    made = BytesIO()
    workbook.save(made)
    return made.getvalue()


Line = tuple[int, dict[int, Any]]  # the number of a row, and its cells by column, from 1


def _lines(worksheet: Any, most_rows: int) -> list[Line]:
    """Return the lines that hold something: one of headings, and at most so many rows."""
    lines: list[Line] = []
    last = 0
    for number, cells in _rows(worksheet):
        columns = [cell["column"] for cell in cells]
        if number <= last or len(set(columns)) < len(columns):
            raise SheetUnreadable  # a place is filled twice: which of the two would one see?
        last = number
        filled = {cell["column"]: cell for cell in cells if _value(cell) != ""}
        if not filled:
            continue
        if len(lines) > most_rows or max(filled) > MAX_COLUMNS or number > LAST_ROW:
            raise SheetTooLarge
        lines.append((number, filled))
    return lines


def _rows(worksheet: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Read the rows that are in the file.

    Not ``iter_rows``, which makes every row that is not there: a thousand million, if the
    file says that its only one has that number.
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


def _sheet(lines: list[Line]) -> Sheet:
    wrong = [told for number, cells in lines for told in _not_plain(number, cells)]
    if wrong:
        raise SheetNotPlain(fields=wrong[:MAX_TOLD])
    (_, top), *rows = lines
    headings = {column: str(_value(cell)) for column, cell in sorted(top.items())}
    return Sheet(
        list(headings.values()),
        [SheetRow(number, dict(_named(headings, cells))) for number, cells in rows],
    )


def _named(headings: dict[int, str], cells: dict[int, Any]) -> Iterator[tuple[str, Value]]:
    """Name values by their headings. Those of a column without one are a remark."""
    for column, cell in cells.items():
        if column in headings:
            yield headings[column], _value(cell)


def _not_plain(number: int, cells: dict[int, Any]) -> Iterator[dict[str, str]]:
    for column, cell in sorted(cells.items()):
        if cell["data_type"] in ("f", "e"):
            what = "公式 a formula" if cell["data_type"] == "f" else "错误值 an error"
            yield {"field": f"{get_column_letter(column)}{number}", "msg": what}


def _value(cell: Any) -> Value:
    """Return text without blanks at its ends, a number, or a date as text. Empty is ``""``."""
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
