"""XLSX files as what they are: archives of XML parts, which may hold anything at all.

Nobody parses a part before it was looked through here: for what swells, and for what means
something else than it shows. Merged cells have a value that their neighbours only seem to
have, a hidden row would be paid unseen.
"""

import zipfile
from contextlib import suppress
from io import BytesIO
from xml.parsers import expat

from app.core.errors import Refusal
from app.core.language import Bilingual

# 500 rows of long texts are half of it. A file is unpacked only as far as it admits to.
MAX_UNPACKED_BYTES = 4 * 1024 * 1024
MAX_PARTS = 100
# Each costs a parser memory and time, and some kilobytes hold a million. Rows, cells and texts are
# many; styles and all the rest, of which Excel itself writes some hundreds, cost most.
MAX_ELEMENTS, MAX_OTHERS, MAX_DEPTH = 200_000, 20_000, 100
CONTENT = frozenset({"row", "c", "v", "is", "si", "t", "r"})
MAX_TOLD = 20
MERGED, HIDDEN = Bilingual("合并单元格", "merged cells"), Bilingual("隐藏的内容", "hidden")
# Of a row in points, of a column in characters: less is a line that nobody can read.
LEAST_EXTENT = 1


class SheetUnreadable(Refusal):
    code, status, title = "sheets.unreadable", 422, "Not a readable XLSX file"
    zh, en = "文件不是可读取的 XLSX 表格", "The file is not a readable XLSX sheet."


class SheetTooLarge(Refusal):
    code, status, title = "sheets.too_large", 413, "Sheet too large"
    zh, en = "表格过大，请拆分后上传", "The sheet is too large; upload it in parts."
    fact_names = ("limit", "measure")


class SheetNotPlain(Refusal):
    """``fields`` name the cells."""

    code, status, title = "sheets.not_plain", 422, "Sheet not plain"
    zh, en = (
        "表格只能有一张工作表，不能含公式、错误值、合并或隐藏的单元格",
        "A sheet holds plain values: one worksheet, no formulas, errors, merged or hidden cells.",
    )


def require_at_most(limit: int, found: int, measure: str) -> None:
    """Raise SheetTooLarge, whose facts say how many of what are allowed."""
    if found > limit:
        raise SheetTooLarge(limit=limit, measure=measure)


def unpacked(content: bytes) -> BytesIO:
    """Look into the archive before anybody parses it; return it with nothing packed.

    A file may say that it is small, and swell when it is read to its end: so what is read
    here, as far as it admits to, is all that anybody reads.
    """
    plain, looker = BytesIO(), _Looker()
    with zipfile.ZipFile(BytesIO(content)) as archive, zipfile.ZipFile(plain, "w") as copy:
        parts = archive.infolist()
        require_at_most(MAX_PARTS, len(parts), "parts")
        require_at_most(MAX_UNPACKED_BYTES, sum(one.file_size for one in parts), "bytes")
        for part in parts:
            with archive.open(part) as packed:
                text = packed.read(part.file_size + 1)  # without a number it would swell
            looker.look(text)
            copy.writestr(part.filename, text)
    if looker.found:
        raise SheetNotPlain(fields=[{"field": where, "msg": what} for where, what in looker.found])
    plain.seek(0)
    return plain


class _Looker:
    """Finds what means something else than it shows, and where, in the parts of a file.

    A sheet may lie anywhere in the archive, and its XML may be spelled in many ways: so it is
    parsed, as whoever shows it does. What is no XML nobody can show as a sheet.
    """

    def __init__(self) -> None:
        self.found: list[tuple[str, Bilingual]] = []
        self._content = self._others = self._depth = 0

    def look(self, part: bytes) -> None:
        """Raise SheetTooLarge for more elements, or deeper ones, than the sheet of a batch has.

        Raise SheetUnreadable for a document type, which is an attack: entities swell.
        """
        self._depth = 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler, parser.EndElementHandler = self._begin, self._end
        parser.StartDoctypeDeclHandler = _refuse_doctype
        with suppress(expat.ExpatError):
            parser.Parse(part, True)

    def _begin(self, name: str, of: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2]
        self._depth += 1
        self._content += tag in CONTENT
        self._others += tag not in CONTENT
        require_at_most(MAX_ELEMENTS, self._content, "elements")
        require_at_most(MAX_OTHERS, self._others, "elements")
        require_at_most(MAX_DEPTH, self._depth, "levels")
        told = _told(tag, of)
        if told is not None and len(self.found) < MAX_TOLD:
            self.found.append(told)

    def _end(self, _: str) -> None:
        self._depth -= 1


def _refuse_doctype(*_: object) -> None:
    raise SheetUnreadable


def _told(tag: str, of: dict[str, str]) -> tuple[str, Bilingual] | None:
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
