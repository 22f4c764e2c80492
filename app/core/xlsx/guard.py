"""Checks of an uploaded XLSX file, a ZIP archive of XML parts, before openpyxl parses it.

Refused are files that grow too large when they are unpacked or parsed, and sheets whose content
is not what a person sees: merged cells (only the first has the value), hidden rows, columns and
worksheets, whose points would be awarded unseen, and conditional number formats (those of cells:
``reader``).
"""

import zipfile
from contextlib import suppress
from io import BytesIO
from xml.parsers import expat

from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.xlsx import formats

# 500 rows of long texts are half of it.
MAX_UNPACKED_BYTES = 4 * 1024 * 1024
MAX_PARTS = 100
# XML elements. Some kilobytes can hold a million, and each costs the parser memory and time.
# ``MAX_ELEMENTS`` limits those of ``CONTENT``, ``MAX_OTHERS`` styles and all others: these cost
# most, and Excel writes some hundreds of them.
MAX_ELEMENTS, MAX_OTHERS, MAX_DEPTH = 200_000, 20_000, 100
CONTENT = frozenset({"row", "c", "v", "is", "si", "t", "r"})
MAX_TOLD = 20
MERGED, HIDDEN = Bilingual("合并单元格", "merged cells"), Bilingual("隐藏的内容", "hidden")
DISGUISED = Bilingual(
    "数字格式使显示与内容不同，请改为常规或文本",
    "a number format that shows something else: use General or Text",
)
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
    """``fields`` lists the cells."""

    code, status, title = "sheets.not_plain", 422, "Sheet not plain"
    zh = "表格只能有一张工作表，不能含公式、错误值、合并或隐藏的单元格，也不能用格式改变显示"
    en = (
        "A sheet holds one worksheet of plain values that are shown as they are: no formulas,"
        " errors, merged or hidden cells."
    )


def require_at_most(limit: int, found: int, measure: str) -> None:
    """Raise SheetTooLarge, whose facts say how many of what are allowed."""
    if found > limit:
        raise SheetTooLarge(limit=limit, measure=measure)


def unpacked(content: bytes) -> BytesIO:
    """Check an archive; return a copy of it without compression.

    The size that an archive declares for a part may be wrong. At most that many bytes of a part
    are read here, and only this copy is parsed later.
    """
    plain, looker = BytesIO(), _Looker()
    with zipfile.ZipFile(BytesIO(content)) as archive, zipfile.ZipFile(plain, "w") as copy:
        parts = archive.infolist()
        require_at_most(MAX_PARTS, len(parts), "parts")
        require_at_most(MAX_UNPACKED_BYTES, sum(one.file_size for one in parts), "bytes")
        for part in parts:
            with archive.open(part) as packed:
                text = packed.read(
                    part.file_size + 1
                )  # without a limit all of it would be unpacked
            looker.look(text)
            copy.writestr(part.filename, text)
    if looker.found:
        raise SheetNotPlain(fields=[{"field": where, "msg": what} for where, what in looker.found])
    plain.seek(0)
    return plain


class _Looker:
    """Lists merged and hidden cells in the parts of a file.

    Every part is parsed, as a worksheet may have any name. Parts that are not XML are skipped:
    no program can show them as a worksheet.
    """

    def __init__(self) -> None:
        self.found: list[tuple[str, Bilingual]] = []
        self._content = self._others = self._depth = 0
        self._is_conditional = False  # within a format that applies under a condition

    def look(self, part: bytes) -> None:
        """Check a part.

        Raises SheetTooLarge for too many or too deeply nested elements, and SheetUnreadable for a
        document type declaration: its entities can expand without limit ("billion laughs").
        """
        self._depth, self._is_conditional = 0, False
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
        self._is_conditional |= tag == "dxf"
        told = _told(tag, of) or (_conditional(tag, of) if self._is_conditional else None)
        if told is not None and len(self.found) < MAX_TOLD:
            self.found.append(told)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._is_conditional &= name.rpartition(" ")[2] != "dxf"


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


def _conditional(tag: str, of: dict[str, str]) -> tuple[str, Bilingual] | None:
    is_disguise = tag == "numFmt" and formats.harmless(of.get("formatCode")) is None
    return ("conditional formatting", DISGUISED) if is_disguise else None


def _is_set(of: dict[str, str], name: str) -> bool:
    return of.get(name, "0").strip() not in ("0", "false")


def _is_flat(of: dict[str, str], name: str) -> bool:
    try:
        return not float(of.get(name, LEAST_EXTENT)) >= LEAST_EXTENT  # true for NaN
    except ValueError:
        return True
