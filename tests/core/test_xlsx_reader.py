"""Reading uploaded sheets: plain values only, and nothing that a file says of itself."""

import re
import struct
import tracemalloc
import zlib
from contextlib import nullcontext
from datetime import date, datetime

import pytest

from app.core.xlsx import guard, reader, writer
from app.core.xlsx.guard import SheetNotPlain, SheetTooLarge, SheetUnreadable
from app.core.xlsx.reader import SheetRow, read
from tests.factories.sheets import make_shared, make_sheet, part_of, with_part

FIRST = "xl/worksheets/sheet1.xml"
STYLES, WORKBOOK = "xl/styles.xml", "xl/workbook.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"
HEAD = ("card_no", "quantity")
PLAIN = make_sheet(HEAD, ("6800000000017", 2))


HALF_PAST_NINE = datetime(2026, 3, 1, 9, 30)  # noqa: DTZ001 - a sheet knows no zones


def cells(error: SheetNotPlain) -> list[object]:
    return [one["field"] for one in error.fields or ()]


def test_values_come_as_people_typed_them() -> None:
    line = (" 陈晨 ", 2, 2.0, 1.5, True, date(2026, 3, 1), HALF_PAST_NINE, None)
    sheet = read(make_sheet(tuple("abcdefgh"), line), 500)
    assert sheet.headings == list("abcdefgh")
    assert sheet.rows == [
        SheetRow(
            2,
            {
                "a": "陈晨",
                "b": 2,
                "c": 2,
                "d": 1.5,
                "e": "TRUE",
                "f": "2026-03-01",
                "g": "2026-03-01T09:30:00",
            },
        )
    ]


def test_a_row_keeps_its_number_and_empty_ones_are_none() -> None:
    sheet = read(make_sheet((), HEAD, ("", None), ("6800000000017", 2), (None, " ")), 500)
    assert [(row.number, row.cells["quantity"]) for row in sheet.rows[:1]] == [(4, 2)]


def test_formulas_and_errors_are_told_by_their_cells() -> None:
    with pytest.raises(SheetNotPlain) as refused:
        read(make_sheet(HEAD, ("6800000000017", "=1+1"), ("#REF!", 1)), 500)
    assert cells(refused.value) == ["B2", "A3"]


def test_a_formula_with_a_value_that_somebody_computed_is_a_formula() -> None:
    cell = b'<c r="B2"><f>1+1</f><v>2</v></c>'
    xml = part_of(PLAIN, FIRST).replace(b'<c r="B2" t="n"><v>2</v></c>', cell)
    assert cell in xml
    with pytest.raises(SheetNotPlain) as refused:
        read(with_part(PLAIN, FIRST, xml), 500)
    assert cells(refused.value) == ["B2"]


@pytest.mark.parametrize("merged", ["A2:A3", "A1:XFD1048576"])
def test_merged_cells_are_refused_before_anybody_spreads_them_out(merged: str) -> None:
    cell = f'</sheetData><mergeCells count="1"><mergeCell ref="{merged}"/></mergeCells>'
    xml = part_of(PLAIN, FIRST).replace(b"</sheetData>", cell.encode())
    with pytest.raises(SheetNotPlain) as refused:
        read(with_part(PLAIN, FIRST, xml), 500)
    assert cells(refused.value) == [merged]


ROW, DATA, WORKBOOK = b'<row r="2"', b"<sheetData>", "xl/workbook.xml"


@pytest.mark.parametrize(
    ("part", "before", "after", "where"),
    [
        (FIRST, ROW, b'<row r="2" hidden="1"', "row 2"),
        (FIRST, ROW, b"<row hidden = ' true ' r=\"2\"", "row 2"),
        (FIRST, ROW, b'<row r="2" hidden="&#49;"', "row 2"),
        (FIRST, ROW, b'<row ht="0" customHeight="1" r="2"', "row 2"),
        (FIRST, ROW, b'<row ht="0.01" r="2"', "row 2"),
        (FIRST, ROW, b'<row ht="1e-3" r="2"', "row 2"),
        (FIRST, DATA, b'<cols><col min="2" max="2" hidden="true"/></cols><sheetData>', "column 2"),
        (FIRST, DATA, b'<cols><col min="2" max="2" width="0.0"/></cols><sheetData>', "column 2"),
        (FIRST, b"<sheetFormatPr", b'<sheetFormatPr zeroHeight="1"', "sheet"),
        (FIRST, b"<sheetFormatPr", b'<sheetFormatPr defaultColWidth="0"', "sheet"),
        (WORKBOOK, b'state="visible"', b'state="veryHidden"', "Sheet"),
    ],
)
def test_what_nobody_sees_is_refused(part: str, before: bytes, after: bytes, where: str) -> None:
    found = part_of(PLAIN, part)
    assert before in found
    with pytest.raises(SheetNotPlain) as refused:
        read(with_part(PLAIN, part, found.replace(before, after)), 500)
    assert cells(refused.value) == [where]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'<c r="B2" t="n"><v>2</v></c>', b'<c r="B2"><v>1</v></c><c r="B2"><v>9</v></c>'),
        (b"</sheetData>", b'<row r="2"><c r="B2"><v>9</v></c></row></sheetData>'),
    ],
)
def test_no_place_is_filled_twice(before: bytes, after: bytes) -> None:
    found = part_of(PLAIN, FIRST)
    assert before in found
    with pytest.raises(SheetUnreadable):
        read(with_part(PLAIN, FIRST, found.replace(before, after)), 500)


def test_there_is_one_sheet_with_content() -> None:
    with pytest.raises(SheetNotPlain):
        read(make_sheet(HEAD, second="x"), 500)
    with pytest.raises(SheetNotPlain):
        read(make_sheet(), 500)
    assert read(make_sheet(HEAD, second=""), 500).headings == list(HEAD)


def test_five_hundred_rows_and_not_one_more() -> None:
    rows = [("6800000000017", n) for n in range(500)]
    assert len(read(make_sheet(HEAD, *rows), 500).rows) == 500
    with pytest.raises(SheetTooLarge):
        read(make_sheet(HEAD, *rows, ("6800000000017", 1)), 500)


def test_a_hundred_thousand_rows_are_too_many() -> None:
    row = '<row><c t="inlineStr"><is><t>6800000000017</t></is></c></row>'
    xml = part_of(PLAIN, FIRST).replace(b"</sheetData>", row.encode() * 100_000 + b"</sheetData>")
    with pytest.raises(SheetTooLarge):
        read(with_part(PLAIN, FIRST, xml), 500)


def test_a_row_far_below_is_not_overlooked() -> None:
    row = b'<row r="1048576"><c r="B1048576"><v>3</v></c></row></sheetData>'
    sheet = read(with_part(PLAIN, FIRST, part_of(PLAIN, FIRST).replace(b"</sheetData>", row)), 500)
    assert [row.number for row in sheet.rows] == [2, 1048576]


def test_what_a_file_says_of_its_size_is_not_believed() -> None:
    said = part_of(PLAIN, FIRST).replace(b'ref="A1:B2"', b'ref="A1:A1"')
    assert said != part_of(PLAIN, FIRST)
    assert read(with_part(PLAIN, FIRST, said), 500).rows[0].cells["quantity"] == 2


def test_a_bomb_is_not_unpacked() -> None:
    bomb = with_part(PLAIN, "xl/media/bomb.xml", b" " * (guard.MAX_UNPACKED_BYTES + 1))
    assert len(bomb) < reader.MAX_FILE_BYTES
    with pytest.raises(SheetTooLarge):
        read(bomb, 500)


@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_bomb_that_lies_about_its_size_is_unpacked_as_far_as_it_says(
    *, has_checksum: bool
) -> None:
    """Even where the checksum is that of the few bytes that it admits to."""
    size, said = 64 * 1024 * 1024, part_of(PLAIN, FIRST)
    swollen = said + b" " * (size - len(said))
    lying = with_part(PLAIN, FIRST, swollen).replace(
        struct.pack("<I", size), struct.pack("<I", len(said))
    )
    if has_checksum:
        lying = lying.replace(
            struct.pack("<I", zlib.crc32(swollen)), struct.pack("<I", zlib.crc32(said))
        )
    del swollen
    tracemalloc.start()
    try:
        with nullcontext() if has_checksum else pytest.raises(SheetUnreadable):
            read(lying, 500)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 4


def test_a_row_of_a_number_that_no_sheet_has_is_refused_at_once() -> None:
    for number in (10**12, 1_048_577):
        row = f'<row r="{number}"><c r="B{number}"><v>3</v></c></row></sheetData>'.encode()
        xml = part_of(PLAIN, FIRST).replace(b"</sheetData>", row)
        with pytest.raises((SheetTooLarge, SheetUnreadable)):
            read(with_part(PLAIN, FIRST, xml), 500)


def test_merged_cells_are_found_wherever_the_sheet_lies() -> None:
    merged = '</sheetData><mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'
    xml = part_of(PLAIN, FIRST).replace(b"</sheetData>", merged.encode())
    moved = with_part(PLAIN, "xl/w/s.xml", xml)
    relations = part_of(PLAIN, RELATIONS).replace(b"worksheets/sheet1.xml", b"w/s.xml")
    with pytest.raises(SheetNotPlain):
        read(with_part(moved, RELATIONS, relations), 500)


def test_what_stands_far_to_the_right_is_not_overlooked() -> None:
    with pytest.raises(SheetTooLarge):
        read(make_sheet(HEAD, ("1", 1, *[None] * 50, "=1")), 500)


@pytest.mark.parametrize(
    "xml",
    ["<a>" * guard.MAX_DEPTH + "<a>", "<a>" + "<b/>" * guard.MAX_ELEMENTS],
    ids=["in each other", "side by side"],
)
def test_elements_without_number_are_too_many(xml: str) -> None:
    """Even where no sheet is: whoever looks for what is hidden must read them all."""
    with pytest.raises(SheetTooLarge):
        read(with_part(PLAIN, "xl/more.xml", xml.encode()), 500)


def test_styles_without_number_are_too_many() -> None:
    """Each costs a hundred times a cell."""
    styles = part_of(PLAIN, STYLES).replace(b"</cellXfs>", b"<xf/>" * 20_000 + b"</cellXfs>")
    with pytest.raises(SheetTooLarge):
        read(with_part(PLAIN, STYLES, styles), 500)


def test_the_elements_of_all_parts_count_together() -> None:
    xml, file = b"<a>" + b"<b/>" * (guard.MAX_OTHERS // 2) + b"</a>", PLAIN
    read(with_part(file, "xl/1.xml", xml), 500)
    for n in range(2):
        file = with_part(file, f"xl/{n}.xml", xml)
    with pytest.raises(SheetTooLarge):
        read(file, 500)


def test_one_text_in_many_cells_is_too_large() -> None:
    """It stands in the file once, and each cell would hold a copy of its own."""
    text = " " + 30_000 * "x"
    most = reader.MAX_ALL_CHARACTERS // len(text)
    few, many = make_shared(text, most), make_shared(text, most + 1)
    assert len(many) < 10 * 1024
    assert [row.cells for row in read(few, 500).rows] == (most - 1) * [{text[1:]: text[1:]}]
    with pytest.raises(SheetTooLarge):
        read(many, 500)


def test_a_text_is_no_longer_than_excel_allows() -> None:
    assert read(make_shared(32_767 * "x", 1), 500).headings == [32_767 * "x"]
    with pytest.raises(SheetTooLarge):
        read(make_shared(32_768 * "x", 1), 500)


def test_a_part_that_is_many_worksheets_is_too_many() -> None:
    """An empty one, so that the second alone is not refused."""
    empty = make_sheet()
    one = re.search(rb"<sheet [^>]*/>", part_of(empty, WORKBOOK))
    assert one is not None
    copies = b"".join(
        one[0].replace(b'name="', b'name="%d' % n).replace(b'sheetId="', b'sheetId="%d' % n)
        for n in range(1, reader.MAX_SHEETS + 1)
    )
    many = part_of(empty, WORKBOOK).replace(b"</sheets>", copies + b"</sheets>")
    with pytest.raises(SheetTooLarge):
        read(with_part(empty, WORKBOOK, many), 500)


def test_many_parts_are_too_many() -> None:
    file = PLAIN
    for n in range(guard.MAX_PARTS):
        file = with_part(file, f"xl/media/{n}", b"")
    with pytest.raises(SheetTooLarge):
        read(file, 500)


@pytest.mark.parametrize("start", ["", "\n", " "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_entities_are_nobodys_sheet(encoding: str, start: str) -> None:
    """Nor in any spelling that a parser knows, with a mark of its order of bytes or without."""
    xml = part_of(PLAIN, FIRST).decode()
    assert xml.startswith("<worksheet")
    declared = "" if start else f"<?xml version='1.0' encoding='{encoding[:6].rstrip('-')}'?>"
    bomb = f'{start}{declared}<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>{xml}'.encode(encoding)
    with pytest.raises(SheetUnreadable):
        read(with_part(PLAIN, FIRST, bomb), 500)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"name,quantity\n1,2\n",
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600,  # .xls, or an encrypted .xlsx
        with_part(b"PK\5\6" + b"\0" * 18, "word/document.xml", b"<document/>"),
        with_part(PLAIN, FIRST, b"<worksheet"),
        with_part(PLAIN, FIRST, part_of(PLAIN, FIRST).replace(b'r="2"', b'r="x"')),
        with_part(PLAIN, FIRST, b'<?xml version="1.0"?><other/>'),
    ],
    ids=["nothing", "magic", "csv", "ole", "docx", "cut", "row x", "other"],
)
def test_what_is_no_sheet_is_told_so(content: bytes) -> None:
    with pytest.raises((SheetUnreadable, SheetNotPlain)):
        read(content, 500)


def test_a_blank_sheet_can_be_read_again() -> None:
    made = writer.blank("轮值岗[附加]/二", ["青享卡号 card_no", "备注"])
    sheet = read(made, 500)
    assert (sheet.headings, sheet.rows) == (["青享卡号 card_no", "备注"], [])
