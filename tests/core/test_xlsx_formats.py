"""Number formats of uploaded sheets: a cell shows what it holds, or is refused by name."""

import re
from datetime import date, datetime, time
from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.formatting.rule import Rule
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.styles.numbers import NumberFormat

from app.core.xlsx.formats import shows
from app.core.xlsx.guard import DISGUISED, SheetNotPlain
from app.core.xlsx.reader import read
from tests.factories.sheets import make_sheet, part_of, with_part

STYLES, USED = "xl/styles.xml", b'<cellXfs count="1"><xf numFmtId="0"'
DAY = date(2026, 3, 1)
NINE, HALF, LATE = time(9), time(9, 30), time(9, 30, 15)
MOMENT = datetime(2026, 3, 1, 9, 30)  # noqa: DTZ001 - a sheet knows no zones
CARD = 6_800_000_000_017
SHOWN: list[tuple[str, list[Any]]] = [
    ("General", ["x", True, 0, 3, -3, 2.5, CARD, 10**15 - 1, 1e300]),
    ("G/通用格式", [3]),
    ("@", ["x", "0017", 3, 2.5]),
    ("0", [0, 3, 3.0, CARD, "x", True]),
    ("0.00", [3, 2.5, 2.25]),
    ("#,##0", [1234]),
    ("0_ ", [3]),
    ("0.00_ ;[Red]\\-0.00\\ ", [3, -2.5]),
    ("#,##0;-#,##0", [-1234]),
    ("mm-dd-yy", [DAY]),
    ("yyyy-mm-dd", [DAY, "x"]),
    ("yyyy\\-mm\\-dd;@", [DAY]),
    ('yyyy"年"m"月"d"日";@', [DAY]),
    ("[$-804]yyyy/m/d", [DAY]),
    ("yyyy-mm-dd h:mm:ss", [MOMENT, datetime(2026, 3, 1)]),  # noqa: DTZ001
    ("m/d/yy h:mm", [MOMENT]),
    ("h:mm", [NINE, HALF]),
    ("h:mm:ss", [LATE]),
]
DISGUISES: list[tuple[str | None, list[Any]]] = [
    (";;;", ["x", 3, True]),
    (";;;@", [3]),
    ("0;0", [-3]),
    ('0"00"', [3]),
    ("0\\0", [3]),
    ("0!0", [3]),
    ('"100"', [3]),
    ('"小王"@', ["x"]),
    ("0,", [3000]),
    ("0.0,", [3000]),
    ("#", [0]),
    ("00000", [42]),
    ("0%", [3]),
    ("# ?/?", [0.5]),
    ("0.00E+00", [12345]),
    ("0", [2.6, 123_456_789_012_345_678, 10**400]),
    ("0.00", [2.555]),
    ("General", [1 / 3, 110_101_199_003_074_000, 10**400, DAY]),
    ('General"0"', [3]),
    ("[White]0", [3]),
    ("[<5]0;;", [7]),
    ("d", [DAY]),
    ("yyyy", [DAY]),
    ("yy-mm-dd", [DAY]),
    ("dd/mm/yyyy", [DAY]),
    ('"2025"-mm-dd', [DAY]),
    ("yyyy-mm-dd", [MOMENT, 3, NINE]),
    ("yyyy-mm-dd h:mm", [datetime(2026, 3, 1, 9, 30, 15), NINE]),  # noqa: DTZ001
    ("h:mm", [MOMENT, LATE, DAY]),
    ("[h]:mm", [MOMENT]),
    ("", [3]),
    (None, [3, "x"]),
]


def made_with(number_format: str, value: Any) -> bytes:
    """Make a sheet whose cell B2 has a format."""
    lines = ("card_no", "quantity"), ("6800000000017", value)
    return make_sheet(*lines, number_formats={"B2": number_format})


def cases(table: list[tuple[Any, list[Any]]]) -> list[tuple[Any, Any]]:
    return [(code, value) for code, values in table for value in values]


@pytest.mark.parametrize(("code", "value"), cases(SHOWN))
def test_what_is_seen_is_taken(code: str, value: Any) -> None:
    assert shows(code, value)
    assert read(made_with(code, value), 500).rows[0].cells["quantity"] not in ("", None)


@pytest.mark.parametrize(("code", "value"), cases(DISGUISES))
def test_what_looks_like_something_else_is_not(code: str | None, value: Any) -> None:
    assert not shows(code, value)


@pytest.mark.parametrize("code", [";;;", '0"00"', "0,", "0%", "d", "yyyy"])
def test_it_is_refused_with_its_cell_in_one_language(code: str) -> None:
    with pytest.raises(SheetNotPlain) as refused:
        read(made_with(code, 45_000), 500)
    assert refused.value.fields == [{"field": "B2", "msg": DISGUISED}]
    assert DISGUISED.said("zh-CN") != DISGUISED.said("en")


def with_style(number: int, code: str | None = None) -> bytes:
    """Make a sheet whose cells, which name no style, have a number format by its number."""
    file = made_with("General", 45_000)
    styles = part_of(file, STYLES)
    given = f'<numFmts><numFmt numFmtId="{number}" formatCode="{code}"/></numFmts>' if code else ""
    changed = styles.replace(USED, USED.replace(b'"0"', f'"{number}"'.encode(), 1), 1)
    assert changed != styles
    return with_part(file, STYLES, re.sub(b"<numFmts[^>]*/>", given.encode(), changed))


def test_the_style_of_cells_that_name_none_is_looked_at() -> None:
    """Under a number of a harmless format too."""
    assert read(with_style(1), 500).rows[0].cells["quantity"] == 45_000
    with pytest.raises(SheetNotPlain) as refused:
        read(with_style(1, ";;;"), 500)
    assert [one["field"] for one in refused.value.fields or ()] == ["A1", "B1", "A2", "B2"]


@pytest.mark.parametrize("number", [27, 31, 57, 163])
def test_a_format_that_every_country_shows_otherwise_is_refused(number: int) -> None:
    """It has no code in the file: 31 is a date in China, and nothing in particular elsewhere."""
    with pytest.raises(SheetNotPlain):
        read(with_style(number), 500)


@pytest.mark.parametrize(("code", "is_taken"), [(";;;", False), ('0"00"', False), ("0.00", True)])
def test_nor_may_a_condition_bring_one(code: str, *, is_taken: bool) -> None:
    workbook = Workbook()
    worksheet = workbook.active
    assert worksheet is not None
    worksheet.append(["card_no", "quantity"])
    worksheet.append(["1", 3])
    style = DifferentialStyle(numFmt=NumberFormat(numFmtId=200, formatCode=code))
    rule = Rule(type="expression", formula=["TRUE"], dxf=style)
    worksheet.conditional_formatting.add("B2:B9", rule)
    made = BytesIO()
    workbook.save(made)
    if is_taken:
        assert read(made.getvalue(), 500).rows[0].cells["quantity"] == 3
        return
    with pytest.raises(SheetNotPlain) as refused:
        read(made.getvalue(), 500)
    assert refused.value.fields == [{"field": "conditional formatting", "msg": DISGUISED}]
