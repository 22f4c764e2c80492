"""Documents of points rules: checked, compared and published by the administrators of a place."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.orgs import Level, Org
from app.runtime import Runtime
from app.schemas.policies.documents import PolicyDocument
from app.services.policies import publishing
from app.services.policies.reading import MAX_CHARACTERS, MAX_LINES
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator
from tests.factories.policies import SHIPPED
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import Completion, Known, Setup
from tests.security.world import Ask, World

POLICIES = "/api/v1/policies"
MATRIX = """
operation      rule           nobody alice bob  counter rival sibling parent auditor admin outsider
checkPolicy    administrator  401    403   403  403     403   403     403    403     200   403
diffPolicy     administrator  401    403   403  403     403   403     403    403     200   403
publishPolicy  administrator  401    403   403  403     403   403     403    403     201   403
"""
BEYOND_THE_SCHEMA = {
    *("policy_drafts.invalid", "policy_drafts.wrong_time"),
    *("request.precondition_failed", "request.precondition_required"),
    *("query.org_id", "query.effective_from"),  # with a body of text/plain alone
}
TIGHTER = "[caps]\nday = 20\n"


async def _newest(api: httpx.AsyncClient, person: TestPerson, org: Org) -> int:
    checked = await check(api, person, org, TIGHTER)
    version: int = checked["version"]
    return version


async def _draft(world: World) -> Ask:
    return Ask(body={"org_id": str(world.home.id), "document": TIGHTER})


async def _publication(world: World) -> Ask:
    admin = world.everybody["admin"]
    assert admin is not None
    version = await _newest(world.api, admin, world.home)
    return Ask(body=(await _draft(world)).body, headers={"If-Match": str(version)})


REQUESTS = {"checkPolicy": _draft, "diffPolicy": _draft, "publishPolicy": _publication}


async def _invalid(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, admin = await make_place(runtime)
    body = {"org_id": str(org.id), "document": "[caps]\nday = 1000\nmonth = 0\n"}
    return Refused(admin, "POST", "/policies/diff", {"refused": 2}, body)


async def _yesterday(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, admin = await make_place(runtime)
    yesterday = now() - timedelta(days=1)
    body = {"org_id": str(org.id), "document": TIGHTER, "effective_from": yesterday.isoformat()}
    headers = {"If-Match": str(await _newest(api, admin, org))}
    facts = {"limit": 731, "measure": "days"}
    return Refused(admin, "POST", "/policies", facts, body, headers=headers)


REFUSED = {"policy_drafts.invalid": _invalid, "policy_drafts.wrong_time": _yesterday}


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], _: Known) -> None:
        if "document" in body:
            body["document"] = TIGHTER

    return complete


async def make_place(runtime: Runtime) -> tuple[Org, TestPerson]:
    """Return a street with its administrator."""
    org = await make_org(runtime)
    return org, await make_administrator(runtime, org.id)


async def check(
    api: httpx.AsyncClient, person: TestPerson, org: Org | None, document: str, language: str = "zh"
) -> dict[str, Any]:
    body = {"document": document} | ({"org_id": str(org.id)} if org else {})
    headers = person.headers | {"Accept-Language": language}
    reply = await api.post(f"{POLICIES}/checks", headers=headers, json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def publish(
    api: httpx.AsyncClient,
    person: TestPerson,
    org: Org,
    version: int,
    document: str = TIGHTER,
    key: dict[str, str] | None = None,
    **more: str,
) -> httpx.Response:
    headers = (key or keyed(person)) | {"If-Match": f'"{version}"'}
    body = {"org_id": str(org.id), "document": document} | more
    return await api.post(POLICIES, headers=headers, json=body)


async def test_a_check_tells_each_finding_with_its_line_in_one_language(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    document = "\ufeff[caps]\nday = 1000\nyears = 3\n[rules.nap]\npoints = 1\n"

    zh, en = [await check(api, admin, org, document, one) for one in ("zh", "en")]

    assert [(one["line"], one["path"], one["level"]) for one in zh["findings"]] == [
        (2, "caps.day", "error"),
        (3, "caps.years", "error"),
        (4, "rules.nap", "error"),
    ]
    assert zh["findings"][0]["msg"] == "比上级宽：上级 24，这里 1000"
    assert en["findings"][0]["msg"] == "looser than above: 24 there, 1000 here"
    assert (zh["is_valid"], zh["rules"], zh["errors"]) == (False, 0, 3)
    fine = await check(api, admin, org, TIGHTER)
    assert (fine["is_valid"], fine["rules"], fine["tiers"], fine["findings"]) == (True, 25, 4, [])
    # A whole document in the unit of the one above could loosen anything.
    whole = await check(api, admin, org, SHIPPED, "en")
    assert [(one["path"], one["line"]) for one in whole["findings"]] == [("programme.unit", 10)]


HOPELESS = {
    "not TOML": ("[caps\nday = 3", 1, "不是有效的 TOML"),
    "too long": ("x" * (MAX_CHARACTERS + 1), 1, "文件太大"),
    "too many lines": ("\n" * MAX_LINES, MAX_LINES + 1, "文件太大"),
    "too deep": ("[" + "a." * 20_000 + "a]", 1, "嵌套太深"),
    "one endless list": ("day = [\n" + "1,\n" * 1_500 + "]", 1, "一项设置超过 100 行"),
    "thousands of mistakes": ("[caps]\nday = [" + "[]," * 15_000 + "]", 2, "应为整数"),
}


@pytest.mark.parametrize(("document", "line", "msg"), HOPELESS.values(), ids=HOPELESS)
async def test_what_no_committee_wrote_is_a_finding_too(
    api: httpx.AsyncClient, runtime: Runtime, document: str, line: int, msg: str
) -> None:
    org, admin = await make_place(runtime)
    found = await check(api, admin, org, document)
    first = found["findings"][0]
    assert (found["is_valid"], first["line"], first["msg"]) == (False, line, msg)
    assert len(found["findings"]) <= 200
    body = {"org_id": str(org.id), "document": document}
    reply = await api.post(f"{POLICIES}/diff", headers=admin.headers, json=body)
    assert_refused(reply, 422, "policy_drafts.invalid")
    assert reply.json()["errors"][0] == {
        "row": line,
        "field": first["path"] or "document",
        "msg": msg,
    }


async def test_a_body_beyond_any_document_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    body = {"org_id": str(org.id), "document": "#" * 400_000}
    reply = await api.post(f"{POLICIES}/checks", headers=admin.headers, json=body)
    assert_refused(reply, 413, "request.too_large")
    assert reply.json()["facts"]["measure"] == "bytes"
    body["document"] = "#" * 70_000
    reply = await api.post(f"{POLICIES}/checks", headers=admin.headers, json=body)
    assert_refused(reply, 422, "request.invalid")


async def test_a_comparison_tells_rule_by_rule_what_becomes_stricter(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    version = await _newest(api, admin, org)
    published = await publish(
        api, admin, org, version, "[caps]\nday = 20\n[rules.lecture_give]\npoints = 4\n"
    )
    document = """
[caps]
day = 22
month = 50
[rules.lecture_give]
points = 3
evidence = ["photos"]
[rules.blood_donation]
off = true
[rules.volunteer_hour]
cap = { day = 4 }
[release.manual]
notice_days = 5
"""
    headers = admin.headers | {"Accept-Language": "en"}
    body = {"org_id": str(org.id), "document": document}
    found = (await api.post(f"{POLICIES}/diff", headers=headers, json=body)).json()

    assert found["version"] == published.json()["version"]
    told = {(one["section"], one["key"]): one for one in found["items"]}
    caps = told["caps", None]
    assert caps["effect"] == "mixed"
    assert [(c["path"], c["before"], c["after"], c["effect"]) for c in caps["changes"]] == [
        ("caps.day", 20, 22, "loosened"),
        ("caps.month", 150, 50, "tightened"),
    ]
    effects = {key: one["effect"] for (section, key), one in told.items() if section == "rules"}
    assert effects["lecture_give"] == effects["blood_donation"] == "tightened"
    assert told["rules", "lecture_give"]["name"] == "Lecture given"
    assert told["release", None]["effect"] == "tightened"


async def test_a_whole_document_may_add_remove_and_loosen(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    unit = f"u{org.code}"
    opened = await api.post(
        "/api/v1/units", headers=keyed(admin), json={"code": unit, "name": "山谷积分"}
    )
    assert opened.status_code == 201, opened.text
    base = SHIPPED.replace('unit = "points"', f'unit = "{unit}"')
    published = await publish(api, admin, org, await _newest(api, admin, org), base)
    assert published.status_code == 201, published.text
    nap = '[rules.nap]\nname = "午睡"\nname_en = "Nap"\n'
    nap += 'category = "study"\nper = "session"\npoints = 1\n'
    start = base.index("[rules.referral]")
    end = base.index("\n[", start) + 1
    draft = (base[:start] + base[end:]).replace("[deductions", nap + "[deductions", 1)
    draft = draft.replace("months = 24", "months = 25").replace("day = 24", "day = 25", 1)
    headers = admin.headers | {"Accept-Language": "en"}
    body = {"org_id": str(org.id), "document": draft}
    reply = await api.post(f"{POLICIES}/diff", headers=headers, json=body)
    assert reply.status_code == 200, reply.text
    told = [(one["section"], one["key"], one["effect"]) for one in reply.json()["items"]]
    assert told == [
        ("caps", None, "loosened"),
        ("lots", None, "changed"),
        ("rules", "nap", "added"),
        ("rules", "referral", "removed"),
    ]
    assert reply.json()["items"][2]["name"] == "Nap"


async def test_a_version_is_published_once_and_for_who_has_read_the_newest(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, admin = await make_place(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    read = await _newest(api, admin, community)
    tomorrow = (now() + timedelta(days=1)).replace(microsecond=0)
    key = keyed(admin)
    first, again = [
        await publish(api, admin, community, read, key=key, effective_from=tomorrow.isoformat())
        for _ in range(2)
    ]
    assert first.status_code == 201, first.text
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    version = first.json()["version"]
    # Who read before does not overwrite it unseen, though it is not in force yet.
    late = await publish(api, admin, community, read)
    assert_refused(late, 412, "request.precondition_failed")
    assert late.json()["facts"] == {"version": version}
    # What stands above has changed too: the street's administrator published there.
    above = await publish(api, admin, street, await _newest(api, admin, street))
    assert above.status_code == 201, above.text
    late = await publish(api, admin, community, version)
    assert late.json()["facts"] == {"version": above.json()["version"]}
    # What a sibling publishes is nothing to it.
    sibling = await make_org(runtime, parent=street, level=Level.community)
    beside = await publish(api, admin, sibling, above.json()["version"])
    assert beside.status_code == 201
    assert await _newest(api, admin, community) == above.json()["version"]

    params = {"org_id": str(community.id)}
    listed = (await api.get(POLICIES, headers=admin.headers, params=params)).json()
    newest = {one["version"]: one for one in listed["items"]}[version]
    assert (newest["published_by"], newest["in_force"]) == (str(admin.id), False)
    [trail, *_] = await entries(api, admin, community)
    assert (trail["verb"], trail["facts"]["version"]) == ("published", version)


async def test_of_two_at_once_one_is_told_that_it_is_late(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    version = await _newest(api, admin, org)
    replies = await asyncio.gather(*(publish(api, admin, org, version) for _ in range(5)))
    assert sorted(one.status_code for one in replies) == [201, 412, 412, 412, 412]


async def test_who_publishes_between_the_look_and_the_writing_is_seen(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, admin = await make_place(runtime)
    version = await _newest(api, admin, org)
    real = publishing.check_at

    async def after_another(*args: Any) -> PolicyDocument:
        monkeypatch.setattr(publishing, "check_at", real)
        async with runtime.database.transaction() as tx:
            await publishing.publish(tx, TIGHTER, org=org)
        return await real(*args)

    monkeypatch.setattr(publishing, "check_at", after_another)
    assert_refused(await publish(api, admin, org, version), 412, "request.precondition_failed")


async def test_what_takes_effect_too_early_too_late_or_loosens_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, admin = await make_place(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    version = await _newest(api, admin, street)
    for days in (-1, 800):
        at = (now() + timedelta(days=days)).isoformat()
        reply = await publish(api, admin, street, version, effective_from=at)
        assert_refused(reply, 422, "policy_drafts.wrong_time")
        assert reply.json()["facts"] == {"limit": 731, "measure": "days"}
    assert (await publish(api, admin, street, version)).status_code == 201
    looser = await publish(
        api, admin, community, await _newest(api, admin, community), "[caps]\nday = 21\n"
    )
    assert_refused(looser, 422, "policy_drafts.invalid")
    assert looser.json()["errors"] == [
        {"row": 2, "field": "caps.day", "msg": "比上级宽：上级 20，这里 21"}
    ]
    missing = await api.post(
        POLICIES, headers=keyed(admin), json={"org_id": str(street.id), "document": TIGHTER}
    )
    assert_refused(missing, 428, "request.precondition_required")
    # For all organisations only who administers every root may publish.
    for path, headers in ((f"{POLICIES}/checks", {}), (POLICIES, {"If-Match": "1"})):
        reply = await api.post(path, headers=keyed(admin) | headers, json={"document": TIGHTER})
        assert_refused(reply, 403, "auth.forbidden")


async def test_a_community_does_not_leave_the_rules_above_by_a_programme_of_its_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, above = await make_place(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    admin = await make_administrator(runtime, community.id)
    unit = f"u{community.code}"
    opened = {"code": unit, "name": "社区积分"}
    assert (await api.post("/api/v1/units", headers=keyed(above), json=opened)).is_success
    whole = SHIPPED.replace('unit = "points"', f'unit = "{unit}"')

    read = await _newest(api, admin, community)
    refused = await publish(api, admin, community, read, whole)
    checked = await check(api, admin, community, whole)

    assert_refused(refused, 422, "policy_drafts.invalid")
    [error] = refused.json()["errors"]
    assert (error["field"], whole.split("\n")[error["row"] - 1]) == ("programme", "[programme]")
    assert (checked["is_valid"], checked["errors"]) == (False, 1)
    first = await publish(api, above, community, read, whole)
    assert first.status_code == 201, first.text
    # From then on it is the organisation's own.
    read = first.json()["version"]
    again = await publish(api, admin, community, read, whole.replace("day = 24", "day = 25", 1))
    assert again.status_code == 201, again.text
    # Its root puts it below the rules above again, and so it stays.
    back = await publish(api, above, community, again.json()["version"], TIGHTER)
    assert back.status_code == 201, back.text
    refused = await publish(api, admin, community, back.json()["version"], whole)
    assert_refused(refused, 422, "policy_drafts.invalid")


async def test_line_ends_of_windows_are_those_of_any_document(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, admin = await make_place(runtime)
    many = "# 一行说明\n" * 120 + "[caps]\nday = 20\n"
    for document in (many, many.replace("\n", "\r\n")):
        found = await check(api, admin, org, document)
        assert (found["is_valid"], found["findings"]) == (True, [])
        wrong = await check(api, admin, org, document.replace("day = 20", "day = 1000"))
        if "\r" in document:
            assert [one["line"] for one in wrong["findings"]] == [122]
    version = await _newest(api, admin, org)
    reply = await publish(api, admin, org, version, "[caps]\r\nday = 20\r\n")
    assert reply.status_code == 201, reply.text
