"""How an export is written: in pages, whole or not at all, every field under a heading."""

import resource
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from app import schemas
from app.core import language
from app.core.db import Session
from app.core.discovery import declared
from app.core.language import Bilingual
from app.core.paging import Page, PageParams
from app.core.xlsx.writer import FORMULA
from app.models.attachments import AttachmentState
from app.models.awards import AwardState
from app.models.cases import CaseState
from app.models.deductions import DeductionState
from app.models.orgs import Org
from app.models.people import Role
from app.queries.audit import AuditFilter
from app.runtime import Runtime
from app.schemas.audit import AuditEntryOut
from app.schemas.base import Out
from app.schemas.exports import HEADINGS, columns_of, require_distinct, words_of_states
from app.services import audit, exports
from app.services.exports import CsvTable, Read, Table, TooManyRows, XlsxTable, cells_of
from tests.factories.exports import write_entries
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_with_role

TITLE = Bilingual("操作记录", "Audit trail")
FORMS: tuple[type[Table], ...] = (XlsxTable, CsvTable)
COLUMNS = tuple(columns_of(AuditEntryOut))
LONGEST, BOUNDED = 100_000, 32 * 2**20  # rows of a file; bytes that are held meanwhile
_MORE = text("""
INSERT INTO audit_entries (verb, subject_type, subject_id, org_id, actor_id, fields, reason)
SELECT verb, subject_type, subject_id, org_id, actor_id, fields, reason
FROM (SELECT * FROM audit_entries WHERE org_id = :org ORDER BY id DESC LIMIT 1),
    generate_series(1, :number)
""")


@pytest.fixture
def _english() -> Iterator[None]:
    token = language._accepted.set("en")
    yield
    language._accepted.reset(token)


def reading(reader: TestPerson, org: Org) -> Read:
    async def read(tx: Session, page: PageParams) -> Page[Any]:
        return await audit.browse(tx, reader.id, org.id, AuditFilter(), page)

    return read


async def make_trail(runtime: Runtime, number: int) -> Read:
    """Make an organisation with so many entries in its audit trail; return how to read them."""
    org = await make_org(runtime, parent=await make_org(runtime))
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    await write_entries(runtime, auditor, org, number - 1)  # beside that of the appointment
    return reading(auditor, org)


async def export(runtime: Runtime, read: Read, form: type[Table]) -> None:
    made = await exports.export(
        runtime.database, TITLE, COLUMNS, read, form, None, runtime.database
    )
    made.close()


def left_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def peak(runtime: Runtime, read: Read, form: type[Table]) -> int:
    """Return the most bytes that were held while a list was exported."""
    tracemalloc.start()
    try:
        await export(runtime, read, form)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", FORMS)
async def test_a_longer_list_takes_no_more_memory(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, form: type[Table]
) -> None:
    monkeypatch.setattr(exports, "PAGE", 50)
    monkeypatch.setattr(exports, "IN_MEMORY", 4_096)
    little, much = await make_trail(runtime, 200), await make_trail(runtime, 2_000)
    await peak(runtime, little, form)  # what is made once

    assert await peak(runtime, much, form) < 1.5 * await peak(runtime, little, form)


def occurrences(file: IO[bytes], of: bytes) -> int:
    found, tail = 0, b""
    while chunk := file.read(2**20):
        found += (tail + chunk).count(of)
        tail = (tail + chunk)[1 - len(of) :]
    return found


def rows_of(file: IO[bytes], form: type[Table]) -> int:
    """Return the number of rows of a file, without its headings."""
    file.seek(0)
    if form is CsvTable:
        return occurrences(file, b"\r\n") - 1
    with zipfile.ZipFile(file) as book, book.open("xl/worksheets/sheet1.xml") as sheet:
        return occurrences(sheet, b"<row ") - 1


async def lengthen(runtime: Runtime, org: Org, number: int) -> None:
    """Write so many more entries like the newest one of an organisation."""
    while number > 0:
        async with runtime.database.transaction() as tx:
            await tx.execute(_MORE, {"org": org.id, "number": min(number, 5_000)})
        number -= 5_000


def most_held() -> int:
    """Return the most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
async def test_a_hundred_thousand_rows_are_written_page_by_page(
    runtime: Runtime, form: type[Table]
) -> None:
    org = await make_org(runtime, parent=await make_org(runtime))
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    await write_entries(runtime, auditor, org, 1)  # beside that of the appointment
    await lengthen(runtime, org, LONGEST - 2)
    before = most_held()
    with await exports.export(
        runtime.database, TITLE, COLUMNS, reading(auditor, org), form, None, runtime.database
    ) as file:
        grown = most_held() - before
        assert rows_of(file, form) == LONGEST
    assert grown < BOUNDED
    await lengthen(runtime, org, 1)
    with pytest.raises(TooManyRows):
        await export(runtime, reading(auditor, org), form)


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_too_long_or_fails_leaves_nothing_behind(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: type[Table]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(exports, "IN_MEMORY", 1)  # a file that stays open is a warning
    monkeypatch.setattr(exports, "MAX_ROWS", 4)
    monkeypatch.setattr(exports, "PAGE", 2)
    whole, longer = await make_trail(runtime, 4), await make_trail(runtime, 5)

    await export(runtime, whole, form)
    with pytest.raises(TooManyRows) as refused:
        await export(runtime, longer, form)

    assert refused.value.facts == {"limit": 4, "measure": "rows"}
    assert left_in(tmp_path) == []


async def test_no_connection_is_held_while_a_page_is_written(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export in every place of the readers' bulkhead would shut everybody else out."""
    monkeypatch.setattr(exports, "PAGE", 2)
    open_readers: list[int] = []
    free = runtime.database._to_read._free

    class Watching(CsvTable):
        def add(self, rows: Any) -> None:
            super().add(rows)
            open_readers.append(free - runtime.database._to_read._free)

    await export(runtime, await make_trail(runtime, 5), Watching)

    assert open_readers == [0] * 4  # the headings and three pages


VALUES: dict[Any, Any] = {"state": {"notice": ("公示中", "in public notice")}}


class Inner(BaseModel):
    id: UUID
    points: int


class Item(BaseModel):
    title: str
    state: str
    at: datetime | None
    created_at: date
    has_objection: bool
    person: Inner | None
    evidence: dict[str, str]
    objections: list[Inner]


A, B = UUID(int=1), UUID(int=2)
ITEM = Item(
    title=" 植\n树\x01 ",
    state="notice",
    at=datetime(2026, 3, 1, 16, 0, 59, 900_000, tzinfo=UTC),
    created_at=date(2026, 3, 1),
    has_objection=True,
    person=Inner(id=A, points=-5),
    evidence={"document": "3号", "empty": ""},
    objections=[Inner(id=A, points=1), Inner(id=B, points=2)],
)


def test_a_row_is_told_in_chinese_and_by_shanghais_clock() -> None:
    columns = tuple(columns_of(Item))
    heads = [one.heading.said() for one in columns]

    assert dict(zip(heads, exports.cells_of(ITEM, columns), strict=True)) == {
        "名称": "植 树\ufffd",
        "状态": "公示中",
        "时间": "2026-03-02 00:00:59",
        "创建时间": "2026-03-01",
        "有异议": "是",
        "编号": str(A),
        "积分": -5,
        "佐证": "document：3号",
        "异议": f"编号：{A}；积分：1 / 编号：{B}；积分：2",
    }


@pytest.mark.usefixtures("_english")
def test_a_row_is_told_in_english_when_asked() -> None:
    columns = tuple(columns_of(Item))
    missing = ITEM.model_copy(update={"at": None, "person": None, "has_objection": False})

    heads = [one.heading.said() for one in columns]
    told = dict(zip(heads, exports.cells_of(missing, columns), strict=True))

    assert told["State"] == "in public notice"
    assert told["Has an objection"] == "no"
    assert told["Evidence"] == "document: 3号"
    assert told["Time (Shanghai)"] == told["Id"] == told["Points"] == ""


class Side(BaseModel):
    id: UUID
    points: int


class Sides(BaseModel):
    id: UUID
    ours: Side


def test_nested_fields_have_headings_by_path_and_no_two_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(LookupError, match=r"one heading for id, ours\.id"):
        require_distinct(tuple(columns_of(Sides)))
    monkeypatch.setitem(globals(), "HEADINGS", {"ours.id": Bilingual("我方编号", "Our id")})
    columns = tuple(columns_of(Sides))
    require_distinct(columns)
    assert [one.heading.zh for one in columns] == ["编号", "我方编号", "积分"]


def test_a_text_that_no_cell_can_hold_is_cut() -> None:
    columns = tuple(columns_of(Item))
    long = ITEM.model_copy(update={"title": "树" * 40_000})
    text = exports.cells_of(long, columns)[0]
    assert isinstance(text, str)
    assert (len(text), text[-1]) == (32_767, "…")


def test_a_field_without_a_heading_is_found_at_start() -> None:
    class Odd(BaseModel):
        unheard_of: str

    with pytest.raises(LookupError, match=r"Odd\.unheard_of"):
        list(columns_of(Odd))


@pytest.mark.parametrize("first", FORMULA)
def test_what_could_begin_a_formula_is_marked_in_a_csv(first: str, tmp_path: Path) -> None:
    with (tmp_path / "made.csv").open("w+b") as file:
        CsvTable(file).add([[f"{first}1", f"1{first}", -5]])
        file.seek(0)
        assert file.read().decode().startswith(("'", "\"'"))
        file.seek(0)
        assert file.read().decode().endswith(",-5\r\n")


def test_every_heading_and_value_has_words_in_both_languages() -> None:
    words = [Bilingual(*one) for one in values_of_all_nouns()]
    assert all(one.zh and one.en and one.en.isascii() for one in [*HEADINGS.values(), *words])


def values_of_all_nouns() -> Iterator[tuple[str, str]]:
    for values in declared(schemas, "VALUES"):
        for named in values.values():
            yield from named.values()


class Light(StrEnum):
    red = "red"
    available = "available"


class LightOut(Out):
    state: Light | None
    title: str


def test_a_noun_names_the_values_of_its_own_enums(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {Light: {Light.red: ("红灯", "stop"), Light.available: ("绿灯", "go")}}
    monkeypatch.setitem(globals(), "VALUES", words)
    columns = tuple(columns_of(LightOut))

    assert cells_of(LightOut(state=Light.available, title="red"), columns) == ["绿灯", "red"]
    assert cells_of(LightOut(state=None, title="red"), columns) == ["", "red"]


def test_a_member_without_words_is_found_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "VALUES", {Light: {Light.red: ("红灯", "stop")}})
    with pytest.raises(LookupError, match=r"LightOut\.state: .*available"):
        list(columns_of(LightOut))


@pytest.mark.parametrize("states", [AwardState, DeductionState, CaseState, AttachmentState])
def test_states_in_the_audit_trail_are_those_of_the_noun(states: type[StrEnum]) -> None:
    noun = states.__name__.removesuffix("State").lower()
    assert words_of_states(noun).keys() >= {str(one) for one in states}
    assert words_of_states("deduction")["upheld"].zh == "申诉不成立"
    assert words_of_states("a noun without states") == {}
