"""Exported files for tests: requesting and parsing them."""

import csv
import io
from typing import Any

import httpx
import openpyxl

from app.models.orgs import Org
from app.runtime import Runtime
from app.services import audit
from tests.factories.people import TestPerson

FORMS = ("xlsx", "csv")
PURPOSE = {"purpose": "月度核对"}
Rows = list[dict[str, str]]


async def get_export(
    api: httpx.AsyncClient, path: str, reader: TestPerson, **query: str
) -> httpx.Response:
    """Request an export, such as ``/awards.csv``, with a purpose unless it is the reader's own."""
    asked = query if path.startswith("/me/") else PURPOSE | query
    return await api.get(f"/api/v1{path}", headers=reader.headers, params=asked)


def read_export(response: httpx.Response) -> Rows:
    """Return the rows of a file by their headings; an empty cell is an empty text."""
    assert response.status_code == 200, response.text
    heads, *rows = lines_of(response)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def lines_of(response: httpx.Response) -> list[list[str]]:
    if response.headers["content-type"].startswith("text/csv"):
        return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))
    [sheet] = sheets(response.content)
    return [["" if cell is None else cell for cell in row] for row in sheet.values]


def sheets(content: bytes) -> list[Any]:
    book: Any = openpyxl.load_workbook(io.BytesIO(content))
    return list(book.worksheets)


async def exported(
    api: httpx.AsyncClient, path: str, form: str, reader: TestPerson, **query: str
) -> Rows:
    return read_export(await get_export(api, f"{path}.{form}", reader, **query))


async def write_entries(runtime: Runtime, actor: TestPerson, org: Org, number: int) -> None:
    """Write ``number`` entries of the audit trail with distinct reasons."""
    async with runtime.database.transaction() as tx:
        for n in range(number):
            subject = ("test", actor.id)
            await audit.write_about(tx, actor.id, "created", subject, org.id, reason=f"第{n}条")
