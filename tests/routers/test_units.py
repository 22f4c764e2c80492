"""Units are for everybody to read; who administers a root opens them."""

from uuid import uuid4

import httpx

from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator
from tests.factories.policies import SHIPPED
from tests.security.world import Ask, World

UNITS = "/api/v1/units"
MATRIX = """
operation  rule           nobody alice bob  counter rival sibling parent auditor admin outsider
listUnits  anyone         200    200   200  200     200   200     200    200     200   200
openUnit   administrator  401    403   403  403     403   403     403    403     201   403
"""
NEW = {"code": "valley_points", "name": "山谷青年积分", "name_en": "Valley youth points"}


async def _new(_: World) -> Ask:
    return Ask(body=NEW | {"code": f"u{uuid4().hex[:12]}"})


REQUESTS = {"openUnit": _new}


async def test_a_unit_is_opened_once_and_then_given_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    root = await make_org(runtime)
    below = await make_org(runtime, parent=root)
    admin, other = [await make_administrator(runtime, one.id) for one in (root, below)]
    body = NEW | {"code": f"u{root.code}"}

    assert_refused(await api.post(UNITS, headers=keyed(other), json=body), 403, "auth.forbidden")
    key = keyed(admin)
    opened, again = [await api.post(UNITS, headers=key, json=body) for _ in range(2)]
    assert (opened.status_code, opened.json()) == (
        201,
        {"code": body["code"], "name": "山谷青年积分"},
    )
    assert again.json() == opened.json()
    refused = await api.post(UNITS, headers=keyed(admin), json=body | {"name": "乙"})
    assert_refused(refused, 409, "units.exists")
    for wrong in ({"code": "Ü"}, {"name": ""}, {"name": "甲" * 41}, {"name_en": "a\nb"}):
        reply = await api.post(UNITS, headers=keyed(admin), json=body | wrong)
        assert_refused(reply, 422, "request.invalid")

    english = {
        one["code"]: one["name"] for one in await walk(api, UNITS, {"Accept-Language": "en"})
    }
    assert english[body["code"]] == "Valley youth points"
    assert english["points"] == "Youth points"

    document = SHIPPED.replace('unit = "points"', f'unit = "{body["code"]}"')
    reply = await api.post(
        "/api/v1/policies",
        headers=keyed(admin) | {"If-Match": str(await _version(api, admin.headers, str(root.id)))},
        json={"org_id": str(root.id), "document": document},
    )
    assert reply.status_code == 201, reply.text


async def _version(api: httpx.AsyncClient, headers: dict[str, str], org_id: str) -> int:
    asked = {"org_id": org_id, "document": "[caps]\nday = 20\n"}
    checked = await api.post("/api/v1/policies/checks", headers=headers, json=asked)
    version: int = checked.json()["version"]
    return version
