"""Exports beside a list: its rows, its filters, its access rule, and who took them for what."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI

from app.api import exports as beside
from app.api.access import ANYONE, allow
from app.api.deps import CurrentPerson, PageQuery, Reader
from app.api.exports import EXPORTED
from app.api.routes import Router
from app.core.bulkhead import Bulkhead
from app.core.clock import local_date, local_time, now
from app.core.errors import Busy
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.orgs import Org
from app.models.people import Role
from app.runtime import Runtime
from app.schemas.audit import AuditEntryOut
from app.services import exports
from tests.conftest import ScratchFactory
from tests.factories.awards import give_award, propose
from tests.factories.deductions import deduct
from tests.factories.exports import (
    FORMS,
    exported,
    get_export,
    lines_of,
    read_export,
    sheets,
    write_entries,
)
from tests.factories.funds import receive
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.rewards import make_card_codes, make_counter

API = "/api/v1"
HOSTILE = ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "＝1+1", "#N/A", '甲"乙,丙')


async def audit_of(api: httpx.AsyncClient, org: Org, auditor: TestPerson) -> list[dict[str, Any]]:
    return await walk(api, f"{API}/audit", auditor.headers, org_id=str(org.id))


async def exports_of(api: httpx.AsyncClient, org: Org, auditor: TestPerson) -> list[dict[str, Any]]:
    """Return the entries of exports of an organisation's lists, newest first."""
    found = await audit_of(api, org, auditor)
    return [one for one in found if one["verb"] == "exported" and one["org_id"]]


@dataclass(frozen=True)
class Kept:
    """A list with five items, who may read it, and the texts of a row as the list has them."""

    path: str
    query: dict[str, str]
    reader: TestPerson
    texts: Callable[[dict[str, Any]], dict[str, Any]]


async def _awards(api: httpx.AsyncClient, runtime: Runtime, org: Org, reader: TestPerson) -> Kept:
    proposer = await make_organizer(runtime, org.id)
    await propose(api, proposer, org, *await make_people(runtime, 5))
    return Kept(
        "/awards",
        {"org_id": str(org.id), "state": "pending"},
        reader,
        lambda one: {
            "编号": one["award"]["id"],
            "姓名": one["display_name"],
            "积分": one["award"]["points"],
            "状态": "待审核或待到账",
            "原因": one["award"]["reason"],
            "申报人编号": one["proposed_by"],
            "佐证": "；".join(f"{name}：{text}" for name, text in one["evidence"].items()),
            "到账时间": "",
        },
    )


async def _deductions(
    api: httpx.AsyncClient, runtime: Runtime, org: Org, reader: TestPerson
) -> Kept:
    organizer = await make_organizer(runtime, org.id)
    for person in await make_people(runtime, 5):
        await give_points(runtime, person.id, 9)
        await deduct(api, organizer, org, person)
    return Kept(
        "/deductions",
        {"org_id": str(org.id)},
        reader,
        lambda one: {
            "编号": one["id"],
            "人员编号": one["person_id"],
            "积分": one["points"],
            "应扣积分": one["points_asked"],
            "状态": "生效",
            "名称": one["title"],
            "申诉": "",
        },
    )


async def _receipts(_: httpx.AsyncClient, runtime: Runtime, org: Org, reader: TestPerson) -> Kept:
    for points in range(1, 6):
        await receive(runtime, org, points)
    return Kept(
        f"/orgs/{org.id}/fund/receipts",
        {},
        reader,
        lambda one: {
            "编号": one["id"],
            "积分": one["points"],
            "来源": one["giver"],
            "类型": "捐赠",
        },
    )


async def _audit(_: httpx.AsyncClient, runtime: Runtime, org: Org, reader: TestPerson) -> Kept:
    await write_entries(runtime, reader, org, 5)
    return Kept(
        "/audit",
        {"org_id": str(org.id), "subject_type": "test"},
        reader,
        lambda one: {
            "编号": one["id"],
            "操作人": one["actor"]["display_name"],
            "操作人编号": one["actor"]["id"],
            "对象类型": "test",
            "操作": "创建",
            "原因": one["reason"],
        },
    )


async def _my_awards(_: httpx.AsyncClient, runtime: Runtime, org: Org, reader: TestPerson) -> Kept:
    for days_ago in range(5):
        await give_award(runtime, reader, org, days_ago=days_ago)
    return Kept(
        "/me/awards",
        {},
        reader,
        lambda one: {
            "编号": one["award"]["id"],
            "积分": one["award"]["points"],
            "剩余积分": one["left"],
            "有异议": "否",
            "状态": "已到账",
        },
    )


Maker = Callable[[httpx.AsyncClient, Runtime, Org, TestPerson], Awaitable[Kept]]
LISTS: tuple[Maker, ...] = (_awards, _deductions, _receipts, _audit, _my_awards)
TIMES = {"时间": "at", "创建时间": "created_at", "发放时间": "awarded_at"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", LISTS)
async def test_the_rows_are_those_of_the_list(
    api: httpx.AsyncClient,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    make: Maker,
    form: str,
) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    org = await make_org(runtime)
    kept = await make(api, runtime, org, await make_administrator(runtime, org.id))

    listed = await walk(api, API + kept.path, kept.reader.headers, **kept.query)
    rows = await exported(api, kept.path, form, kept.reader, **kept.query)

    assert len(listed) == len(rows) == 5
    for item, row in zip(listed, rows, strict=True):
        texts = {name: str(text) for name, text in kept.texts(item).items()}
        assert {name: row[name] for name in texts} == texts
        for heading in TIMES.keys() & row.keys():
            at = local_time(datetime.fromisoformat(item[TIMES[heading]]))
            assert row[heading] == f"{at}"


@pytest.mark.parametrize("form", FORMS)
async def test_a_merchants_month_is_exported_whole(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    org = await make_org(runtime)
    counter, person = await make_counter(runtime, org=org), await make_person(runtime)
    await give_points(runtime, person.id, 50)
    for code in await make_card_codes(runtime, person, 3):
        body = {"card_code": code, "points": 5, "note": "=1+1"}
        path = f"{API}/merchant/charges"
        charge = (await api.post(path, headers=keyed(counter.staff), json=body)).json()
    refund = f"{API}/merchant/charges/{charge['id']}/refund"
    await api.post(refund, headers=keyed(counter.staff), json={"reason": "做错了"})
    month = {"month": local_date(now()).isoformat()[:7]}
    path = f"{API}/merchant/statement"
    stated = (await api.get(path, headers=counter.staff.headers, params=month)).json()["items"]

    rows = await exported(api, "/merchant/statement", form, counter.staff, **month)

    note = "=1+1" if form == "xlsx" else "'=1+1"
    assert [row["编号"] for row in rows] == [one["id"] for one in stated]
    assert [row["类型"] for row in rows] == ["退款", "消费", "消费", "消费"]
    assert [row["积分"] for row in rows] == ["-5", "5", "5", "5"]
    assert [row["备注"] for row in rows] == ["做错了", note, note, note]
    assert {row["付款人"] for row in rows} == {"王*四"}
    [entry] = await exports_of(api, org, await make_administrator(runtime, org.id))
    assert entry["actor"]["id"] == str(counter.staff.id)
    assert entry["fields"] == ["month"]


@pytest.mark.parametrize("form", FORMS)
async def test_an_export_stands_in_the_audit_trail(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime, "李四")
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    for _ in range(2):
        await deduct(api, organizer, org, person)

    reply = await get_export(
        api, f"/deductions.{form}", organizer, org_id=str(org.id), state="standing"
    )

    [entry] = await exports_of(api, org, auditor)
    assert entry["actor"] == {"id": str(organizer.id), "display_name": organizer.name}
    assert (entry["subject"]["type"], entry["reason"]) == ("export", "月度核对")
    assert entry["facts"] == {"list": "/deductions", "form": form, "rows": 2}
    assert entry["fields"] == ["org_id", "state"]
    assert entry["request_id"] == reply.headers["x-request-id"]
    assert str(person.id) not in str(entry)


@pytest.mark.parametrize("purpose", [None, "", " ", "x" * 201, "a\x01b"])
async def test_nobody_exports_without_a_purpose(
    api: httpx.AsyncClient, runtime: Runtime, purpose: str | None
) -> None:
    org = await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    asked = {"org_id": str(org.id)} | ({} if purpose is None else {"purpose": purpose})

    refused = await api.get(f"{API}/awards.csv", headers=auditor.headers, params=asked)

    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == ["query.purpose"]
    assert await exports_of(api, org, auditor) == []


@pytest.mark.parametrize("form", FORMS)
async def test_a_list_that_is_too_long_is_refused_and_leaves_no_entry(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(exports, "MAX_ROWS", 3)
    monkeypatch.setattr(exports, "PAGE", 2)
    org = await make_org(runtime, parent=await make_org(runtime))
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    await write_entries(runtime, auditor, org, 2)  # beside that of the appointment
    asked = {"org_id": str(org.id)}
    there = await api.get("/api/v1/audit", headers=auditor.headers, params=asked)
    # Entries are dated by PostgreSQL's clock, which may be ahead of this process's.
    newest = datetime.fromisoformat(there.json()["items"][0]["at"])
    early = (newest + timedelta(microseconds=1)).isoformat()

    assert len(await exported(api, "/audit", form, auditor, **asked)) == 3  # and writes a fourth
    refused = await get_export(api, f"/audit.{form}", auditor, **asked)
    narrowed = await exported(api, "/audit", form, auditor, until=early, **asked)

    assert_refused(refused, 422, "exports.too_many_rows")
    assert refused.json()["facts"] == {"limit": 3, "measure": "rows"}
    assert len(narrowed) == 3
    assert len(await exports_of(api, org, auditor)) == 2


async def test_nobody_exports_what_they_may_not_list(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, other = await make_org(runtime), await make_org(runtime)
    nobody, stranger = await make_person(runtime), await make_organizer(runtime, other.id)
    organizer = await make_organizer(runtime, org.id)
    asked = {"org_id": str(org.id)}

    for form in FORMS:
        for reader in (nobody, stranger):
            refused = await get_export(api, f"/awards.{form}", reader, **asked)
            assert_refused(refused, 403, "auth.forbidden")
        refused = await get_export(api, f"/audit.{form}", organizer, **asked)
        assert_refused(refused, 403, "auth.forbidden")
        unknown = await get_export(api, f"/awards.{form}", organizer, org_id=str(organizer.id))
        assert_refused(unknown, 404, "orgs.not_found")

    assert await exports_of(api, org, await make_administrator(runtime, org.id)) == []


async def test_a_public_list_is_exported_after_a_login(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, resident = await make_org(runtime), await make_person(runtime)
    path = f"/orgs/{org.id}/fund/receipts"

    assert (await api.get(API + path)).status_code == 200
    stranger = await api.get(f"{API}{path}.csv", params={"purpose": "x"})
    await exported(api, path, "csv", resident)

    assert_refused(stranger, 401, "auth.login_required")
    [entry] = await exports_of(api, org, await make_administrator(runtime, org.id))
    assert entry["actor"]["id"] == str(resident.id)


@pytest.mark.parametrize("form", FORMS)
async def test_the_head_of_an_export_leaves_no_entry(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    org = await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    asked = {"org_id": str(org.id), "purpose": "核对"}

    head = await api.head(f"{API}/audit.{form}", headers=auditor.headers, params=asked)

    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert await exports_of(api, org, auditor) == []


async def test_nobody_floods_the_audit_trail_with_exports(scratch: ScratchFactory) -> None:
    async with scratch(rate_limits="on") as app:
        runtime = app.state.runtime
        org, hasty, calm = await make_org(runtime), *await make_people(runtime, 2)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            path, asked = f"{API}/orgs/{org.id}/fund/receipts.csv", {"purpose": "核对"}
            tries = range(beside.EXPORTS.burst + 10)
            # What is refused for its purpose, or for a right, takes no part of the quota.
            unasked = [await api.get(path, headers=hasty.headers) for _ in tries]
            awards = f"{API}/awards.csv", asked | {"org_id": str(org.id)}
            elsewhere = await make_organizer(runtime, (await make_org(runtime)).id)
            barred = [
                await api.get(awards[0], headers=elsewhere.headers, params=awards[1]) for _ in tries
            ]
            own = path.replace(str(org.id), str((await make_org(runtime)).id))
            after = await api.get(own, headers=elsewhere.headers, params=asked)
            replies = [await api.get(path, headers=hasty.headers, params=asked) for _ in tries]
            others = [
                await api.get(path, headers=calm.headers, params=asked),
                await api.get(f"{API}/me/awards.csv", headers=hasty.headers),
                await api.get(f"{API}/me", headers=hasty.headers),
            ]
            found = await exports_of(api, org, await make_administrator(runtime, org.id))

    assert {one.status_code for one in unasked} == {422}
    assert {one.status_code for one in barred} == {403}
    assert (after.status_code, replies[0].status_code) == (200, 200)
    refused = replies[-1]
    assert_refused(refused, 429, "request.rate_limited")
    assert refused.json()["facts"]["limit"] == beside.EXPORTS.burst
    assert int(refused.headers["retry-after"]) > 1
    assert [one.status_code for one in others] == [200, 200, 200]
    assert len(found) == 1 + sum(one.status_code == 200 for one in replies) <= 33


async def test_ones_own_list_needs_no_purpose_and_is_nobodys_business(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_award(runtime, person, org)

    reply = await api.get(f"{API}/me/awards.csv", headers=person.headers)

    assert len(read_export(reply)) == 1
    assert await exports_of(api, org, await make_administrator(runtime, org.id)) == []


async def test_every_cell_is_text_and_no_name_a_formula(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin = await make_administrator(runtime, org.id)
    path = f"/orgs/{org.id}/fund/receipts"
    for giver in HOSTILE:
        body = {"kind": "donation", "points": 7, "giver": giver}
        made = await api.post(API + path, headers=keyed(admin), json=body)
        assert made.status_code == 201, made.text

    [sheet] = sheets((await get_export(api, f"{path}.xlsx", admin)).content)
    rows = await exported(api, path, "csv", admin)

    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    givers = [cell for cell in cells if cell.value in HOSTILE]
    assert len(givers) == len(HOSTILE)
    tempting = [cell for cell in givers if cell.value[0] in "=+-@＝"]
    assert len(tempting) == 5
    assert all(cell.quotePrefix for cell in tempting)
    marked = [f"'{one}" if one[0] in "=+-@＝" else one for one in reversed(HOSTILE)]
    assert [row["来源"] for row in rows] == marked
    assert {row["积分"] for row in rows} == {"7"}


async def test_a_file_speaks_the_readers_language_and_has_a_name(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)
    asked = {"org_id": str(org.id), "purpose": "check"}
    english = auditor.headers | {"Accept-Language": "en"}

    chinese = await api.get(f"{API}/deductions.csv", headers=auditor.headers, params=asked)
    reply = await api.get(f"{API}/deductions.csv", headers=english, params=asked)
    book = await api.get(f"{API}/deductions.xlsx", headers=english, params=asked)

    today = local_date(now())
    assert chinese.content.startswith("\ufeff编号".encode())
    assert lines_of(chinese)[0][:3] == ["编号", "人员编号", "组织编号"]
    assert lines_of(reply)[0][:3] == lines_of(book)[0][:3] == ["Id", "Person id", "Organisation id"]
    name = unquote(chinese.headers["content-disposition"].partition("''")[2])
    assert name == f"扣分记录_{today}.csv"
    assert f'filename="deductions_{today}.xlsx"' in book.headers["content-disposition"]
    assert sheets(book.content)[0].title == "Deductions"
    assert chinese.headers["cache-control"] == "no-store"
    assert int(book.headers["content-length"]) == len(book.content)


async def test_too_many_exports_at_once_are_asked_to_wait(scratch: ScratchFactory) -> None:
    async with scratch() as app:
        person = await make_person(app.state.runtime)
        app.state.runtime = replace(app.state.runtime, statements=Bulkhead(0, patience_s=0))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            refused = await get_export(api, "/me/awards.csv", person)

    assert_refused(refused, Busy.status, Busy.code)


def test_an_export_asks_for_the_filters_of_its_list(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    files = {path: one["get"] for path, one in paths.items() if "/export" in _id_of(one)}
    assert len(files) == 2 * len(EXPORTED) >= 12
    for path, operation in files.items():
        listed = paths[path.rpartition(".")[0]]["get"]
        names = {one["name"] for one in listed.get("parameters", [])}
        taken = {one["name"] for one in operation.get("parameters", [])}
        assert taken - {"purpose"} == names - {"cursor", "limit", "if-none-match"}, path
        assert ("purpose" in taken) is ("/me/" not in path)
        assert operation["x-access-rule"] in (listed["x-access-rule"], "person")


def _id_of(methods: dict[str, Any]) -> str:
    return f"/{methods.get('get', {}).get('operationId', '')}"


def test_a_list_of_no_organisation_is_not_exported() -> None:
    router = Router()

    @router.get("/entries", operation_id="listEntries", **allow(ANYONE))
    async def list_entries(
        tx: Reader, person_id: CurrentPerson, page: PageQuery
    ) -> Page[AuditEntryOut]:
        return Page(items=[])

    with pytest.raises(AssertionError, match="of which organisation"):
        beside.beside(router, list_entries, Bilingual("记录", "Entries"))
