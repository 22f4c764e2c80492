"""A statement as a spreadsheet that prints on A4. Rows leave the memory as they are written."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from app.services.ledger import statement_words as words
from app.services.ledger.statement import Entry, Form, Heading, Sums
from app.services.ledger.statement_words import Fact, Words

# A sheet ends after 1,048,576 rows.
SHEET_ENTRIES = 1_000_000
# In characters, of which a Chinese one takes two. The first two hold the name of a fact.
WIDTHS = {"A": 11, "B": 22, "C": 44, "D": 14, "E": 11, "F": 11, "G": 12, "H": 16}
LAST_COLUMN = list(WIDTHS)[-1]
NOTE_HEIGHT = 60
_TITLE, _BOLD, _GREY = Font(size=16, bold=True), Font(bold=True), Font(color="666666")
_HEADER = PatternFill("solid", fgColor="EEEEEE")
_WRAPPED = Alignment(wrap_text=True, vertical="top")
_LEFT = Alignment(horizontal="left")
_TO_A_PROGRAM = ("=", "+", "-", "@")


class XlsxForm(Form):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._book = Workbook(write_only=True)
        self._sheet: Any = None
        self._row = self._entries = 0

    def begin(self, heading: Heading) -> None:
        facts = words.facts(heading)
        self._open_sheet(header=len(facts) + 4)
        self._append([self._text(heading.title, font=_TITLE)])
        self._append([self._text(words.SUBTITLE, font=_GREY)])
        self._add_facts(facts)
        self._append([])
        self._add_header()

    def add(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if self._entries == SHEET_ENTRIES:
                self._open_sheet(header=1)
                self._add_header()
            self._entries += 1
            self._append(
                [
                    entry.number,
                    entry.at,
                    self._text(entry.title),
                    self._text(_both(words.KINDS[entry.kind])),
                    entry.income or None,
                    entry.outgo or None,
                    entry.balance,
                    self._text(entry.voucher),
                ]
            )

    def end(self, heading: Heading, sums: Sums) -> None:
        total = [None, None, _both(words.TOTAL), None, sums.income, sums.outgo, heading.closing]
        self._append([self._styled(one, font=_BOLD) for one in total])
        for facts in (words.owed(heading), words.minutes(heading), words.seal(heading)):
            self._append([])
            self._add_facts(facts)
        self._append([])
        for note in words.notes(heading):
            self._add_note(note)
        self._book.save(self.file)

    def close(self) -> None:
        """Delete the rows that are left behind by a statement that was not ended."""
        for sheet in self._book.worksheets:
            writer = getattr(sheet, "_writer", None)
            if writer is not None:
                if not sheet.closed:
                    sheet.close()
                Path(writer.out).unlink(missing_ok=True)

    def _open_sheet(self, header: int) -> None:
        """Open the first sheet or the next. ``header``: the row that each page repeats."""
        self._sheet = sheet = self._book.create_sheet(f"对账单 {len(self._book.worksheets) + 1}")
        self._row = self._entries = 0
        for column, width in WIDTHS.items():
            sheet.column_dimensions[column].width = width
        sheet.freeze_panes = f"A{header + 1}"
        sheet.print_title_rows = f"{header}:{header}"
        sheet.print_options.gridLines = True
        sheet.page_setup.paperSize = Worksheet.PAPERSIZE_A4
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.oddFooter.right.text = "&P / &N"

    def _append(self, cells: Iterable[Any]) -> None:
        self._row += 1
        self._sheet.append(list(cells))

    def _add_header(self) -> None:
        style = {"font": _BOLD, "fill": _HEADER, "alignment": _WRAPPED}
        self._append(self._text(f"{one.zh}\n{one.en}", **style) for one in words.COLUMNS)

    def _add_facts(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            value = self._styled(fact.value, alignment=_LEFT)
            self._append([self._text(_both(fact.words)), None, value])

    def _add_note(self, note: Words) -> None:
        row = self._row + 1
        self._sheet.row_dimensions[row].height = NOTE_HEIGHT
        self._sheet.merged_cells.add(f"A{row}:{LAST_COLUMN}{row}")
        self._append([self._text(f"{note.zh}\n{note.en}", alignment=_WRAPPED)])

    def _styled(self, value: str | int | None, **style: Any) -> Any:
        if isinstance(value, str):
            return self._text(value, **style)
        cell: Any = WriteOnlyCell(self._sheet, value)
        for name, one in style.items():
            setattr(cell, name, one)
        return cell

    def _text(self, value: str, **style: Any) -> Any:
        """Return a cell that stays text: openpyxl makes "=1" a formula and "#N/A" an error."""
        cell: Any = WriteOnlyCell(self._sheet, value)
        cell.data_type = "s"
        if value.startswith(_TO_A_PROGRAM):
            cell.quotePrefix = True  # it stays text when somebody edits the cell
        for name, one in style.items():
            setattr(cell, name, one)
        return cell


def _both(pair: Words) -> str:
    return f"{pair.zh} {pair.en}"
