"""Whatever is wrong around a body: unknown ids, wrong methods, forged queries."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from app.core.clock import local_date, now
from app.runtime import Runtime
from tests.factories.http import assert_refused
from tests.factories.orgs import make_org
from tests.factories.requests import Call, make_calls

API = "/api/v1"
UNKNOWN = {
    "a random id": lambda: str(uuid4()),
    "a word": lambda: "nope",
    "a NUL": lambda: "%00",
    "no UTF-8": lambda: "%ff%fe",
    "a long one": lambda: "x" * 3000,
    "a number": lambda: "1",
    "SQL": lambda: "'%20OR%201=1--",
}
# Method, path, body and the code of what is not there.
OBJECTS: list[tuple[str, str, Any, str]] = [
    ("GET", "/activities/{}", None, "activities.not_found"),
    ("POST", "/activities/{}/publish", None, "activities.not_found"),
    ("POST", "/activities/{}/signups", {}, "activities.not_found"),
    ("GET", "/activities/{}/checkin-code", None, "activities.not_found"),
    ("GET", "/activities/{}/checkin-code.svg", None, "activities.not_found"),
    ("DELETE", "/signups/{}", None, "signups.not_found"),
    ("POST", "/redemptions/{}/cancel", None, "redemptions.not_found"),
    ("POST", "/merchant/charges/{}/refund", {"reason": "x"}, "charges.not_found"),
    ("GET", "/merchant/charges/{}", None, "charges.not_found"),
    ("POST", "/me/charges/{}/confirmation", {}, "charges.not_found"),
    ("POST", "/me/charges/{}/dispute", {"reason": "x"}, "charges.not_found"),
    ("POST", "/awards/{}/approval", None, "awards.not_found"),
    ("POST", "/ledger/transfers/{}/reversal", {"reason": "x"}, "ledger.transfer_not_found"),
]
METHODS: dict[str, set[str]] = {
    "/auth/wechat": {"POST"},
    "/auth/refresh": {"POST"},
    "/auth/logout": {"POST"},
    "/me": {"GET", "PUT", "DELETE"},
    "/orgs": {"GET", "POST"},
    "/activities": {"GET", "POST"},
    "/activities/x": {"GET", "PUT", "DELETE"},
    "/activities/x/publish": {"POST"},
    "/activities/x/signups": {"GET", "POST"},
    "/activities/x/checkin-code": {"GET"},
    "/activities/x/checkin-code.svg": {"GET"},
    "/signups/x": {"DELETE"},
    "/me/signups": {"GET"},
    "/checkins": {"POST"},
    "/me/points": {"GET"},
    "/me/points/entries": {"GET"},
    "/me/card": {"GET"},
    "/me/card/code": {"GET"},
    "/rewards": {"GET", "POST"},
    "/redemptions": {"GET", "POST"},
    "/redemptions/x/cancel": {"POST"},
    "/me/redemptions": {"GET"},
    "/me/notices": {"GET"},
    "/me/notices/read": {"POST"},
    "/merchant/redemptions/collect": {"POST"},
    "/merchant/charges": {"POST"},
    "/merchant/charges/x/refund": {"POST"},
    "/merchant/statement": {"GET"},
    "/awards": {"GET", "POST"},
    "/awards/batches": {"POST"},
    "/awards/batches/sheet": {"POST"},
    "/awards/batches/template": {"GET"},
    "/me/awards": {"GET"},
    "/awards/x/approval": {"POST"},
    "/ledger/transfers/x/reversal": {"POST"},
    "/leaderboards": {"GET"},
}
LISTS = [
    *("/orgs", "/activities", "/rewards", "/me/signups", "/me/points/entries"),
    *("/me/redemptions", "/me/notices"),
]


def cursor(*parts: Any) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


NIL = "00000000-0000-0000-0000-000000000000"
FORGED = {
    "a word": "nope",
    "no base64": "!!!!",
    "Chinese": "青享",
    "a NUL": "\0",
    "too long": "x" * 301,
    "no list": urlsafe_b64encode(b"{}").decode(),
    "no JSON": urlsafe_b64encode(b"[").decode(),
    "no UTF-8": urlsafe_b64encode(b"\xff\xfe").decode(),
    "nested deeply": urlsafe_b64encode(b"[" * 200).decode(),
    "nothing in it": cursor(),
    "null": cursor(None),
    "three parts": cursor(1, 2, 3),
    "an object": cursor({}),
    "a text with NUL": cursor("\0"),
    "a lone surrogate": cursor("\ud800"),
    "true": cursor(True),
    "a fraction": cursor(1.5),
    "a huge number": cursor(10**100),
    "the lowest number": cursor(-(2**63) + 1),
    "the highest number": cursor(2**63 - 1),
    "the first moment there is": cursor("0001-01-01T00:00:00+14:00", NIL),
    "the last moment there is": cursor("9999-12-31T23:59:59-14:00", NIL),
    "a moment without a zone": cursor("2026-01-01T00:00:00", NIL),
}


@pytest_asyncio.fixture(scope="module")
async def headers(api: httpx.AsyncClient, runtime: Runtime) -> dict[str, str]:
    """Headers of somebody who may do everything and has some of everything."""
    calls: dict[str, Call] = await make_calls(api, runtime)
    return calls["redeem"].headers


@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN.keys())
@pytest.mark.parametrize(("method", "path", "body", "code"), OBJECTS)
async def test_an_id_that_was_never_given_out_is_unknown_not_invalid(
    api: httpx.AsyncClient,
    headers: dict[str, str],
    method: str,
    path: str,
    body: Any,
    code: str,
    unknown: Any,
) -> None:
    response = await api.request(
        method,
        API + path.format(unknown()),
        headers=headers | {"Idempotency-Key": str(uuid4())},
        json=body,
    )

    assert_refused(response, 404, code)


@pytest.mark.parametrize(("path", "allowed"), METHODS.items(), ids=METHODS.keys())
async def test_a_wrong_method_is_told_all_the_right_ones(
    api: httpx.AsyncClient, headers: dict[str, str], path: str, allowed: set[str]
) -> None:
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - allowed:
        response = await api.request(method, API + path, headers=headers)

        assert_refused(response, 405, "request.method_not_allowed")
        told = {name.strip() for name in response.headers["allow"].split(",")}
        assert told - {"HEAD", "OPTIONS"} == allowed


@pytest.mark.parametrize(("path", "allowed"), METHODS.items(), ids=METHODS.keys())
async def test_options_tell_the_methods(
    api: httpx.AsyncClient, path: str, allowed: set[str]
) -> None:
    reply = await api.options(API + path)

    assert (reply.status_code, reply.content) == (204, b"")
    told = {name.strip() for name in reply.headers["allow"].split(",")}
    assert told == allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v2/me", "/api/v1", "/api/v1/me/", "/api/v1//me", "/%00"]
)
async def test_an_unknown_path_is_told(api: httpx.AsyncClient, path: str) -> None:
    assert_refused(await api.get(path), 404, "request.unknown_route")


@pytest.mark.parametrize(
    "limit", ["0", "101", "-1", "x", "", "1.5", "1e2", "9" * 40, "\0", "１０ "]
)
@pytest.mark.parametrize("path", LISTS)
async def test_a_limit_is_a_number_from_1_to_100(
    api: httpx.AsyncClient, headers: dict[str, str], path: str, limit: str
) -> None:
    response = await api.get(API + path, headers=headers, params={"limit": limit})

    assert_refused(response, 422, "request.invalid")
    assert [error["field"] for error in response.json()["errors"]] == ["query.limit"]


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
@pytest.mark.parametrize("path", LISTS)
async def test_a_forged_cursor_is_refused_or_finds_nothing_wrong(
    api: httpx.AsyncClient, headers: dict[str, str], path: str, forged: str
) -> None:
    response = await api.get(API + path, headers=headers, params={"cursor": forged})

    if response.status_code == 200:
        assert isinstance(response.json()["items"], list)
    else:
        assert_refused(response, 422, "request.invalid")
        assert [error["field"] for error in response.json()["errors"]] == ["query.cursor"]


async def test_another_lists_cursor_is_not_believed(
    api: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    page = await api.get(f"{API}/orgs", params={"limit": 1})

    response = await api.get(
        f"{API}/me/points/entries",
        headers=headers,
        params={"cursor": page.json()["next_cursor"]},
    )

    assert_refused(response, 422, "request.invalid")


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/orgs", {"level": "planet"}, "level"),
        ("/orgs", {"q": "\0"}, "q"),
        ("/orgs", {"q": ""}, "q"),
        ("/orgs", {"q": "x" * 51}, "q"),
        ("/activities", {"category": "nonsense"}, "category"),
        ("/activities", {"status": "secret"}, "status"),
        ("/activities", {"starts_after": "2026-01-01T00:00:00"}, "starts_after"),
        ("/activities", {"starts_after": "yesterday"}, "starts_after"),
        ("/activities", {"starts_after": "1700000000"}, "starts_after"),
        ("/activities", {"starts_after": "-5.1e-164"}, "starts_after"),
        ("/activities", {"q": "\0"}, "q"),
        ("/merchant/statement", {"month": "2026-13"}, "month"),
        ("/merchant/statement", {"month": "2026-00"}, "month"),
        ("/merchant/statement", {"month": "0000-01"}, "month"),
        ("/merchant/statement", {"month": "9999-12"}, "month"),
        ("/merchant/statement", {"month": "2026-1"}, "month"),
        ("/merchant/statement", {"month": "２０２６-01"}, "month"),
        ("/merchant/statement", {"month": "2026-01\n"}, "month"),
        ("/merchant/statement", {"month": "\0"}, "month"),
        ("/leaderboards", {"org_id": NIL, "period": "decade"}, "period"),
        ("/leaderboards", {"org_id": NIL, "limit": "101"}, "limit"),
        ("/leaderboards", {"org_id": NIL, "limit": "0"}, "limit"),
    ],
)
async def test_a_wrong_query_is_refused_by_the_name_of_its_field(
    api: httpx.AsyncClient, headers: dict[str, str], path: str, query: dict[str, str], field: str
) -> None:
    response = await api.get(API + path, headers=headers, params=query)

    assert_refused(response, 422, "request.invalid")
    assert [error["field"] for error in response.json()["errors"]] == [f"query.{field}"]


async def test_bytes_that_are_no_text_do_not_break_a_search(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await make_org(runtime)

    for raw in ("%ff", "%ed%a0%80", "%c0%80", "%F0%9F%98%80"):
        response = await api.get(f"{API}/orgs?q={raw}")
        assert response.status_code == 200
        assert response.json()["items"] == []


async def test_what_was_sent_is_not_repeated_in_a_refusal(api: httpx.AsyncClient) -> None:
    """It may hold a secret."""
    response = await api.post(f"{API}/auth/refresh", json={"refresh_token": ["hunter2"]})

    assert_refused(response, 422, "request.invalid")
    assert "hunter2" not in response.text


async def test_a_foreign_request_id_is_kept_only_if_it_looks_like_one(
    api: httpx.AsyncClient,
) -> None:
    for sent, kept in (("abc-DEF_12345678", True), ("short", False), ("a b c d e f g", False)):
        response = await api.get(f"{API}/me", headers={"X-Request-ID": sent})
        assert (response.headers["x-request-id"] == sent) is kept
        assert_refused(response, 401, "auth.login_required")


async def test_a_month_of_today_is_fine(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """The control of the wrong months above."""
    month = local_date(now()).isoformat()[:7]

    response = await api.get(f"{API}/merchant/statement", headers=headers, params={"month": month})

    assert response.status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"code": 1}', b"\xff"])
async def test_a_strangers_body_is_not_looked_at(api: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await api.post(f"{API}/checkins", content=body, headers=headers)
    assert_refused(reply, 401, "auth.login_required")
