"""Bodies that are a document: as text, as a file of a form, or within JSON, all the same."""

from typing import Any

import httpx
import pytest

from app.models.orgs import Org
from app.routers.policy_drafts import MAX_BYTES
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator

POLICIES = "/api/v1/policies"
TIGHTER = "# 青年积分管理办法\n[caps]\nday = 20\n"
WAYS = ("json", "text", "file")
# By name: content type and bytes of a text that is refused.
NOT_UTF_8 = {
    "another charset": ("text/plain; charset=gbk", "[caps]\n# 上限".encode("gbk")),
    "UTF-16 that says it is UTF-8": ("text/plain; charset=utf-8", "[caps]".encode("utf-16")),
    "bytes of another charset": ("text/plain", "# 上限".encode("gbk")),
}


@pytest.fixture
async def place(runtime: Runtime) -> tuple[Org, TestPerson]:
    org = await make_org(runtime)
    return org, await make_administrator(runtime, org.id)


async def send(
    api: httpx.AsyncClient,
    way: str,
    path: str,
    headers: dict[str, str],
    document: str = TIGHTER,
    **fields: str,
) -> httpx.Response:
    """Send a document and other fields in one of three ways."""
    ways: dict[str, dict[str, Any]] = {
        "json": {"json": fields | {"document": document}},
        "text": {
            "params": fields,
            "content": document.encode(),
            "headers": {"Content-Type": "text/plain; charset=utf-8"},
        },
        "file": {"data": fields, "files": {"file": ("办法.toml", document.encode())}},
    }
    asked = ways[way]
    asked["headers"] = headers | asked.get("headers", {})
    return await api.post(f"{POLICIES}{path}", **asked)


async def test_a_document_is_read_the_same_in_each_way(
    api: httpx.AsyncClient, place: tuple[Org, TestPerson]
) -> None:
    org, admin = place
    wrong = f"\ufeff{TIGHTER}\r\n[caps.week]\r\n"
    for document, path in ((wrong, "/checks"), (TIGHTER, "/checks"), (TIGHTER, "/diff")):
        replies = [
            await send(api, way, path, admin.headers, document, org_id=str(org.id)) for way in WAYS
        ]
        assert {one.status_code for one in replies} == {200}, replies[-1].text
        assert replies[0].content == replies[1].content == replies[2].content
    elsewhere = await send(api, "text", "/checks", admin.headers)
    assert_refused(elsewhere, 403, "auth.forbidden")  # it is for all organisations


async def test_a_text_is_published_once_for_each_key_and_what_is_in_its_query_counts(
    api: httpx.AsyncClient, place: tuple[Org, TestPerson]
) -> None:
    org, admin = place
    fields = {"org_id": str(org.id)}
    version = (await send(api, "text", "/checks", admin.headers, **fields)).json()["version"]
    for way in WAYS:
        headers = keyed(admin) | {"If-Match": str(version)}
        first, again = [await send(api, way, "", headers, **fields) for _ in "ab"]
        assert first.status_code == 201, first.text
        assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
        other = await send(api, way, "", headers, org_id=fields["org_id"].upper())
        assert_refused(other, 422, "idempotency.key_reused")
        version = first.json()["version"]


async def test_a_simulation_takes_its_days_beside_the_text(
    api: httpx.AsyncClient, place: tuple[Org, TestPerson]
) -> None:
    org, admin = place
    days = {"org_id": str(org.id), "first_day": "2026-01-01"}
    missing = await send(api, "text", "/simulations", keyed(admin), **days)
    assert_refused(missing, 422, "request.invalid")
    assert [one["field"] for one in missing.json()["errors"]] == ["body.last_day"]
    made = await send(api, "file", "/simulations", keyed(admin), **days, last_day="2026-01-31")
    assert made.status_code == 202, made.text
    assert made.json()["last_day"] == "2026-01-31"


@pytest.mark.parametrize("name", NOT_UTF_8)
async def test_a_text_that_is_not_utf_8_is_refused(
    api: httpx.AsyncClient, place: tuple[Org, TestPerson], name: str
) -> None:
    org, admin = place
    content_type, content = NOT_UTF_8[name]
    asked: dict[str, Any] = {"params": {"org_id": str(org.id)}, "content": content}
    headers = admin.headers | {"Content-Type": content_type}
    reply = await api.post(f"{POLICIES}/checks", headers=headers, **asked)
    assert_refused(reply, 400, "request.malformed")
    form: dict[str, Any] = {
        "data": {"org_id": str(org.id)},
        "files": {"file": ("a.toml", b"# \xff")},
    }
    reply = await api.post(f"{POLICIES}/checks", headers=admin.headers, **form)
    assert_refused(reply, 400, "request.malformed")


async def test_what_is_empty_too_large_twice_or_unknown_is_refused(
    api: httpx.AsyncClient, place: tuple[Org, TestPerson]
) -> None:
    org, admin = place
    mine, path = {"org_id": str(org.id)}, f"{POLICIES}/checks"

    async def refused(way: str, status: int, code: str, field: str | None, **given: str) -> None:
        reply = await send(api, way, "/checks", admin.headers, **(mine | given))
        assert_refused(reply, status, code)
        told = [one["field"] for one in reply.json().get("errors", [])]
        assert told == ([] if field is None else [field])

    for way in ("text", "file"):
        await refused(way, 422, "request.invalid", "body.document", document="")
        await refused(way, 413, "request.too_large", None, document="#" * (MAX_BYTES + 1))
        await refused(way, 422, "request.invalid", "body.document", document="#" * 70_000)
        await refused(way, 422, "request.invalid", "body.org", org="x")
    text = {"Content-Type": "text/plain"} | admin.headers
    twice = await api.post(path, headers=text, params=mine | {"document": "x"}, content=b"x")
    assert_refused(twice, 400, "request.malformed")
    nothing = await api.post(path, headers=admin.headers, data=mine, files={"other": b"x"})
    assert_refused(nothing, 422, "request.invalid")
    broken = admin.headers | {"Content-Type": "multipart/form-data; boundary=x"}
    assert_refused(
        await api.post(path, headers=broken, content=b"no form"), 400, "request.malformed"
    )
    # With JSON the query says nothing, and on other routes a text is no body.
    in_query = await api.post(path, headers=admin.headers, params=mine, json={"document": "x"})
    assert_refused(in_query, 422, "request.invalid")
    reply = await api.post("/api/v1/units", headers=keyed(admin) | text, content=b"x")
    assert_refused(reply, 422, "request.invalid")
