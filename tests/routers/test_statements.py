"""The printable statement: any period of the passbook, on paper and in a spreadsheet."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from app.core.bulkhead import Bulkhead
from app.core.clock import local_date, now
from app.core.errors import Busy
from app.jobs import seals as sealing
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.factories.awards import give_award, reverse
from tests.factories.clock import TODAY
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.factories.rewards import make_card_codes, make_counter
from tests.factories.statements import (
    FORMS,
    Page,
    Read,
    clock,
    get_statement,
    give_titled,
    read,
    sheets,
)

MARCH = {"since": "2026-03-01", "until": "2026-03-31"}
WHOLE = {"since": "2000-01-01", "until": "2099-12-31"}
HOSTILE = (
    "<script>alert(1)</script>",
    "</td><td>&amp;'\"",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "=",
    "#N/A",
    "a\x01b\x0bc\x1fd",
    "a\u202eb\u2066c",
    "a\uffffb\ufffec",
    "a\nb\tc",
    "{{ 1 }}{% raw %}",
    "树" * 200,
)


def assert_adds_up(found: Read) -> None:
    balance = found.opening
    for line in found.lines:
        balance += line.income - line.outgo
        assert line.balance == balance
    income = sum(line.income for line in found.lines)
    outgo = sum(line.outgo for line in found.lines)
    assert found.sums == (income, outgo, found.closing)
    assert found.closing == balance
    assert int(found.facts["笔数"]) == len(found.lines)


async def spend(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, points: int) -> str:
    counter = await make_counter(runtime)
    [code] = await make_card_codes(runtime, person, 1)
    body = {"card_code": code, "points": points, "note": "咖啡"}
    reply = await api.post("/api/v1/merchant/charges", headers=keyed(counter.staff), json=body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def statement(api: httpx.AsyncClient, person: TestPerson, form: str, **query: str) -> Read:
    found = read(await get_statement(api, person, form, **query))
    assert_adds_up(found)
    return found


@pytest.mark.parametrize("form", FORMS)
async def test_a_statement_is_the_passbook_of_its_days(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    person = await make_person(runtime, "青禾")
    await give_points(runtime, person.id, 20, at=clock(date(2026, 2, 28), 23, 59, 59.9))
    first = await give_points(runtime, person.id, 1500, at=clock(date(2026, 3, 1), 0))
    await give_points(runtime, person.id, 7, at=clock(date(2026, 3, 31), 23, 59, 59.9))
    await give_points(runtime, person.id, 9, at=clock(date(2026, 4, 1), 0))
    charge = await spend(api, runtime, person, 30)

    march = await statement(api, person, form, **MARCH)
    everything = await statement(api, person, form, **WHOLE)

    assert (march.opening, march.sums, march.closing) == (20, (1507, 0, 1527), 1527)
    assert march.lines == [
        (2, "2026-03-01 00:00:00", "测试发放", "发放", 1500, 0, 1520, str(first)[-12:]),
        (3, "2026-03-31 23:59:59", "测试发放", "发放", 7, 0, 1527, march.lines[1].voucher),
    ]
    assert march.facts["昵称"] == "青禾"
    assert march.facts["编号末位"] == person.id.hex[-6:]
    assert march.facts["项目"] == "青年积分"
    assert march.facts["期间"] == "2026-03-01 — 2026-03-31"
    assert [line.number for line in everything.lines] == [1, 2, 3, 4, 5]
    spent = everything.lines[-1]
    assert (spent.title, spent.kind, spent.outgo) == ("商户消费：咖啡", "消费", 30)
    assert spent.voucher == charge[-12:]


@pytest.mark.parametrize("form", FORMS)
async def test_without_days_it_is_this_month(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    person, today = await make_person(runtime), local_date(now())
    first = today.replace(day=1)
    await give_points(runtime, person.id, 5, at=clock(first - timedelta(days=1), 12))
    await give_points(runtime, person.id, 6)

    found = await statement(api, person, form)
    of_a_month = await statement(api, person, form, until=f"{first - timedelta(days=1)}")

    assert (found.opening, [line.income for line in found.lines]) == (5, [6])
    assert found.facts["期间"] == f"{first} — {today}"
    assert datetime.fromisoformat(found.facts["制表时间"]).tzinfo is None
    assert [line.income for line in of_a_month.lines] == [5]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "days",
    [
        MARCH,
        {"since": "0001-01-01", "until": "0001-01-01"},
        {"since": "0001-01-01", "until": "9999-12-31"},
        {"since": "9999-12-31", "until": "9999-12-31"},
    ],
)
async def test_a_newcomer_gets_an_empty_one_for_any_days(
    api: httpx.AsyncClient, runtime: Runtime, form: str, days: dict[str, str]
) -> None:
    found = await statement(api, await make_person(runtime), form, **days)

    assert (found.opening, found.lines, found.closing) == (0, [], 0)
    assert found.facts["期间"] == f"{days['since']} — {days['until']}"


async def test_every_day_there_is_may_be_asked_for(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 5)

    everything = await statement(api, person, "html", since="0001-01-01", until="9999-12-31")
    before = await statement(api, person, "html", since="0001-01-01", until="1999-12-31")
    after = await statement(api, person, "html", since="2099-01-01", until="9999-12-31")

    assert [len(one.lines) for one in (everything, before, after)] == [1, 0, 0]
    assert (before.closing, after.opening) == (0, 5)


@pytest.mark.parametrize("form", FORMS)
async def test_what_cannot_be_stated_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    person = await make_person(runtime)
    wrong = (
        {"since": "2026-02-30"},
        {"since": "yesterday"},
        {"until": "1767225600"},
        {"unit": "Points"},
        {"since": "2026-03-02", "until": "2026-03-01"},
    )
    for query in wrong:
        refused = await get_statement(api, person, form, **query)
        assert_refused(refused, 422, "request.invalid")
        last = list(query)[-1]
        assert [one["field"] for one in refused.json()["errors"]] == [f"query.{last}"]
    unknown = await get_statement(api, person, form, unit="francs")
    assert_refused(unknown, 404, "ledger.unit_unknown")


@pytest.mark.parametrize("before", range(4))
async def test_periods_adjoin_though_times_stand_in_another_order_than_numbers(
    api: httpx.AsyncClient, runtime: Runtime, before: int
) -> None:
    """Two processes with two clocks book around midnight."""
    person, day = await make_person(runtime), date(2026, 3, 2)
    times = [clock(day, 12) - timedelta(days=1)] * before
    times += [clock(day, 0, second=second) for second in (0.2, -0.1, 0.1, -0.2, 60)]
    for at in times:
        await give_points(runtime, person.id, 3, at=at)

    first = await statement(api, person, "html", since="2026-03-01", until="2026-03-01")
    second = await statement(api, person, "html", since="2026-03-02", until="2026-03-02")
    both = await statement(api, person, "html", since="2026-03-01", until="2026-03-02")

    assert second.opening == first.closing
    assert first.lines + second.lines == both.lines
    assert [line.number for line in both.lines] == list(range(1, before + 6))
    for _ in range(4):
        await give_points(runtime, person.id, 3)
        again = await statement(api, person, "html", since="2026-03-01", until="2026-03-01")
        assert again.lines == first.lines


async def test_each_gets_only_their_own(api: httpx.AsyncClient, runtime: Runtime) -> None:
    alice, bob = await make_person(runtime), await make_person(runtime)
    await give_points(runtime, alice.id, 50)

    for form in FORMS:
        assert (await statement(api, bob, form, **WHOLE)).lines == []
        nobody = await api.get(f"/api/v1/me/points/statement.{form}")
        assert_refused(nobody, 401, "auth.login_required")


@pytest.mark.parametrize("form", FORMS)
async def test_hours_of_volunteering_are_told_too(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    for days_ago, minutes in ((1, 90), (0, 1200)):
        await give_award(runtime, person, org, minutes=minutes, points=1, days_ago=days_ago)

    today = f"{local_date(now())}"
    found = await statement(api, person, form, since=today, until=today)
    in_minutes = await statement(api, person, form, since=today, until=today, unit="minutes")

    told = [value.replace(",", "") for name, value in found.facts.items() if "时长" in name]
    assert (told, found.facts["本期增减"].replace(",", "")) == (["90", "1290"], "1200")
    assert (in_minutes.opening, in_minutes.closing) == (90, 1290)
    assert in_minutes.facts["项目"] == "志愿服务分钟"


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_owed_is_told_until_it_is_paid(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    today = local_date(now())
    days = {"since": f"{today}", "until": f"{today}"}
    award = await give_award(runtime, person, org, points=8)
    before = await statement(api, person, form, **days)
    await spend(api, runtime, person, 6)
    await reverse(api, await make_administrator(runtime, org.id), award)
    await give_award(runtime, person, org, rule_key="council_attend", points=2)

    after = await statement(api, person, form, **days)

    assert [name for name in before.facts if "偿还" in name] == []
    assert (after.facts["期初待偿还积分"], after.facts["期末待偿还积分"]) == ("0", "4")
    assert [line.kind for line in after.lines] == ["发放", "消费", "冲正", "发放", "偿还"]


@pytest.mark.parametrize("form", FORMS)
async def test_titles_are_text_whatever_they_hold(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    person = await make_person(runtime, "=1+1<b>\u202e")
    await give_titled(runtime, person.id, HOSTILE, now())

    response = await get_statement(api, person, form)

    shown = [
        *HOSTILE[:8],
        "a�b c d",
        "a�b�c",
        "a�b�c",
        "a b c",
        *HOSTILE[12:],
    ]
    found = read(response)
    assert [line.title for line in found.lines] == shown
    assert found.facts["昵称"] == "=1+1<b>�"


async def test_no_cell_of_a_spreadsheet_is_a_formula(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime, "=1+1")
    await give_titled(runtime, person.id, HOSTILE, now())

    [sheet] = sheets((await get_statement(api, person, "xlsx")).content)

    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n", "d"}
    tempting = [cell for cell in cells if str(cell.value)[0] in "=+-@" and cell.data_type == "s"]
    assert len(tempting) >= 6
    assert all(cell.quotePrefix for cell in tempting)


async def test_a_spreadsheet_prints_on_a4_and_has_real_numbers_and_dates(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1500, at=clock(date(2026, 3, 5), 8, 30, 15.7))

    [sheet] = sheets((await get_statement(api, person, "xlsx", **MARCH)).content)

    [line] = [row for row in sheet.iter_rows() if row[0].data_type == "n" and row[0].value]
    values: list[Any] = [cell.value for cell in line]
    assert values[:2] == [1, datetime(2026, 3, 5, 8, 30, 15)]  # noqa: DTZ001 - as a clock shows
    assert values[4:7] == [1500, None, 1500]
    header = line[0].row - 1
    assert sheet.cell(header, 1).value == "序号\nNo."
    assert (sheet.freeze_panes, sheet.print_title_rows) == (
        f"A{header + 1}",
        f"${header}:${header}",
    )
    assert f"{sheet.page_setup.paperSize}" == sheet.PAPERSIZE_A4
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage


async def test_a_page_prints_on_a4_and_asks_for_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_titled(runtime, person.id, HOSTILE, now())

    response = await get_statement(api, person, "html")
    page = Page(response.text)

    assert page.tags[0] == ("html", {"lang": "zh-CN"})
    names = {tag for tag, _ in page.tags}
    assert {"style", "thead", "tbody", "tfoot", "bdi"} <= names
    assert not names & {"script", "link", "img", "iframe", "a", "object", "form", "b"}
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert attributes == {"lang", "charset", "name", "content", "scope", "title", "class"}
    assert page.texts("thead", "th")[:3] == ["序号", "时间", "摘要"]
    style = response.text.partition("<style>")[2].partition("</style>")[0]
    for rule in ("size: A4", "display: table-header-group", "break-inside: avoid", "counter(page)"):
        assert rule in style
    assert "url(" not in style
    assert "//" not in style
    policy = response.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "style-src 'unsafe-inline'"} <= set(policy)


@pytest.mark.parametrize("form", FORMS)
async def test_a_statement_is_a_file_with_a_name_that_nobody_keeps(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    response = await get_statement(api, await make_person(runtime), form, **MARCH)

    plain, encoded = response.headers["content-disposition"].split("; ")[1:]
    assert plain == f'filename="statement_2026-03-01_2026-03-31.{form}"'
    assert encoded.isascii()
    assert unquote(encoded.removeprefix("filename*=UTF-8''")) == (
        f"青年积分对账单_2026-03-01_2026-03-31.{form}"
    )
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "etag" not in response.headers
    assert int(response.headers["content-length"]) == len(response.content)


@pytest.mark.usefixtures("at_noon")
async def test_paper_is_bound_to_the_newest_seal_of_its_days(scratch: ScratchFactory) -> None:
    async with scratch() as app:
        runtime: Runtime = app.state.runtime
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            person = await make_person(runtime)
            days = [TODAY - timedelta(days=n) for n in (3, 2, 1)]
            await give_points(runtime, person.id, 5, at=clock(days[0], 12))
            await sealing.seal(runtime)
            published = (await api.get("/api/v1/ledger/seals")).json()["items"][::-1]

            for form in FORMS:
                early = await statement(api, person, form, since=f"{days[0]}", until=f"{days[1]}")
                late = await statement(api, person, form, since=f"{days[0]}")
                unsealed = await statement(api, person, form, since=f"{TODAY}")

                assert [one["day"] for one in published] == [f"{day}" for day in days]
                for found, seal in ((early, published[1]), (late, published[2])):
                    assert found.facts["封存日"] == seal["day"]
                    assert found.facts["封存值"] == seal["seal"]
                    assert found.facts["封存值简码"].replace(" ", "") == seal["seal"][:12]
                    assert found.facts["当日根值"] == seal["root"]
                assert "封存日" not in unsealed.facts
                assert unsealed.opening == 5


async def test_the_footer_says_what_is_not_in_it(api: httpx.AsyncClient, runtime: Runtime) -> None:
    response = await get_statement(api, await make_person(runtime), "html")
    notes = "".join(Page(response.text).texts("", "li"))

    assert "待生效的积分不在其中" in notes
    assert "/api/v1/ledger/seals" in notes


async def test_a_statement_adds_up_while_points_move(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1)
    gifts = (give_points(runtime, person.id, 2) for _ in range(20))
    asks = (get_statement(api, person, form) for form in FORMS for _ in range(5))

    made, _ = await asyncio.gather(asyncio.gather(*asks), asyncio.gather(*gifts))

    for one in made:
        assert_adds_up(read(one))
    assert read(await get_statement(api, person, "html")).closing == 41


async def test_too_many_statements_at_once_are_asked_to_wait(scratch: ScratchFactory) -> None:
    async with scratch() as app:
        person = await make_person(app.state.runtime)
        app.state.runtime = replace(app.state.runtime, statements=Bulkhead(0, patience_s=0))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            refused = await get_statement(api, person, "html")

    assert_refused(refused, Busy.status, Busy.code)
    assert refused.headers["retry-after"] == "1"
