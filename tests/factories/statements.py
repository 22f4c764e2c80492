"""Statements for tests: posting entries, and parsing statements of all formats."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import openpyxl

from app.core.clock import midnight
from app.runtime import Runtime
from app.services.ledger import posting as ledger_posting
from tests.factories.ledger import award_posting
from tests.factories.people import TestPerson

FORMS = ("html", "xlsx")
TEXT = {"dt", "dd", "td", "th", "li"}
# elements without an end tag
VOID = {"meta", "br"}


class Line(NamedTuple):
    number: int
    at: str
    title: str
    kind: str
    income: int
    outgo: int
    balance: int
    voucher: str


@dataclass
class Read:
    """A parsed statement: facts by Chinese name, lines, and (in, out, balance) of the sum."""

    facts: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    sums: tuple[int, int, int] = (0, 0, 0)

    @property
    def opening(self) -> int:
        return _number(self.facts["期初余额"])

    @property
    def closing(self) -> int:
        return _number(self.facts["期末余额"])


class Page(HTMLParser):
    """The elements of an HTML page; those in TEXT with their text, without ``small``."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[tuple[str, str, str]] = []  # the section, the element, its text
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in TEXT:
            section = next((one for one in ("tbody", "tfoot", "thead") if one in self.open), "")
            self.pieces.append((section, tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if TEXT.intersection(self.open) and "small" not in self.open:
            section, tag, text = self.pieces[-1]
            self.pieces[-1] = (section, tag, text + data)

    def texts(self, section: str, tag: str) -> list[str]:
        return [text for at, one, text in self.pieces if (at, one) == (section, tag)]


def read(response: httpx.Response) -> Read:
    assert response.status_code == 200, response.text
    if response.headers["content-type"].startswith("text/html"):
        return read_html(response.text)
    return read_xlsx(response.content)


def read_html(text: str) -> Read:
    page = Page(text)
    cells = page.texts("tbody", "td")
    total = page.texts("tfoot", "td")
    return Read(
        dict(zip(page.texts("", "dt"), page.texts("", "dd"), strict=True)),
        [_line(cells[n : n + 8]) for n in range(0, len(cells), 8)],
        (_number(total[4]), _number(total[5]), _number(total[6])),
    )


def sheets(content: bytes) -> list[Any]:
    book: Any = openpyxl.load_workbook(io.BytesIO(content))
    return list(book.worksheets)


def read_xlsx(content: bytes) -> Read:
    found = Read()
    for sheet in sheets(content):
        for first, _, third, *amounts in sheet.iter_rows(max_col=8, values_only=True):
            if isinstance(first, int):
                found.lines.append(_line([first, _, third, *amounts]))
            elif third == "合计 Total":
                found.sums = amounts[1], amounts[2], amounts[3]
            elif first is not None and third is not None and not first.startswith("序号"):
                found.facts[first.split()[0]] = str(third)
    return found


def _line(cells: Sequence[Any]) -> Line:
    number, at, title, kind, income, outgo, balance, voucher = cells
    return Line(
        int(number),
        str(at),
        title,
        kind.split()[0],
        _number(income),
        _number(outgo),
        _number(balance),
        voucher,
    )


def _number(cell: str | int | None) -> int:
    return int(str(cell or 0).replace(",", ""))


async def get_statement(
    api: httpx.AsyncClient, person: TestPerson, form: str, **query: str
) -> httpx.Response:
    path = f"/api/v1/me/points/statement.{form}"
    return await api.get(path, headers=person.headers, params=query)


async def give_titled(
    runtime: Runtime, person: UUID, titles: Sequence[str], at: datetime
) -> list[UUID]:
    """Give a point for each title; return the transfers."""
    postings = [replace(award_posting(person, 1), reason=title) for title in titles]
    async with runtime.database.transaction() as tx:
        await ledger_posting.post(tx, postings, at)
    return [posting.id for posting in postings]


def clock(day: date, hour: int, minute: int = 0, second: float = 0) -> datetime:
    """Return a local time of a day in Asia/Shanghai."""
    return midnight(day) + timedelta(hours=hour, minutes=minute, seconds=second)
