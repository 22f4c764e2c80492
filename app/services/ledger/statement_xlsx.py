"""A statement as a spreadsheet for A4 print. Rows are streamed, not kept in memory."""

from collections.abc import Sequence
from typing import IO

from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet

from app.core.xlsx.writer import BOLD, HEADER, WRAPPED, Book
from app.services.ledger import statement_words as words
from app.services.ledger.statement import Entry, Form, Heading, Sums
from app.services.ledger.statement_words import Fact, Words

# Excel allows 1,048,576 rows on a sheet.
SHEET_ENTRIES = 1_000_000
# In characters; a Chinese one takes two. The first two hold the name of a fact.
WIDTHS = {"A": 11, "B": 22, "C": 44, "D": 14, "E": 11, "F": 11, "G": 12, "H": 16}
LAST_COLUMN = list(WIDTHS)[-1]
NOTE_HEIGHT = 60
_TITLE, _GREY = Font(size=16, bold=True), Font(color="666666")
_LEFT = Alignment(horizontal="left")


class XlsxForm(Form):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._book = Book()
        self._sheets = self._entries = 0

    def begin(self, heading: Heading) -> None:
        facts = words.facts(heading)
        self._open_sheet(header=len(facts) + 4)
        self._book.append([self._book.text(heading.title, font=_TITLE)])
        self._book.append([self._book.text(words.SUBTITLE, font=_GREY)])
        self._add_facts(facts)
        self._book.append([])
        self._add_header()

    def add(self, entries: Sequence[Entry]) -> None:
        text = self._book.text
        for entry in entries:
            if self._entries == SHEET_ENTRIES:
                self._open_sheet(header=1)
                self._add_header()
            self._entries += 1
            self._book.append(
                [
                    entry.number,
                    entry.at,
                    text(entry.title),
                    text(_both(words.KINDS[entry.kind])),
                    entry.income or None,
                    entry.outgo or None,
                    entry.balance,
                    text(entry.voucher),
                ]
            )

    def end(self, heading: Heading, sums: Sums) -> None:
        total = [None, None, _both(words.TOTAL), None, sums.income, sums.outgo, heading.closing]
        self._book.append(self._book.styled(one, font=BOLD) for one in total)
        for facts in (words.owed(heading), words.minutes(heading), words.seal(heading)):
            self._book.append([])
            self._add_facts(facts)
        self._book.append([])
        for note in words.notes(heading):
            self._add_note(note)
        self._book.save(self.file)

    def close(self) -> None:
        self._book.close()

    def _open_sheet(self, header: int) -> None:
        """Open the first sheet or the next. ``header``: the row that each printed page repeats."""
        self._sheets += 1
        self._entries = 0
        sheet = self._book.open_sheet(f"对账单 {self._sheets}")
        for column, width in WIDTHS.items():
            sheet.column_dimensions[column].width = width
        sheet.freeze_panes = f"A{header + 1}"
        sheet.print_title_rows = f"{header}:{header}"
        sheet.print_options.gridLines = True
        sheet.page_setup.paperSize = Worksheet.PAPERSIZE_A4
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.oddFooter.right.text = "&P / &N"

    def _add_header(self) -> None:
        text = self._book.text
        self._book.append(text(f"{one.zh}\n{one.en}", **HEADER) for one in words.COLUMNS)

    def _add_facts(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            value = self._book.styled(fact.value, alignment=_LEFT)
            self._book.append([self._book.text(_both(fact.words)), None, value])

    def _add_note(self, note: Words) -> None:
        row, sheet = self._book.row + 1, self._book.sheet
        sheet.row_dimensions[row].height = NOTE_HEIGHT
        sheet.merged_cells.add(f"A{row}:{LAST_COLUMN}{row}")
        self._book.append([self._book.text(f"{note.zh}\n{note.en}", alignment=WRAPPED)])


def _both(pair: Words) -> str:
    return f"{pair.zh} {pair.en}"
