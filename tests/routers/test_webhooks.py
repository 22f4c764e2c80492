"""Webhooks: made by a merchant's keepers, with a secret that is shown once."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from app.core.keys import FieldCipher
from app.models.idempotency import IdempotencyKey
from app.models.merchants import MerchantKind
from app.models.webhooks import Webhook, WebhookEventType
from app.runtime import Runtime
from app.services.webhooks import events
from app.services.webhooks.addresses import MOST
from tests.engines import as_owner
from tests.factories.http import assert_refused, keyed
from tests.factories.people import make_administrator, make_organizer
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_counter
from tests.factories.webhooks import API, make_webhook
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation              rule             nobody alice bob  counter rival sibling parent auditor admin outsider
createWebhook          merchant keeper  401    403   403  201     404   404     201    403     201   404       404=merchants.not_found
listWebhooks           merchant reader  401    403   403  200     404   404     200    200     200   404       404=merchants.not_found
editWebhook            merchant keeper  401    403   403  200     404   404     200    403     200   404       404=webhooks.not_found
moveWebhook            merchant keeper  401    403   403  200     404   404     200    403     200   404       404=webhooks.not_found
rotateWebhookSecret    merchant keeper  401    403   403  201     404   404     201    403     201   404       404=webhooks.not_found
listWebhookDeliveries  merchant reader  401    403   403  200     404   404     200    200     200   404       404=webhooks.not_found
listWebhookAttempts    merchant reader  401    403   403  200     404   404     200    200     200   404       404=webhooks.not_found
replayWebhook          merchant keeper  401    403   403  200     404   404     200    403     200   404       404=webhooks.not_found
"""  # noqa: E501 - a table
HERS = {"webhooks": "created_by = :alice"}
BESIDE_POINTS = {
    *("webhooks", "webhook_events", "webhook_deliveries", "webhook_attempts", "webhook_positions"),
}
BEYOND_THE_SCHEMA = {
    "body",  # a delivery and a period, or neither
    "body.url",  # a public address
    "request.precondition_failed",
    "request.precondition_required",
    "webhooks.exists",
    "webhooks.too_many",
    "webhooks.wrong_state",
}
MOVE = {"state": "disabled", "reason": "维护"}
PERIOD = {"since": "2026-11-01T00:00:00+08:00", "until": "2026-11-02T00:00:00+08:00"}


def address() -> str:
    return f"https://till.example.com/{uuid4()}"


async def _made(world: World) -> dict[str, str]:
    await as_owner(
        world.runtime.settings, "UPDATE webhooks SET state = 'deleted', disabled_by = NULL"
    )
    return {"webhook_id": (await make_webhook(world.api, world.shop, address()))["id"]}


async def _create(world: World) -> Ask:
    await as_owner(
        world.runtime.settings, "UPDATE webhooks SET state = 'deleted', disabled_by = NULL"
    )
    return Ask({"merchant_id": str(world.shop.merchant.id)}, {"url": address()})


async def _edit(world: World) -> Ask:
    return Ask(await _made(world), {"url": address()}, headers={"If-Match": '"1"'})


async def _move(world: World) -> Ask:
    return Ask(await _made(world), MOVE)


async def _replay(world: World) -> Ask:
    return Ask(await _made(world), PERIOD)


async def _shown(world: World) -> Ask:
    return Ask(await _made(world))


REQUESTS = {
    "createWebhook": _create,
    "listWebhooks": _create,
    "editWebhook": _edit,
    "moveWebhook": _move,
    "rotateWebhookSecret": _shown,
    "listWebhookDeliveries": _shown,
    "listWebhookAttempts": _shown,
    "replayWebhook": _replay,
}


async def _one_too_many(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    for _ in range(MOST):
        await make_webhook(api, counter, address())
    path = f"/merchants/{counter.merchant.id}/webhooks"
    facts = {"limit": MOST, "used": MOST}
    return Refused(counter.staff, "POST", path, facts, {"url": address()})


REFUSED = {"webhooks.too_many": _one_too_many}


async def known(setup: Setup) -> Known:
    made = [await make_webhook(setup.api, setup.counter, address()) for _ in range(FEW)]
    return {"webhook_id": [one["id"] for one in made]}


async def act(
    api: httpx.AsyncClient, counter: Counter, webhook: str, what: str, **body: Any
) -> httpx.Response:
    path = f"{API}/webhooks/{webhook}/{what}"
    return await api.post(path, headers=keyed(counter.staff), json=body)


async def test_a_webhook_is_made_edited_disabled_and_deleted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    url = address()
    made = await make_webhook(api, counter, url, types=["charge.made"])
    assert made["secret"].startswith("whsec_")
    path = f"{API}/merchants/{counter.merchant.id}/webhooks"
    twice = await api.post(path, headers=keyed(organizer), json={"url": url})
    assert_refused(twice, 409, "webhooks.exists")

    one = f"{API}/webhooks/{made['id']}"
    headers = organizer.headers | {"If-Match": '"1"'}
    edited = await api.put(one, headers=headers, json={"url": address(), "description": "前台"})
    late = await api.put(one, headers=headers, json={"url": address()})
    assert (edited.json()["types"], edited.json()["version"]) == ([], 2)
    assert_refused(late, 412, "request.precondition_failed")
    rotated = await api.post(f"{one}/secrets", headers=keyed(counter.staff))
    assert rotated.json()["secret"] != made["secret"]
    assert rotated.json()["previous_until"] is not None

    disabled = await act(api, counter, made["id"], "moves", **MOVE)
    again = await act(api, counter, made["id"], "moves", **MOVE)
    assert (disabled.json()["state"], disabled.json()["disabled_by"]) == ("disabled", "keeper")
    assert_refused(again, 409, "webhooks.wrong_state")
    assert_refused(
        await act(api, counter, made["id"], "replays", **PERIOD), 409, "webhooks.wrong_state"
    )
    assert (
        await act(api, counter, made["id"], "moves", state="deleted", reason="换系统")
    ).is_success
    gone = await act(api, counter, made["id"], "moves", **MOVE)
    assert_refused(gone, 404, "webhooks.not_found")
    listed = await api.get(path, headers=counter.staff.headers)
    assert listed.json()["items"] == []
    assert "whsec_" not in listed.text + edited.text + disabled.text
    administrator = await make_administrator(runtime, counter.merchant.org_id)
    org = SimpleNamespace(id=counter.merchant.org_id)
    trail = await entries(api, administrator, org, subject="webhook")
    assert [e["verb"] for e in trail] == ["moved", "moved", "secret_replaced", "changed", "created"]
    assert url not in str(trail)


@pytest.mark.parametrize(
    "url",
    [
        "http://till.example.com/x",
        "https://127.0.0.1/x",
        "https://10.1.2.3/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
        "https://till.internal/x",
        "https://user:pass@till.example.com/x",
        "https://till.example.com/x#part",
        "https://till.example.com:99999/x",
        "https://[::1/x",
    ],
)
async def test_addresses_that_nobody_reaches_from_outside_are_refused(
    api: httpx.AsyncClient, runtime: Runtime, url: str
) -> None:
    counter = await make_counter(runtime)
    path = f"{API}/merchants/{counter.merchant.id}/webhooks"
    refused = await api.post(path, headers=keyed(counter.staff), json={"url": url})
    assert_refused(refused, 422, "request.invalid")
    assert refused.json()["errors"][0]["field"] == "body.url"


async def test_a_reply_with_a_secret_repeats_with_its_key_and_is_stored_encrypted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """After a lost reply the same secret comes again; the one that is installed signs on."""
    counter = await make_counter(runtime)
    merchant, administrator = (
        counter.merchant,
        await make_administrator(runtime, counter.merchant.org_id),
    )
    offered = {"role": "auditor", "org_id": str(merchant.org_id)}
    made = await make_webhook(api, counter, address())
    for who, path, body in (
        (counter.staff, f"merchants/{merchant.id}/webhooks", {"url": address()}),
        (counter.staff, f"webhooks/{made['id']}/secrets", None),
        (counter.staff, f"merchants/{merchant.id}/staff", None),
        (administrator, "appointments", offered),
    ):
        headers = keyed(who)
        first, again = [
            await api.post(f"{API}/{path}", headers=headers, json=body) for _ in range(2)
        ]
        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["cache-control"] == "no-store"
        bare = await api.post(f"{API}/{path}", headers=who.headers, json=body)
        assert_refused(bare, 400, "idempotency.key_missing")
        stored = await _stored(runtime, headers["Idempotency-Key"])
        assert runtime.cipher.open(stored).encode() == first.content
        secret = first.json().get("secret") or first.json()["code"]
        assert secret.encode() not in stored
    async with runtime.database.read() as tx:
        webhook = await tx.get(Webhook, UUID(made["id"]))
    assert webhook is not None
    assert webhook.previous_sealed is not None
    assert runtime.cipher.open(webhook.previous_sealed) == made["secret"]


async def test_a_reply_that_nothing_decrypts_any_more_is_not_repeated(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    made, headers = await make_webhook(api, counter, address()), keyed(counter.staff)
    path = f"{API}/webhooks/{made['id']}/secrets"
    assert (await api.post(path, headers=headers)).status_code == 201
    sealed = FieldCipher([b"a secret that is gone" * 2]).seal("{}")
    async with runtime.database.transaction() as tx:
        await tx.fetch(
            "UPDATE idempotency_keys SET body = :body WHERE key = :key",
            {"body": sealed, "key": headers["Idempotency-Key"]},
        )
    assert_refused(await api.post(path, headers=headers), 422, "idempotency.key_reused")


async def _stored(runtime: Runtime, key: str) -> bytes:
    async with runtime.database.read() as tx:
        query = select(IdempotencyKey.body).where(IdempotencyKey.key == key)
        body = (await tx.exec(query)).one()
    assert body is not None
    return body


async def test_a_fund_counter_has_no_webhook_and_a_delivery_is_of_its_webhook(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    bank = await make_counter(runtime, kind=MerchantKind.fund_counter)
    path = f"{API}/merchants/{bank.merchant.id}/webhooks"
    refused = await api.post(path, headers=keyed(bank.staff), json={"url": address()})
    assert_refused(refused, 409, "webhooks.without_account")

    counter, other = await make_counter(runtime), await make_counter(runtime)
    made = await make_webhook(api, counter, address())
    theirs = await make_webhook(api, other, address())
    async with runtime.database.transaction() as tx:
        await events.write(tx, counter.merchant.id, WebhookEventType.charge_released, points=1)
        await events.write(tx, bank.merchant.id, WebhookEventType.charge_released, points=2)
    shown = await api.get(f"{API}/webhooks/{made['id']}/deliveries", headers=counter.staff.headers)
    [delivery] = shown.json()["items"]
    assert (delivery["type"], delivery["data"]) == ("charge.released", {"points": 1})
    stranger = await act(api, other, theirs["id"], "replays", delivery_id=delivery["id"])
    assert_refused(stranger, 404, "webhooks.delivery_not_found")
    for body in ({}, {"since": PERIOD["since"]}, PERIOD | {"delivery_id": delivery["id"]}):
        assert_refused(
            await act(api, counter, made["id"], "replays", **body), 422, "request.invalid"
        )
