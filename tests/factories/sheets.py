"""XLSX files for tests: as people fill them in, and as nobody should."""

import zipfile
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook

from app.core.downloads import WORKBOOK

XLSX = WORKBOOK
Cell = Any


def make_sheet(*lines: Sequence[Cell], merged: str | None = None, second: Cell = None) -> bytes:
    """Make a file of lines, the first one the headings. ``second``: a value on another sheet."""
    workbook = Workbook()
    worksheet = workbook.active
    assert worksheet is not None
    for line in lines:
        worksheet.append(list(line))
    if merged is not None:
        worksheet.merge_cells(merged)
    if second is not None:
        workbook.create_sheet("另一张").append([second])
    made = BytesIO()
    workbook.save(made)
    return made.getvalue()


def with_part(file: bytes, name: str, content: bytes) -> bytes:
    """Put another content into one part of a file."""
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
