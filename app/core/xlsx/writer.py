"""Writing XLSX files: rows leave the memory as they are written, and every text stays text."""

import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

BOLD, WRAPPED = Font(bold=True), Alignment(wrap_text=True, vertical="top")
HEADER = {"font": BOLD, "fill": PatternFill("solid", fgColor="EEEEEE"), "alignment": WRAPPED}
MAX_TITLE = 31  # characters of a sheet's title, as in Excel
# What a spreadsheet program may take for the beginning of a formula: also behind a separator of
# cells, or a character without width (U+200B, U+2060, U+FEFF).
FORMULA = (*"=+-@\t\r＝＋－＠", ";", "\u200b", "\u2060", "\ufeff")


class Book:
    """A workbook whose rows go to temporary files, one a sheet, until it is saved."""

    def __init__(self) -> None:
        self._book = Workbook(write_only=True)
        self.sheet: Any = None  # the open one
        self.row = 0  # number of its last row

    def open_sheet(self, title: str) -> Any:
        """Begin a sheet; the rows that follow are its."""
        self.sheet = self._book.create_sheet(sheet_title(title))
        self.row = 0
        return self.sheet

    def append(self, cells: Iterable[Any]) -> None:
        """Write a row: numbers, times, and cells of ``text`` or ``styled``."""
        self.row += 1
        self.sheet.append(list(cells))

    def styled(self, value: str | int | None, **style: Any) -> Any:
        if isinstance(value, str):
            return self.text(value, **style)
        return self._cell(value, style)

    def text(self, value: str, **style: Any) -> Any:
        """Return a cell that stays text: openpyxl makes "=1" a formula and "#N/A" an error."""
        cell = self._cell(value, style)
        cell.data_type = "s"
        if value.startswith(FORMULA):
            cell.quotePrefix = True  # it stays text when somebody edits the cell
        return cell

    def _cell(self, value: str | int | None, style: dict[str, Any]) -> Any:
        cell: Any = WriteOnlyCell(self.sheet, value)
        for name, one in style.items():
            setattr(cell, name, one)
        return cell

    def save(self, file: IO[bytes]) -> None:
        self._book.save(file)

    def close(self) -> None:
        """Delete the rows that are left behind by a workbook that was not saved."""
        for sheet in self._book.worksheets:
            writer = getattr(sheet, "_writer", None)
            if writer is not None:
                if not sheet.closed:
                    sheet.close()
                Path(writer.out).unlink(missing_ok=True)


def sheet_title(text: str) -> str:
    """Return a text as the title of a sheet: Excel takes no brackets, slashes and colons."""
    return re.sub(r"[\\/*?:\[\]]", " ", text)[:MAX_TITLE]


def blank(title: str, headings: Sequence[str]) -> bytes:
    """Make a sheet to be filled in: headings, and columns that keep what is typed as text."""
    workbook = Workbook()
    worksheet = workbook.active
    assert worksheet is not None
    worksheet.title = sheet_title(title)
    worksheet.append(list(headings))
    worksheet.freeze_panes = "A2"
    for place, heading in enumerate(headings, start=1):
        column = worksheet.column_dimensions[get_column_letter(place)]
        column.width = max(12, 1.5 * len(heading))
        column.number_format = "@"
        worksheet.cell(1, place).font = BOLD
    made = BytesIO()
    workbook.save(made)
    return made.getvalue()
