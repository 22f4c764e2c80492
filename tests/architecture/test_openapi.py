"""The OpenAPI document, from which clients are generated, and its pages."""

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from markupsafe import escape

import app as package
from app.api.access import KEY_PARAMETER
from app.api.downloads import WORKBOOK
from app.api.openapi import printed
from app.api.pages import codes_of
from app.api.problems import MEDIA_TYPE
from app.core.errors import Refusal
from tests.engines import ROOT

PROBLEM = {"$ref": "#/components/schemas/Problem"}
DOTTED = re.compile(r"[a-z_]+\.[a-z_]+")
# Accounts of the ledger have numbers of PostgreSQL, for small indexes of entries. In the API they
# are decimal strings, as every id is a string.
NUMBERED = {"account_id"}
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    found: dict[str, Any] = app.openapi()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def refusals() -> list[type[Refusal]]:
    """Return all classes of refusals in the application."""
    for info in pkgutil.walk_packages(package.__path__, "app."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)
    found: list[type[Refusal]] = []
    waiting = list(Refusal.__subclasses__())
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        # A class without a code of its own is a base class, or a case of its base (LockTimeout).
        if one.__module__.startswith("app.") and "code" in vars(one):
            found.append(one)
    return found


def test_every_refusal_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        refused = {s: r for s, r in operation["responses"].items() if int(s) >= 400}
        assert "503" in refused, name
        for status, response in refused.items():
            where = f"{name} {status}"
            assert set(response["content"]) == {MEDIA_TYPE}, where
            base, of_codes = response["content"][MEDIA_TYPE]["schema"]["allOf"]
            assert base == PROBLEM, where
            codes = of_codes["properties"]["code"]["enum"]
            assert response["description"] == ", ".join(f"`{code}`" for code in codes), where


def test_documented_codes_exist_and_belong_to_their_status(document: dict[str, Any]) -> None:
    status_of = {one.code: one.status for one in refusals()}
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                for code in re.findall(r"`([^`]+)`", response["description"]):
                    assert status_of[code] == int(status), f"{name} {code}"


def test_fastapis_own_error_is_nowhere(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in str(document)
    assert "ValidationError" not in document["components"]["schemas"]


def test_every_id_is_a_string(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, shape in schema.get("properties", {}).items():
            if field == "id" or field.endswith("_id"):
                kinds = {one.get("type") for one in shape.get("anyOf", [shape])}
                assert kinds <= {"string", "null"}, f"{name}.{field}"
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["name"].endswith("_id"):
                shape = parameter["schema"]
                kinds = {one.get("type") for one in shape.get("anyOf", [shape])}
                assert kinds <= {"string", "null"}, f"{name} {parameter['name']}"


def test_nothing_that_comes_in_is_without_a_bound(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith("In"):
            continue
        assert schema.get("additionalProperties") is False, name
        for field, shape in schema.get("properties", {}).items():
            for one in shape.get("anyOf", [shape]):
                bounded = {"string": "maxLength", "array": "maxItems"}.get(one.get("type"))
                free = one.get("format") or one.get("enum") or one.get("const")
                assert bounded is None or free or bounded in one, f"{name}.{field}"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
    assert names <= set(document["components"]["schemas"])


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    assert [name for name, one in operations(document) if not one.get("description")] == []


def test_every_tag_is_described_in_both_languages(document: dict[str, Any]) -> None:
    described = {tag["name"]: tag["description"].split("\n\n") for tag in document["tags"]}
    assert described.keys() == {tag for _, one in operations(document) for tag in one["tags"]}
    for tag, (zh, en) in described.items():
        assert CHINESE.search(zh), tag
        assert not CHINESE.search(en), tag


def test_whatever_asks_for_a_reason_demands_it(document: dict[str, Any]) -> None:
    demanded = {
        operation["operationId"]: "reason" in schema.get("required", [])
        for _, operation in operations(document)
        if "reason" in (schema := body_of(document, operation)).get("properties", {})
    }
    # The contract of the paths has the status of a reward without a reason.
    assert [name for name, is_so in demanded.items() if not is_so] == ["setRewardStatus"]
    assert demanded.keys() >= {"reverseTransfer", "rejectAward", "refundCharge"}
    assert demanded.keys() >= {"proposeReceiptReversal", "decideReceiptReversal"}


def body_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an operation's JSON body, {} without one."""
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    found: dict[str, Any] = document["components"]["schemas"].get(reference.split("/")[-1], {})
    return found


def test_what_needs_a_login_says_so(document: dict[str, Any]) -> None:
    bearer: dict[str, list[str]] = {"bearer": []}
    optional = set()
    for name, operation in operations(document):
        public = operation["x-access-rule"] in {"anyone", "probe"}
        assert operation["security"] in ([[], [{}, bearer]] if public else [[bearer]]), name
        if {} in operation["security"]:
            optional.add(operation["operationId"])
    assert optional >= {"listActivities", "getActivity", "getReward", "getMerchant"}
    assert "getLeaderboard" in optional
    assert not optional & {"logIn", "refreshLogin", "isAlive", "listOrgs", "listSeals"}


def test_every_model_is_named_after_its_title(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {"ActivityOut", "ActivityMessagePage", "UploadAttachmentForm"} <= schemas.keys()
    assert [name for name in schemas if not re.fullmatch("[A-Z][A-Za-z0-9]+", name)] == []
    assert [name for name, one in schemas.items() if one.get("title") != name] == []


def test_every_id_in_a_path_is_a_uuid(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"].endswith("_id"):
                expected = "int64" if parameter["name"] in NUMBERED else "uuid"
                assert parameter["schema"].get("format") == expected, name


def test_closed_sets_are_enums_in_replies(document: dict[str, Any]) -> None:
    """Not the keys of tiers, which are a policy's own."""
    closed = re.compile(r"(.*_)?(status|state|kind|role|level|verb|direction|type|from|to)")
    found = []
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith("Out"):
            continue
        for field, shape in schema.get("properties", {}).items():
            kinds = [one for one in shape.get("anyOf", [shape]) if one.get("type") == "string"]
            bare = [one for one in kinds if not {"enum", "const", "format"} & one.keys()]
            if closed.fullmatch(field) and bare:
                found.append(f"{name}.{field}")
    assert found == []


def test_replies_are_complete_and_defaults_of_requests_optional(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith(("Out", "Page")):
            assert {*schema.get("required", [])} == schema.get("properties", {}).keys(), name
        if name.endswith("In"):
            defaulted = {f for f, s in schema.get("properties", {}).items() if "default" in s}
            assert not defaulted & {*schema.get("required", [])}, name


def test_files_are_binary(document: dict[str, Any]) -> None:
    found = {}
    for _, operation in operations(document):
        for media_type, body in operation["responses"].get("200", {}).get("content", {}).items():
            found[media_type] = body.get("schema", {}).get("format")
    binary = {one for one, form in found.items() if form == "binary"}
    texts = {"application/json", "text/event-stream", "text/html", "text/plain"}
    assert found.keys() - binary == texts
    assert binary >= {"image/svg+xml", "image/jpeg", "application/pdf", "application/zip"}
    assert binary >= {"text/csv", WORKBOOK}


def test_every_code_is_in_one_enum(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["RefusalCode"]["enum"] == sorted(one.code for one in refusals())
    reference = {"$ref": "#/components/schemas/RefusalCode"}
    for name in ("Problem", "ReasonOut", "RefusedReviewOut"):
        assert reference.items() <= schemas[name]["properties"]["code"].items(), name


async def test_the_page_asks_no_other_host(api: httpx.AsyncClient) -> None:
    page = await api.get("/docs")
    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=", page.text)
    addresses = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert len(addresses) == 5
    assert [one for one in addresses if "//" in one] == []
    script = await api.get("/docs/start.js")
    assert "//" not in re.sub(r"^ *//.*|; // .*", "", script.text, flags=re.MULTILINE)
    for address in (*addresses, "openapi.json"):
        assert (await api.get(address)).status_code == 200, address


async def test_the_page_logs_in_by_the_sandbox_where_there_is_one(
    app: FastAPI, api: httpx.AsyncClient
) -> None:
    script = (await api.get("/docs/start.js")).text
    for path in ("sandbox/wechat/codes", "api/v1/auth/wechat"):
        assert f'"{path}"' in script
    assert str(KEY_PARAMETER["example"]) in script
    assert 'id="sandbox-login"' in (await api.get("/docs")).text
    runtime = app.state.runtime
    app.state.runtime = replace(runtime, sandbox=None)
    try:
        assert 'id="sandbox-login"' not in (await api.get("/docs")).text
    finally:
        app.state.runtime = runtime


async def test_the_page_of_codes_explains_each(app: FastAPI, api: httpx.AsyncClient) -> None:
    page = (await api.get("/docs/codes")).text
    for one in refusals():
        row = page.partition(f'<tr id="{one.code}">')[2].partition("</tr>")[0]
        assert escape(one.zh) in row, one.code
        assert escape(one.en) in row, one.code
        assert f"<td>{one.status}</td>" in row, one.code
        assert all(fact in row for fact in one.fact_names), one.code
    answers = {one["code"]: one["operations"] for one in codes_of(app)["codes"]}
    assert answers["signups.closed"] == ["signUp", "signUpChild"]
    assert "redeem" in answers["rewards.out_of_stock"]


def test_a_statement_is_a_file_of_its_media_type(document: dict[str, Any]) -> None:
    files = {
        "getMyStatementHtml": {"text/html": {"schema": {"type": "string"}}},
        "getMyStatementXlsx": {WORKBOOK: {"schema": {"type": "string", "format": "binary"}}},
    }
    found = {
        one["operationId"]: one["responses"]["200"]["content"]
        for _, one in operations(document)
        if one["operationId"] in files
    }
    assert found == files


def test_the_committed_document_is_current(app: FastAPI) -> None:
    committed = (ROOT / "clients/openapi.json").read_text(encoding="utf-8")
    assert committed == printed(app), "run `make openapi`"


async def test_the_document_is_served(api: httpx.AsyncClient, document: dict[str, Any]) -> None:
    reply = await api.get("/openapi.json")
    assert reply.json() == document


def test_every_refusal_has_a_code_of_its_own() -> None:
    found = refusals()
    assert len(found) > 30
    codes = Counter(one.code for one in found)
    assert [code for code, times in codes.items() if times > 1] == []
    assert [code for code in codes if not DOTTED.fullmatch(code)] == []


def test_every_refusal_speaks_both_languages() -> None:
    for one in refusals():
        assert CHINESE.search(one.zh), one.code
        assert not CHINESE.search(one.en), one.code
        assert one.en.endswith("."), one.code
        assert one.title, one.code
        assert 400 <= one.status <= 503, one.code


def test_the_refusals_that_front_ends_rely_on_keep_code_and_status() -> None:
    promised = {
        "auth.code_invalid": 401,
        "auth.token_invalid": 401,
        "auth.refresh_reused": 401,
        "auth.forbidden": 403,
        "request.invalid": 422,
        "request.too_large": 413,
        "request.rate_limited": 429,
        "idempotency.key_missing": 400,
        "idempotency.key_reused": 422,
        "idempotency.in_flight": 409,
        "activities.not_found": 404,
        "activities.not_open": 409,
        "signups.closed": 409,
        "checkins.code_invalid": 422,
        "checkins.code_expired": 422,
        "checkins.not_signed_up": 403,
        "checkins.outside_window": 409,
        "cards.code_invalid": 422,
        "cards.code_used": 409,
        "points.insufficient": 409,
        "rewards.out_of_stock": 409,
        "rewards.limit_reached": 409,
        "redemptions.not_found": 404,
        "service.busy": 503,
    }
    assert promised.items() <= {one.code: one.status for one in refusals()}.items()
