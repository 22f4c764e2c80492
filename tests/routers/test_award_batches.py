"""Batches of awards by hand, as JSON and as uploaded sheets: every row is told what is wrong."""

from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import uuid4

import httpx
import pytest
from openpyxl import load_workbook

from app.core.bulkhead import Bulkhead
from app.core.db_errors import Retry
from app.core.errors import Busy
from app.core.xlsx import reader
from app.core.xlsx.guard import SheetUnreadable
from app.models.orgs import Org
from app.runtime import Runtime
from app.services.awards import batches, sheets
from tests.conftest import ScratchFactory
from tests.factories.batches import BATCHES, Case, donation, make_case, number, send, wrong
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_people,
)
from tests.factories.sheets import XLSX, make_sheet

TWICE = "row"
FORM = "multipart/form-data"


@pytest.fixture
async def case(runtime: Runtime) -> Case:
    return await make_case(runtime)


async def upload(
    api: httpx.AsyncClient,
    organizer: TestPerson,
    org: Org,
    content: bytes,
    *,
    key: str | None = None,
    form: str = FORM,
    **fields: str,
) -> httpx.Response:
    request = api.build_request(
        "POST",
        f"{BATCHES}/sheet",
        headers=keyed(organizer, key),
        data={"org_id": str(org.id), "rule_key": "blood_donation"} | fields,
        files={"file": ("申报.xlsx", content, XLSX)},
    )
    request.headers["content-type"] = request.headers["content-type"].replace(FORM, form)
    return await api.send(request)


async def pending(api: httpx.AsyncClient, person: TestPerson) -> int:
    points = await api.get("/api/v1/me/points", headers=person.headers)
    return int(points.json()["pending"])


async def card_no(api: httpx.AsyncClient, person: TestPerson) -> str:
    return str((await api.get("/api/v1/me/card", headers=person.headers)).json()["card_no"])


async def test_each_row_has_its_own_evidence(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    org, organizer, (first, second, _) = case
    by_card = donation(second) | {"card_no": await card_no(api, second), "person_id": None}

    response = await send(api, organizer, org, donation(first), by_card)

    assert response.status_code == 201, response.text
    report = response.json()
    assert (report["proposed"], report["refused"]) == (2, 0)
    assert [row["row"] for row in report["rows"]] == [1, 2]
    assert [row["person_id"] for row in report["rows"]] == [str(first.id), str(second.id)]
    assert all("*" in row["display_name"] for row in report["rows"])
    assert [row["award"]["points"] for row in report["rows"]] == [10, 10]
    assert [await pending(api, one) for one in (first, second)] == [10, 10]
    await assert_ledger_verifies(runtime)


async def test_a_row_that_is_none_is_told(api: httpx.AsyncClient, case: Case) -> None:
    org, organizer, _ = case
    refused = await send(api, organizer, org, "x", {"evidence": {}})  # type: ignore[arg-type]
    assert wrong(refused) == [(1, "row"), (2, "card_no")]


async def test_the_same_act_in_other_words_is_the_same_row(
    api: httpx.AsyncClient, case: Case
) -> None:
    org, organizer, (first, second, _) = case
    told = [("R-1", {}), ("r—1", {}), ("R-1", {"remark": "x"}), ("R-2", {})]
    rows = [
        {"person_id": str(first.id), "evidence": {"acceptance_report": report, **more}}
        for report, more in told
    ]
    rows.append(rows[0] | {"person_id": str(second.id)})

    refused = await send(api, organizer, org, *rows, rule_key="project_close")

    assert wrong(refused) == [(2, TWICE), (3, TWICE)]


REQUIRED, INVISIBLE = ("必填", "required"), ("没有可见的字符", "must hold something visible")


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        ({}, REQUIRED),
        ({"certificate": "\u0301"}, INVISIBLE),
        ({"certificate": "\u200b"}, INVISIBLE),
        ({"certificate": "\u3164"}, INVISIBLE),
    ],
    ids=ascii,
)
async def test_one_wrong_row_and_nothing_is_written(
    api: httpx.AsyncClient, case: Case, evidence: dict[str, str], told: tuple[str, str]
) -> None:
    org, organizer, (first, second, third) = case
    without = donation(second) | {"evidence": evidence}

    refused = await send(api, organizer, org, donation(first), without, donation(third))

    assert wrong(refused) == [(2, "evidence.certificate")]
    assert refused.json()["errors"][0]["msg"] == told[0]
    in_english = replace(organizer, headers=organizer.headers | {"Accept-Language": "en"})
    refused = await send(api, in_english, org, without)
    assert refused.json()["errors"][0]["msg"] == told[1]
    assert [await pending(api, one) for one in (first, second, third)] == [0, 0, 0]


async def test_a_part_is_written_if_that_is_wanted(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    org, organizer, (first, second, third) = case
    nobody = donation(second) | {"person_id": str(uuid4())}

    response = await send(
        api, organizer, org, donation(first), nobody, donation(third), partial=True
    )

    assert response.status_code == 201, response.text
    report = response.json()
    assert (report["proposed"], report["refused"]) == (2, 1)
    [_, second_row, _] = report["rows"]
    assert second_row["award"] is None
    assert [one["field"] for one in second_row["mistakes"]] == ["person_id"]
    assert [await pending(api, one) for one in (first, second, third)] == [10, 0, 10]
    await assert_ledger_verifies(runtime)


async def test_a_part_of_nothing_is_refused(api: httpx.AsyncClient, case: Case) -> None:
    org, organizer, (first, *_) = case
    rows = [donation(first) | {"evidence": {}}]
    assert wrong(await send(api, organizer, org, *rows, partial=True)) == [
        (1, "evidence.certificate")
    ]


@pytest.mark.parametrize(
    "number",
    ["6899999999990", "6800000000018", "1", "x" * 20, "- -", "99" * 6 + "9"],
)
async def test_a_card_that_is_mistyped_is_nobodys(
    api: httpx.AsyncClient, case: Case, number: str
) -> None:
    org, organizer, (first, *_) = case
    row = donation(first) | {"person_id": None, "card_no": number}
    assert wrong(await send(api, organizer, org, row)) == [(1, "card_no")]


async def test_a_card_number_is_read_as_people_write_it(api: httpx.AsyncClient, case: Case) -> None:
    """With spaces, dashes and digits of a Chinese keyboard, in a list and in a sheet."""
    org, organizer, people = case
    numbers = [await card_no(api, one) for one in people]
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    spaced, dashed = " ".join(numbers[0]), f" {numbers[1][:4]}-{numbers[1][4:]}–"
    written = [spaced, dashed, numbers[2].translate(wide)]
    rows = [
        donation(one) | {"person_id": None, "card_no": card}
        for one, card in zip(people, written, strict=True)
    ]

    listed = await send(api, organizer, org, *rows)
    sheet = make_sheet(("card_no", "certificate"), *((card, number()) for card in written))
    uploaded = await upload(api, organizer, org, sheet)

    for response in (listed, uploaded):
        assert response.status_code == 201, response.text
        assert [row["person_id"] for row in response.json()["rows"]] == [
            str(one.id) for one in people
        ]


async def test_the_same_row_twice_is_a_slip(api: httpx.AsyncClient, case: Case) -> None:
    org, organizer, (first, *_) = case
    row = {"person_id": str(first.id), "evidence": {"case_no": number()}}

    same = await send(api, organizer, org, row, row, rule_key="council_submit")
    other = row | {"evidence": {"case_no": number()}}
    two = await send(api, organizer, org, row, other, rule_key="council_submit")

    assert wrong(same) == [(2, TWICE)]
    assert [one["award"]["points"] for one in two.json()["rows"]] == [3, 3]  # one is cut later
    assert await pending(api, first) == 6


async def test_what_is_given_once_is_not_given_twice_in_a_batch(
    api: httpx.AsyncClient, case: Case
) -> None:
    org, organizer, (first, *_) = case
    rows = [{"person_id": str(first.id), "evidence": {"grid_confirm": text}} for text in "甲乙"]
    assert wrong(await send(api, organizer, org, *rows, rule_key="register_realname")) == [
        (2, TWICE)
    ]


@pytest.mark.parametrize("quantity", [0, -1, 1.5, 101, 10**30, "2", True])
async def test_quantities_are_whole_and_small(
    api: httpx.AsyncClient, case: Case, quantity: Any
) -> None:
    org, organizer, (first, second, _) = case
    bad = donation(second) | {"quantity": quantity}
    assert wrong(await send(api, organizer, org, donation(first), bad)) == [(2, "quantity")]
    part = await send(api, organizer, org, donation(first), bad, partial=True)
    assert (part.json()["proposed"], part.json()["refused"]) == (1, 1)
    assert [await pending(api, one) for one in (first, second)] == [10, 0]


async def test_only_for_organisations_of_ones_own(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    _, organizer, (first, *_) = case
    elsewhere = await make_org(runtime)
    row = donation(first)
    assert_refused(await send(api, organizer, elsewhere, row), 403, "auth.forbidden")
    sheet = make_sheet(("card_no", "certificate"), (await card_no(api, first), number()))
    assert_refused(await upload(api, organizer, elsewhere, sheet), 403, "auth.forbidden")
    wanted = {"org_id": str(elsewhere.id), "rule_key": "blood_donation"}
    template = await api.get(f"{BATCHES}/template", params=wanted, headers=organizer.headers)
    assert_refused(template, 403, "auth.forbidden")


async def test_five_hundred_rows_and_not_one_more(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    org, organizer, _ = case
    people = await make_people(runtime, 500)
    long = {"certificate": "", "note": "证" * 300}
    rows = [donation(one) | {"evidence": long | {"certificate": number()}} for one in people]

    response = await send(api, organizer, org, *rows)
    too_many = await send(api, organizer, org, *rows, rows[0])

    assert response.json()["proposed"] == 500
    assert_refused(too_many, 422, "request.invalid")
    await assert_ledger_verifies(runtime)


async def test_a_template_that_is_filled_in_is_taken(
    api: httpx.AsyncClient, runtime: Runtime, case: Case
) -> None:
    org, organizer, (first, second, _) = case
    wanted = {"org_id": str(org.id), "rule_key": "blood_donation"}
    template = await api.get(f"{BATCHES}/template", params=wanted, headers=organizer.headers)
    assert template.headers["content-type"] == XLSX
    assert "filename*=UTF-8''%E6%97%A0" in template.headers["content-disposition"]

    workbook = load_workbook(BytesIO(template.content))
    worksheet = workbook.active
    assert worksheet is not None
    headings = [cell.value for cell in next(worksheet.iter_rows())]
    assert headings == ["青享卡号 card_no", "姓名", "数量 quantity", "献血证号 certificate", "备注"]
    worksheet.append([await card_no(api, first), "甲", None, number(), "无"])
    worksheet.append([int(await card_no(api, second)), "乙", "2", 20260301, None])
    filled = BytesIO()
    workbook.save(filled)
    response = await upload(api, organizer, org, filled.getvalue())

    assert response.status_code == 201, response.text
    report = response.json()
    assert [row["row"] for row in report["rows"]] == [2, 3]
    assert [row["person_id"] for row in report["rows"]] == [str(first.id), str(second.id)]
    assert [row["award"]["points"] for row in report["rows"]] == [10, 20]
    await assert_ledger_verifies(runtime)


async def test_grades_have_a_column(api: httpx.AsyncClient, case: Case) -> None:
    org, organizer, (first, *_) = case
    wanted = {"org_id": str(org.id), "rule_key": "commendation"}
    template = await api.get(f"{BATCHES}/template", params=wanted, headers=organizer.headers)
    worksheet = load_workbook(BytesIO(template.content)).active
    assert worksheet is not None
    headings = [cell.value for cell in next(worksheet.iter_rows())]
    [grade] = [one for one in headings if str(one).startswith("等级")]

    line = (await card_no(api, first), "city", "扬青发〔2026〕3号", "5 日")
    sheet = make_sheet(("card_no", grade, "document", "public_notice"), line)
    response = await upload(api, organizer, org, sheet, rule_key="commendation")

    assert response.status_code == 201, response.text
    policy_grades = response.json()["rows"][0]["award"]["points"]
    assert policy_grades > 15


@pytest.mark.parametrize("quantity", [0, -1, 1.5, 101, 1e300, "二", "2026-01-01", True])
async def test_a_row_that_cannot_be_read_is_told(
    api: httpx.AsyncClient, case: Case, quantity: Any
) -> None:
    org, organizer, (first, *_) = case
    line = (await card_no(api, first), quantity, number())
    sheet = make_sheet(("card_no", "quantity", "certificate"), line)
    assert wrong(await upload(api, organizer, org, sheet)) == [(2, "quantity")]


async def test_rows_of_a_sheet_are_told_by_their_numbers(
    api: httpx.AsyncClient, case: Case
) -> None:
    org, organizer, (first, second, third) = case
    cards = [await card_no(api, one) for one in (first, second, third)]
    lines = [(cards[0], number()), (), (cards[1], None), (None, number()), (cards[2], number())]
    sheet = make_sheet(("青享卡号 card_no", "献血证号 certificate"), *lines)

    refused = await upload(api, organizer, org, sheet)
    part = await upload(api, organizer, org, sheet, partial="true")

    assert wrong(refused) == [(4, "evidence.certificate"), (5, "card_no")]
    assert (part.json()["proposed"], part.json()["refused"]) == (2, 2)
    assert [await pending(api, one) for one in (first, second, third)] == [10, 0, 10]


@pytest.mark.parametrize(
    ("headings", "told"),
    [
        (("姓名", "学号"), ["card_no", "certificate"]),
        (("card_no",), ["certificate"]),
        (("card_no", "certificate", "cerificate"), ["cerificate"]),
        (("card_no", "certificate", "证号 certificate"), ["证号 certificate"]),
    ],
)
async def test_the_wrong_sheet_is_told_by_its_columns(
    api: httpx.AsyncClient, case: Case, headings: tuple[str, ...], told: list[str]
) -> None:
    org, organizer, _ = case
    refused = await upload(api, organizer, org, make_sheet(headings, ("1",) * len(headings)))
    assert_refused(refused, 422, "awards.wrong_sheet")
    assert [one["field"] for one in refused.json()["errors"]] == told


async def test_a_sheet_without_rows_proposes_nothing(api: httpx.AsyncClient, case: Case) -> None:
    org, organizer, _ = case
    refused = await upload(api, organizer, org, make_sheet(("card_no", "certificate")))
    assert_refused(refused, 422, "awards.rows_wrong")
    assert [one["field"] for one in refused.json()["errors"]] == ["rows"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"no sheet", 422, "sheets.unreadable"),
        (make_sheet(("card_no", "certificate"), ("=1", "x")), 422, "sheets.not_plain"),
        (make_sheet(("a", "b"), (1, 2), merged="A1:B2"), 422, "sheets.not_plain"),
        (make_sheet(*[("x",)] * 502), 413, "sheets.too_large"),
        (b"PK" + b"\0" * 600 * 1024, 413, "request.too_large"),
    ],
)
async def test_bad_sheets_are_refused(
    api: httpx.AsyncClient, case: Case, content: bytes, status: int, code: str
) -> None:
    org, organizer, _ = case
    assert_refused(await upload(api, organizer, org, content), status, code)


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh-CN", "数字格式使显示与内容不同"), ("en", "a number format that shows")],
)
async def test_a_format_that_disguises_is_told_with_its_cell(
    api: httpx.AsyncClient, case: Case, language: str, words: str
) -> None:
    org, organizer, (first, *_) = case
    organizer.headers["Accept-Language"] = language
    line = (await card_no(api, first), 1, number())
    sheet = make_sheet(
        ("card_no", "quantity", "certificate"), line, number_formats={"B2": '0"0"', "C2": ";;;"}
    )
    refused = await upload(api, organizer, org, sheet)
    assert_refused(refused, 422, "sheets.not_plain")
    assert [one["field"] for one in refused.json()["errors"]] == ["B2", "C2"]
    assert all(one["msg"].startswith(words) for one in refused.json()["errors"])
    assert await pending(api, first) == 0


async def test_a_retry_gets_the_first_reply_whatever_its_boundary(
    api: httpx.AsyncClient, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client draws a boundary for each request, as phones do. The sheet is not read again."""

    def unreadable(*_: Any) -> Any:
        raise SheetUnreadable

    org, organizer, (first, second, _) = case
    heading = ("card_no", "certificate")
    sheet = make_sheet(heading, (await card_no(api, first), number()))
    other = make_sheet(heading, (await card_no(api, second), number()))
    key = str(uuid4())

    once = await upload(api, organizer, org, sheet, key=key)
    monkeypatch.setattr(reader, "read", unreadable)
    again = await upload(api, organizer, org, sheet, key=key, form="Multipart/Form-Data")
    changed = await upload(api, organizer, org, other, key=key)
    partial = await upload(api, organizer, org, sheet, key=key, partial="true")

    assert once.status_code == again.status_code == 201
    assert again.content == once.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert_refused(changed, 422, "idempotency.key_reused")
    assert_refused(partial, 422, "idempotency.key_reused")
    assert await pending(api, first) == 10


async def test_a_sheet_is_read_again_after_a_deadlock(
    api: httpx.AsyncClient, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, organizer, (first, *_) = case
    real, tries = batches.propose_rows, []

    async def unlucky(*args: Any, **named: Any) -> Any:
        tries.append(args)
        if len(tries) == 1:
            raise Retry("40P01")
        return await real(*args, **named)

    monkeypatch.setattr(sheets, "propose_rows", unlucky)
    sheet = make_sheet(("card_no", "certificate"), (await card_no(api, first), number()))
    response = await upload(api, organizer, org, sheet)

    assert response.status_code == 201, response.text
    assert len(tries) == 2


async def test_too_many_sheets_at_once_are_asked_to_wait(scratch: ScratchFactory) -> None:
    """Each is a second of a core and some memory."""
    async with scratch() as app:
        org, organizer, _ = await make_case(app.state.runtime)
        app.state.runtime = replace(app.state.runtime, sheets=Bulkhead(0, patience_s=0))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            refused = await upload(api, organizer, org, make_sheet(("?",)))

    assert_refused(refused, Busy.status, Busy.code)
