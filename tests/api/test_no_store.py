"""Replies with codes and tokens are kept by no cache: ``Cache-Control: no-store``."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from app.runtime import Runtime
from tests.factories.activities import make_activity
from tests.factories.http import bearer, keyed, wechat_code
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person
from tests.factories.rewards import make_counter, make_reward

API = "/api/v1"
NAMES = {"access_token", "refresh_token", "pickup_code", "card_code", "ticket"}
# The word alone names a code of an organisation too.
SCHEMAS = {"AppointmentOut", "CardCodeOut", "CheckinCodeOut", "DataCopyOut"}
SCHEMAS |= {"OfflineCodesOut", "RosterOut", "StatementLinkOut", "VoucherCodesOut", "ProxyOut"}
SCHEMAS |= {"WebhookSecretOut"}
KNOWN = {
    *("logIn", "refreshLogin", "logOut", "getMyCardCode", "getCheckinCode", "getCheckinCodeSvg"),
    *("redeem", "cancelRedemption", "listMyRedemptions", "offerAppointment", "makeStaffCode"),
    *("copyMyData", "listMyDataCopies", "createStatementLink", "orderOnDay"),
    *("getRoster", "listMyOfflineCodes", "getMyVoucherCodes", "getJob"),
    *("makeProxy", "getProxy", "getMyCardCodes"),
    *("getWebLogin", "confirmWebLogin"),
    *("createWebhook", "rotateWebhookSecret"),
}


def is_unstored(response: httpx.Response) -> bool:
    told = response.headers.get_list("cache-control")
    return told == ["no-store"] and "etag" not in response.headers


def holds_secrets(schema: Any, components: dict[str, Any]) -> bool:
    """Whether a reply of this schema, or a part of it, holds a code or a token."""
    if isinstance(schema, list):
        return any(holds_secrets(one, components) for one in schema)
    if not isinstance(schema, dict):
        return False
    name = schema.get("$ref", "").rpartition("/")[2]
    if name in SCHEMAS or NAMES & {*schema.get("properties", {})}:
        return True
    inner = [components[name]] if name else list(schema.values())
    return holds_secrets(inner, components)


def secret_operations(document: dict[str, Any]) -> Iterator[str]:
    components = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            replies = [
                reply.get("content", {})
                for status, reply in operation["responses"].items()
                if status < "400"
            ]
            if path.startswith(f"{API}/auth/") or holds_secrets(replies, components):
                yield operation["operationId"]


def declared(document: dict[str, Any]) -> set[str]:
    """Return the operations whose replies are documented as not stored."""
    return {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, reply in operation["responses"].items()
        if status < "400" and "Cache-Control" in reply["headers"]
    }


def test_whatever_holds_a_code_or_a_token_says_so(app: FastAPI) -> None:
    """Found by their schemas, so that a new route cannot forget it."""
    document = app.openapi()
    assert {*secret_operations(document)} - {"getCheckinCodeSvg"} == KNOWN - {"getCheckinCodeSvg"}
    assert declared(document) >= KNOWN


async def test_logins_are_not_stored(api: httpx.AsyncClient) -> None:
    code = {"code": await wechat_code(api, f"user-{uuid4()}")}
    login = await api.post(f"{API}/auth/wechat", json=code)
    token = {"refresh_token": login.json()["refresh_token"]}
    fresh = await api.post(f"{API}/auth/refresh", json=token)
    headers = bearer(fresh.json()["access_token"])
    token = {"refresh_token": fresh.json()["refresh_token"]}
    ended = await api.post(f"{API}/auth/logout", json=token, headers=headers)
    assert [one.status_code for one in (login, fresh, ended)] == [200, 200, 204]
    assert all(is_unstored(one) for one in (login, fresh, ended))


@pytest.mark.parametrize("path", ["wechat", "refresh", "logout"])
@pytest.mark.parametrize("body", ["{}", "[", '{"code": "x"}', '{"refresh_token": "x"}'])
async def test_their_refusals_are_not_either(api: httpx.AsyncClient, path: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    refused = await api.post(f"{API}/auth/{path}", content=body, headers=headers)
    assert refused.status_code in {401, 422}
    assert is_unstored(refused)


async def test_codes_on_screens_are_not_stored(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org)
    for path in ("checkin-code", "checkin-code.svg"):
        url = f"{API}/activities/{activity.id}/{path}"
        shown = await api.get(url, headers=organizer.headers | {"If-None-Match": "*"})
        assert shown.status_code == 200
        assert is_unstored(shown)


async def test_codes_of_cards_and_pick_ups_are_not_stored(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 100)
    reward = await make_reward(runtime, counter)
    body, headers = {"reward_id": str(reward.id), "quantity": 1}, keyed(person)
    reserved = await api.post(f"{API}/redemptions", json=body, headers=headers)
    again = await api.post(f"{API}/redemptions", json=body, headers=headers)
    listed = await api.get(f"{API}/me/redemptions", headers=person.headers)
    path = f"{API}/redemptions/{reserved.json()['id']}/cancel"
    given_up = await api.post(path, headers=person.headers)
    card = await api.get(f"{API}/me/card/code", headers=person.headers)
    replies = [reserved, again, listed, given_up, card]
    assert [one.status_code for one in replies] == [201, 201, 200, 200, 200]
    assert again.headers["idempotency-replayed"] == "true"
    assert [is_unstored(one) for one in replies] == [True] * 5


async def test_what_holds_none_may_be_kept(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    points = await api.get(f"{API}/me/points", headers=person.headers)
    assert points.headers["cache-control"] == "private, no-cache"
    assert points.headers["etag"]
