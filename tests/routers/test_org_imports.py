"""Divisions imported below an organisation: a preview first, then exactly its changes."""

from hashlib import sha256
from typing import Any

import httpx
import pytest

from app.models.orgs import Level, Org
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator
from tests.factories.refusals import Ask as Refused
from tests.factories.sheets import XLSX, make_sheet
from tests.routers.test_audit import entries
from tests.routers.test_org_changes import above, make_tree, post
from tests.security.schema_world import Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation         rule           nobody alice bob  counter rival sibling parent auditor admin outsider
previewOrgImport  administrator  401    403   403  403     403   403     403    403     200   403
importOrgs        administrator  401    403   403  403     403   403     403    403     201   403
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {
    *("sheets.unreadable", "sheets.too_large", "sheets.not_plain"),
    *("org_imports.wrong_columns", "org_imports.rows_wrong", "org_imports.other_changes"),
}
HEADINGS = ("code", "name", "parent_code", "level")
Row = tuple[str, str, str, str]


def csv_of(*rows: Row, encoding: str = "utf-8-sig") -> bytes:
    return "\r\n".join(",".join(row) for row in (HEADINGS, *rows)).encode(encoding)


def file_of(content: bytes, name: str = "divisions.csv") -> dict[str, Any]:
    return {"file": (name, content, XLSX if name.endswith("xlsx") else "text/csv")}


async def preview(
    api: httpx.AsyncClient, caller: TestPerson, org: Org, content: bytes
) -> httpx.Response:
    path, form = f"{API}/orgs/imports/preview", {"org_id": str(org.id)}
    return await api.post(path, headers=caller.headers, data=form, files=file_of(content))


async def apply(
    api: httpx.AsyncClient, caller: TestPerson, org: Org, content: bytes, digest: str
) -> httpx.Response:
    path, form = f"{API}/orgs/imports", {"digest": digest, "org_id": str(org.id)}
    return await api.post(path, headers=keyed(caller), data=form, files=file_of(content))


async def _file(world: World) -> Ask:
    async with world.runtime.database.read() as tx:
        street = await tx.get_one(Org, above(world.home))
    made = await make_org(world.runtime, parent=street, level=Level.community)
    content = csv_of((made.code, "改名", street.code, "community"))
    admin = world.everybody["admin"]
    assert admin is not None
    digest = (await preview(world.api, admin, street, content)).json()["digest"]
    parts = {"digest": (None, digest), "org_id": (None, str(street.id))}
    return Ask(files=file_of(content) | parts)


async def _file_alone(world: World) -> Ask:
    ask = await _file(world)
    assert ask.files is not None
    return Ask(files={name: ask.files[name] for name in ("file", "org_id")})


REQUESTS = {"previewOrgImport": _file_alone, "importOrgs": _file}


async def _rows_wrong(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    street, _community, admin = await make_tree(runtime)
    content = csv_of(("77", "甲", street.code, "community"), ("x", "乙", street.code, "community"))
    files = file_of(content) | {"org_id": (None, str(street.id))}
    facts = {"proposed": 1, "refused": 1}
    return Refused(admin, "POST", "/orgs/imports/preview", facts, files=files)


async def _other_changes(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    street, community, admin = await make_tree(runtime)
    content = csv_of((community.code, "新名", street.code, "community"))
    files = file_of(content) | {"digest": (None, "0" * 64), "org_id": (None, str(street.id))}
    facts = {"inserted": 0, "updated": 1}
    return Refused(admin, "POST", "/orgs/imports", facts, files=files)


REFUSED = {
    "org_imports.rows_wrong": _rows_wrong,
    "org_imports.other_changes": _other_changes,
}


async def known(_: Setup) -> Known:
    return {"digest": [sha256(b"[]").hexdigest()]}


async def completion(_: Setup) -> Completion:
    """Import a file that changes nothing: the digest of that is the same everywhere."""

    def complete(body: dict[str, Any], _: Known) -> None:
        if isinstance(file := body.get("file"), str) and len(file) <= 3:
            body["file"] = csv_of()

    return complete


@pytest.mark.parametrize("form", ["utf-8-sig", "gb18030", "xlsx"])
async def test_a_file_is_previewed_then_imported_as_previewed(
    api: httpx.AsyncClient, runtime: Runtime, form: str
) -> None:
    street, community, _ = await make_tree(runtime)
    moved = await make_org(runtime, parent=street, level=Level.community)
    new, district = f"8{street.code}", await _parent(runtime, street)
    boss = await make_administrator(runtime, district.id)
    rows: list[Row] = [
        (new, "新街道", district.code, "street"),
        (moved.code, moved.name, new, "community"),
        (community.code, "幸福社区", street.code, "community"),
        (street.code, street.name, district.code, "street"),
    ]
    content = make_sheet(HEADINGS, *rows) if form == "xlsx" else csv_of(*rows, encoding=form)

    shown = await preview(api, boss, district, content)
    assert shown.status_code == 200, shown.text
    digest = shown.json()["digest"]
    assert (await preview(api, boss, district, content)).json() == shown.json(), "nothing changed"
    done = await apply(api, boss, district, content, digest)
    again = await apply(api, boss, district, content, digest)

    counts = {"inserted": 1, "updated": 2, "unchanged": 1}
    assert {k: shown.json()[k] for k in counts} == counts
    assert [(one["code"], one["before"] is None) for one in shown.json()["changes"]] == [
        (new, True),
        (moved.code, False),
        (community.code, False),
    ]
    assert shown.json()["changes"][2]["before"]["name"] == community.name
    assert done.status_code == 201, done.text
    assert done.json() == shown.json() | {"id": done.json()["id"]}
    assert_refused(again, 409, "org_imports.other_changes")
    streets = await api.get(f"{API}/orgs", params={"parent_id": str(district.id)})
    [parent] = [one["id"] for one in streets.json()["items"] if one["code"] == new]
    below = await api.get(f"{API}/orgs", params={"parent_id": parent})
    assert [one["code"] for one in below.json()["items"]] == [moved.code]
    [entry] = await entries(api, boss, district, subject=f"org:{district.id}")
    assert (entry["id"], entry["verb"]) == (done.json()["id"], "imported")
    assert entry["facts"] == {"inserted": 1, "updated": 2}
    await assert_ledger_verifies(runtime)


async def _parent(runtime: Runtime, org: Org) -> Org:
    async with runtime.database.read() as tx:
        return await tx.get_one(Org, above(org))


async def test_what_was_changed_since_the_preview_is_previewed_again(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, community, admin = await make_tree(runtime)
    content = csv_of((community.code, "幸福社区", street.code, "community"))
    digest = (await preview(api, admin, street, content)).json()["digest"]
    name = {"name": "另一个名"}
    await api.put(f"{API}/orgs/{community.id}", headers=admin.headers, json=name)

    refused = await apply(api, admin, street, content, digest)

    assert_refused(refused, 409, "org_imports.other_changes")
    [found] = (await api.get(f"{API}/orgs", params={"parent_id": str(street.id)})).json()["items"]
    assert found["name"] == "另一个名"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({0: "12a"}, "code"),
        ({0: "{elsewhere}"}, "code"),
        ({1: ""}, "name"),
        ({2: "{elsewhere}"}, "parent_code"),
        ({2: "404404"}, "parent_code"),
        ({2: "{self}"}, "parent_code"),
        ({3: "street"}, "level"),
        ({3: "village"}, "level"),
    ],
)
async def test_rows_that_are_wrong_are_told(
    api: httpx.AsyncClient, runtime: Runtime, change: dict[int, str], field: str
) -> None:
    street, community, admin = await make_tree(runtime)
    elsewhere = await make_org(runtime)
    row = [community.code, "社区", street.code, "community"]
    for place, value in change.items():
        row[place] = value.format(elsewhere=elsewhere.code, self=community.code)
    refused = await preview(api, admin, street, csv_of((row[0], row[1], row[2], row[3])))
    assert_refused(refused, 422, "org_imports.rows_wrong")
    told = [(one["row"], one["field"]) for one in refused.json()["errors"]]
    assert (2, field) in told
    assert refused.json()["facts"] == {"proposed": 0, "refused": 1}


async def test_a_circle_a_closed_one_and_no_table_are_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    city = await make_org(runtime, level=Level.city)
    admin = await make_administrator(runtime, city.id)
    first = await make_org(runtime, parent=city, level=Level.district)
    second = await make_org(runtime, parent=first)
    closed = await make_org(runtime, parent=first)
    assert (await post(api, admin, closed, "closure")).status_code == 200
    circle = csv_of(
        (first.code, "甲", second.code, "district"), (second.code, "乙", first.code, "street")
    )
    inside = csv_of(("9999", "丙", closed.code, "community"))
    for content, code in (
        (circle, "org_imports.rows_wrong"),
        (inside, "org_imports.rows_wrong"),
        (csv_of((closed.code, "丁", first.code, "street")), "org_imports.rows_wrong"),
        ("code,name\r\n1,甲".encode(), "org_imports.wrong_columns"),
        (b"\xff\xff\xff", "sheets.unreadable"),
        (b"PK\x03\x04", "sheets.unreadable"),
    ):
        assert_refused(await preview(api, admin, city, content), 422, code)
    long = csv_of(*[(str(10**8 + n), "甲", city.code, "district") for n in range(2_001)])
    assert_refused(await preview(api, admin, city, long), 413, "sheets.too_large")


async def test_only_what_is_below_is_changed_and_levels_go_down(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, community, admin = await make_tree(runtime)
    district = await _parent(runtime, street)
    itself = (street.code, street.name, district.code, "street")
    for changed, field in (
        ((street.code, "改名", district.code, "street"), "name"),
        ((street.code, street.name, district.code, "district"), "level"),
    ):
        refused = await preview(api, admin, street, csv_of(changed))
        assert_refused(refused, 422, "org_imports.rows_wrong")
        assert [(one["row"], one["field"]) for one in refused.json()["errors"]] == [(2, field)]
    assert (await preview(api, admin, street, csv_of(itself))).is_success

    boss = await make_administrator(runtime, district.id)
    lower = (street.code, street.name, district.code, "community")
    refused = await preview(api, boss, district, csv_of(lower))
    assert_refused(refused, 422, "org_imports.rows_wrong")
    assert [(one["row"], one["field"]) for one in refused.json()["errors"]] == [(2, "level")]
    away = (community.code, community.name, district.code, "community")
    assert (await preview(api, boss, district, csv_of(lower, away))).is_success
