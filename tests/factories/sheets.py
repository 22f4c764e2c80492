"""XLSX files for tests, valid and malicious."""

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook

from app.api.downloads import WORKBOOK

XLSX = WORKBOOK
Cell = Any
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def make_sheet(
    *lines: Sequence[Cell],
    merged: str | None = None,
    second: Cell = None,
    number_formats: Mapping[str, str] | None = None,
) -> bytes:
    """Create a file of lines; the first has the headings. ``second``: a value on another sheet.

    ``number_formats``: those of cells, such as ``{"B2": "0%"}``.
    """
    workbook = Workbook()
    worksheet = workbook.active
    assert worksheet is not None
    for line in lines:
        worksheet.append(list(line))
    if merged is not None:
        worksheet.merge_cells(merged)
    for cell, code in (number_formats or {}).items():
        worksheet[cell].number_format = code
    if second is not None:
        workbook.create_sheet("另一张").append([second])
    made = BytesIO()
    workbook.save(made)
    return made.getvalue()


def make_shared(text: str, rows: int) -> bytes:
    """Create a file with a shared string, as Excel does; each row's only cell refers to it."""
    file, sheet, types = make_sheet(), "xl/worksheets/sheet1.xml", "[Content_Types].xml"
    cells = rows * '<row><c t="s"><v>0</v></c></row>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    parts = {
        "xl/sharedStrings.xml": (
            f'<sst xmlns="{_MAIN}"><si><t xml:space="preserve">{text}</t></si></sst>'
        ),
        sheet: f'<worksheet xmlns="{_MAIN}"><sheetData>{cells}</sheetData></worksheet>',
        types: part_of(file, types)
        .decode()
        .replace(
            "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
        ),
    }
    for name, content in parts.items():
        file = with_part(file, name, content.encode())
    return file


def with_part(file: bytes, name: str, content: bytes) -> bytes:
    """Replace the content of one part of a file."""
    made = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(file)) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
        if name not in old.namelist():
            new.writestr(name, content)
    return made.getvalue()


def part_of(file: bytes, name: str) -> bytes:
    with zipfile.ZipFile(BytesIO(file)) as archive:
        return archive.read(name)
