"""Delivery of webhooks to real receivers: signed, retried, given up, replayed, one at a time."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from app.core import webhook_signatures
from app.core.clock import now
from app.integrations import webhooks as integration
from app.jobs import webhooks as job
from app.models.webhooks import WebhookEventType, WebhookState
from app.runtime import Runtime
from app.schemas.webhooks import WebhookMoveIn, WebhookReplayIn
from app.services.redemptions import confirming
from app.services.webhooks import addresses, delivering, events, replaying
from tests.concurrency.meeting import until_somebody_waits_for
from tests.conftest import ScratchFactory
from tests.engines import ROOT, as_owner
from tests.factories.charges import charge_at, let_pass, make_waiting
from tests.factories.clock import travel
from tests.factories.http import assert_refused, in_process, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import give_points
from tests.factories.people import make_person
from tests.factories.rewards import Counter, make_counter, make_reward, reserve
from tests.factories.webhooks import API, make_webhook, receiver, verified


@pytest.fixture(scope="module")
async def alone(engines_and_template: Any, worker_number: int) -> AsyncIterator[FastAPI]:
    """A database of our own: the jobs take whatever is due. Receivers listen on this host."""
    made = ScratchFactory(engines_and_template, worker_number)
    async with made(webhook_local="on") as application:
        yield application


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest.fixture
async def api(alone: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(alone) as client:
        yield client


@pytest.fixture(autouse=True)
async def _no_others(runtime: Runtime) -> None:
    """Take the webhooks of other tests out of the way, and let nobody wait."""
    await as_owner(runtime.settings, "UPDATE webhooks SET state = 'deleted', disabled_by = NULL")


async def make_due(runtime: Runtime) -> None:
    await as_owner(
        runtime.settings,
        "UPDATE webhook_deliveries SET due_at = now() WHERE state = 'waiting'",
        "UPDATE webhooks SET rests_until = NULL",
    )


async def happen(runtime: Runtime, counter: Counter, times: int = 1) -> list[str]:
    """Write events of a merchant; return their types and points as what a till hears."""
    async with runtime.database.transaction() as tx:
        for points in range(1, times + 1):
            kind = WebhookEventType.charge_released
            await events.write(tx, counter.merchant.id, kind, points=points)
    return [f"{points}" for points in range(1, times + 1)]


async def listed(
    api: httpx.AsyncClient, counter: Counter, webhook: str, what: str, **query: str
) -> list[dict[str, Any]]:
    path = f"{API}/webhooks/{webhook}/{what}"
    reply = await api.get(path, headers=counter.staff.headers, params=query)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_what_happens_at_a_counter_is_heard_signed_and_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, person = await make_counter(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 100)
    reward = await make_reward(runtime, counter)
    assert (await charge_at(api, runtime, counter, person, 7)).status_code == 201  # before
    async with receiver() as till, receiver() as display:
        made = await make_webhook(api, counter, till.url)
        other = await make_webhook(api, counter, display.url, types=["order.collected"])
        charge = (await charge_at(api, runtime, counter, person, 9)).json()
        path = f"{API}/merchant/charges/{charge['id']}/refund"
        part = {"reason": "退一杯", "points": 4}
        refunded = await api.post(path, headers=keyed(counter.staff), json=part)
        order = await reserve(runtime, person.id, reward, 2)
        collected = await api.post(
            f"{API}/merchant/redemptions/collect",
            headers=keyed(counter.staff),
            json={"pickup_code": order.pickup_code},
        )
        path = f"{API}/merchant/redemptions/{order.id}/undo"
        undone = await api.post(path, headers=keyed(counter.staff), json={"reason": "拿错了"})
        assert {refunded.status_code, collected.status_code, undone.status_code} == {200}
        assert sum(await asyncio.gather(job.derive(runtime), job.derive(runtime))) == 4
        assert await job.derive(runtime) == 0
        await asyncio.gather(job.deliver(runtime), job.deliver(runtime))
        assert await job.deliver(runtime) == 0
    heard = till.payloads(made["secret"])
    assert [(one["type"], one["data"]["points"]) for one in heard] == [
        ("charge.made", 9),
        ("charge.refunded", 4),
        ("order.collected", 20),
        ("order.undone", 20),
    ]
    assert heard[0]["data"]["charge_id"] == charge["id"] == till.ids[0]
    assert heard[2]["data"] | {"redemption_id": str(order.id), "quantity": 2} == heard[2]["data"]
    assert [one["type"] for one in display.payloads(other["secret"])] == ["order.collected"]
    assert display.ids == till.ids[2:3]
    said = b"".join(body for _, body in till.heard).decode()
    assert not {str(person.id), str(counter.staff.id), "退一杯"} & {*said.split('"')}
    with pytest.raises(AssertionError, match="signature"):
        verified(other["secret"], *till.heard[0])


async def test_confirmed_released_and_disputed_charges_are_heard(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    counter, first = await make_waiting(api, runtime, person)
    async with receiver() as till:
        made = await make_webhook(api, counter, till.url)
        path = f"{API}/me/charges/{first['id']}"
        assert (await api.post(f"{path}/confirmation", headers=keyed(person))).status_code == 200
        second = (await charge_at(api, runtime, counter, person, 8)).json()
        refused = await api.post(f"{API}/me/charges/{second['id']}/refusal", headers=keyed(person))
        assert refused.status_code == 200
        body = {"reason": "没有买过"}
        assert (await api.post(f"{path}/dispute", headers=keyed(person), json=body)).is_success
        assert await job.derive(runtime) == 1
        await job.deliver(runtime)
        heard = till.payloads(made["secret"])
    told = {one["type"]: one["data"] for one in heard}
    assert set(told) == {"charge.confirmed", "charge.released", "charge.disputed"}
    assert told["charge.confirmed"]["charge_id"] == first["id"]
    assert told["charge.released"]["status"] == "refused"
    assert told["charge.disputed"] == {"charge_id": first["id"], "points": first["points"]}


async def test_failures_are_tried_again_then_given_up_and_replayed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    async with receiver(500) as till:
        made = await make_webhook(api, counter, till.url)
        await happen(runtime, counter)
        waits = []
        for _ in range(len(delivering.RETRIES_S) + 1):
            await make_due(runtime)
            assert await job.deliver(runtime) == 1
            [one] = await listed(api, counter, made["id"], "deliveries")
            waits.append(one)
        await make_due(runtime)
        assert await job.deliver(runtime) == 0
        [dead] = await listed(api, counter, made["id"], "deliveries", state="failed")
        assert (dead["attempts"], dead["state"]) == (len(waits), "failed")
        assert [one["state"] for one in waits[:-1]] == ["waiting"] * len(delivering.RETRIES_S)
        tried = await listed(api, counter, made["id"], "attempts", delivery_id=dead["id"])
        assert [one["number"] for one in tried] == list(range(len(waits), 0, -1))
        assert {(one["outcome"], one["status"]) for one in tried} == {("refused", 500)}
        till.status = 204
        path = f"{API}/webhooks/{made['id']}/replays"
        again = await api.post(path, headers=keyed(counter.staff), json={"delivery_id": dead["id"]})
        assert again.json() == {"replayed": 1}
        assert await job.deliver(runtime) == 1
        assert len({*till.ids}) == 1
        assert len({body for _, body in till.heard}) == 1
    [one] = await listed(api, counter, made["id"], "deliveries")
    assert (one["state"], one["attempts"]) == ("delivered", 1)


async def test_the_receiver_of_the_manual_verifies_what_is_sent(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    manual = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    [snippet] = re.findall(r"```python\n(.*?)```", manual, re.DOTALL)
    shown: dict[str, Any] = {}
    exec(snippet, shown)  # noqa: S102 - our own page
    counter = await make_counter(runtime)
    async with receiver() as till:
        made = await make_webhook(api, counter, till.url)
        await happen(runtime, counter)
        await job.deliver(runtime)
        [(headers, body)] = till.heard
    shown["verify"](made["secret"], headers, body)
    late = headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    for wrong in ((headers, body + b" "), (late, body), (headers | {"webhook-id": "x"}, body)):
        with pytest.raises(ValueError, match=r"not ours|too old"):
            shown["verify"](made["secret"], *wrong)


def test_the_example_of_the_specification_is_signed_alike() -> None:
    """The test vector of standardwebhooks.com's libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signed = webhook_signatures.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_delays_grow_to_three_days_with_jitter() -> None:
    spreads = [delivering._retry_after(number) for number in range(1, 10)]
    for wait, planned in zip(spreads, delivering.RETRIES_S, strict=True):
        assert wait is not None
        assert planned * 0.8 <= wait <= planned * 1.2
    assert delivering._retry_after(10) is None
    assert timedelta(days=3) < timedelta(seconds=sum(delivering.RETRIES_S)) < timedelta(days=4)


async def test_a_webhook_that_hangs_holds_up_nobody_and_rests(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    slow, quick = await make_counter(runtime), await make_counter(runtime)
    async with receiver(0) as stuck, receiver() as till:
        hung = await make_webhook(api, slow, stuck.url)
        await make_webhook(api, quick, till.url)
        await happen(runtime, slow, 3)
        with patch.object(integration, "TOTAL_S", 3.0):
            running = asyncio.create_task(job.deliver(runtime))
            await stuck.hanging.wait()
            await happen(runtime, quick, 20)
            while len(till.heard) < 20:
                assert not running.done(), "the others wait for the one that hangs"
                await asyncio.sleep(0.01)
            # another worker, or another lane, leaves the leased webhook alone
            assert await job.deliver(runtime) == 0
            assert await running == 21
        assert len(stuck.heard) == 1, "it rests after an attempt without a reply"
        assert (stuck.most_at_once, till.most_at_once) == (1, 1)
        [one] = await listed(api, slow, hung["id"], "attempts")
        assert (one["outcome"], one["status"]) == ("timeout", None)
        assert one["took_ms"] >= 2_900
        stuck.status = 204
        assert await job.deliver_to_slow(runtime) == 0, "it rests"
        await make_due(runtime)
        assert await job.deliver(runtime) == 0, "it is slow"
        assert await job.deliver_to_slow(runtime) == 1
        assert await job.deliver(runtime) == 2, "it is quick again"


async def test_a_killed_worker_sends_the_same_message_again(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    async with receiver() as till:
        made = await make_webhook(api, counter, till.url)
        await happen(runtime, counter)
        async with runtime.database.transaction() as tx:
            [message] = await delivering.lease(tx, runtime.cipher, 9, is_slow=False)
        sent = webhook_signatures.headers(message.secrets, "x", 1, b"")
        assert sent["webhook-id"] == "x"
        assert (
            await integration.post(
                message.url,
                message.body,
                webhook_signatures.headers(
                    message.secrets, str(message.event_id), int(now().timestamp()), message.body
                ),
                allows_local=True,
            )
            == 204
        )  # and here the worker dies
        assert await job.deliver(runtime) == 0, "the lease lasts"
        await as_owner(runtime.settings, "UPDATE webhooks SET leased_until = now()")
        assert await job.deliver(runtime) == 1
        assert till.ids == [str(message.event_id)] * 2
        assert till.heard[0][1] == till.heard[1][1]
        # One that was thought dead comes back: what it writes is of a lease that has passed.
        post = partial(integration.post, allows_local=True)
        await delivering.deliver(runtime.database, message, post)
    assert len(await listed(api, counter, made["id"], "attempts")) == 1


async def test_gone_and_dead_receivers_are_disabled_and_the_period_is_replayed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    began = now() - timedelta(minutes=1)
    async with receiver(410) as till, receiver(503) as broken:
        gone = await make_webhook(api, counter, till.url)
        failing = await make_webhook(api, counter, broken.url)
        await happen(runtime, counter, 2)
        await job.deliver(runtime)
        assert len(till.heard) == 1, "no second attempt after 410"
        await as_owner(
            runtime.settings,
            f"UPDATE webhooks SET failing_since = failing_since - interval '3 days'"  # noqa: S608
            f" WHERE id = '{UUID(failing['id'])}'",
        )
        await make_due(runtime)
        await job.deliver(runtime)
        path = f"{API}/merchants/{counter.merchant.id}/webhooks"
        shown = (await api.get(path, headers=counter.staff.headers)).json()["items"]
        assert {one["id"]: one["disabled_by"] for one in shown} == {
            gone["id"]: "gone",
            failing["id"]: "failing",
        }
        told = [one["kind"] for one in await inbox(api, runtime, counter.staff)]
        assert told.count("webhook_disabled") == 2
        await happen(runtime, counter)  # while both are disabled
        assert await job.deliver(runtime) == 0

        body: dict[str, Any] = {
            "since": f"{began.isoformat()}",
            "until": f"{(now() + timedelta(minutes=1)).isoformat()}",
        }
        replays = f"{API}/webhooks/{gone['id']}/replays"
        early = await api.post(replays, headers=keyed(counter.staff), json=body)
        assert_refused(early, 409, "webhooks.wrong_state")
        move = {"state": "active", "reason": "已修复"}
        moves = f"{API}/webhooks/{gone['id']}/moves"
        assert (await api.post(moves, headers=keyed(counter.staff), json=move)).status_code == 200
        till.status = 200
        only_dead = await api.post(
            replays, headers=keyed(counter.staff), json=body | {"failed_only": True}
        )
        everything = await api.post(replays, headers=keyed(counter.staff), json=body)
        assert (only_dead.json(), everything.json()) == ({"replayed": 2}, {"replayed": 1})
        assert await job.deliver(runtime) == 3
        assert len(till.payloads(gone["secret"])) == 4


async def test_nothing_waits_for_a_webhook_that_is_being_disabled(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Events that are written meanwhile wait for the end of it; a replay sends them."""
    counter = await make_counter(runtime)
    began = now() - timedelta(minutes=1)
    async with receiver() as till:
        made = await make_webhook(api, counter, till.url)
        webhook = UUID(made["id"])
        await happen(runtime, counter)
        off = WebhookMoveIn(state=WebhookState.disabled, reason="维护")
        async with runtime.database.transaction() as tx:
            await addresses.move(tx, counter.staff.id, webhook, off)
            writing = asyncio.create_task(happen(runtime, counter, 2))
            await until_somebody_waits_for(runtime, tx)
        await writing
        states = [one["state"] for one in await listed(api, counter, made["id"], "deliveries")]
        assert states == ["failed"]
        on = WebhookMoveIn(state=WebhookState.active, reason="好了")
        period = WebhookReplayIn(since=began, until=now() + timedelta(minutes=1))
        async with runtime.database.transaction() as tx:
            await addresses.move(tx, counter.staff.id, webhook, on)
            done = await replaying.replay(tx, counter.staff.id, webhook, period)
        assert done.replayed == 3
        assert await job.deliver(runtime) == 3


async def test_redirects_are_not_followed_and_two_secrets_sign_for_a_day(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    async with receiver(307) as till:
        made = await make_webhook(api, counter, till.url)
        await happen(runtime, counter)
        assert await job.deliver(runtime) == 1
        assert len(till.heard) == 1
        [one] = await listed(api, counter, made["id"], "attempts")
        assert (one["outcome"], one["status"]) == ("redirected", 307)
        till.status = 204
        path = f"{API}/webhooks/{made['id']}/secrets"
        new = (await api.post(path, headers=keyed(counter.staff))).json()
        await make_due(runtime)
        await job.deliver(runtime)
        for secret in (made["secret"], new["secret"]):
            verified(secret, *till.heard[-1])
        await happen(runtime, counter)
        with travel(now() + timedelta(hours=25)):
            await job.deliver(runtime)
            verified(new["secret"], *till.heard[-1])
            with pytest.raises(AssertionError, match="signature"):
                verified(made["secret"], *till.heard[-1])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.8", "0x7f.1"]
)
async def test_nothing_is_sent_to_addresses_that_are_not_public(host: str) -> None:
    async with receiver() as till:
        port = till.url.split(":")[2]
        with pytest.raises(integration.AddressRefused):
            await integration.post(f"http://{host}:{port}", b"{}", {})
        assert till.heard == []
        if "127" in host or host == "localhost":  # the control: there is somebody who would hear
            url = f"http://{host}:{port}"
            assert await integration.post(url, b"{}", {}, allows_local=True) == 204


async def test_a_name_that_leads_to_this_host_is_refused_when_it_is_resolved() -> None:
    """A public name whose address changes after the registration."""

    async def resolve(*_: object, **__: object) -> list[Any]:
        return [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", ("127.0.0.1", 443))]

    loop = asyncio.get_running_loop()
    with (
        patch.object(loop, "getaddrinfo", resolve),
        pytest.raises(integration.AddressRefused),
    ):
        await integration.post("https://till.example.com/", b"{}", {})


async def test_old_events_are_forgotten_with_their_deliveries(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    async with receiver() as till:
        made = await make_webhook(api, counter, till.url)
        await happen(runtime, counter, 2)
        await job.deliver(runtime)
        assert await job.forget(runtime) == 0
        with travel(now() + events.KEPT + timedelta(minutes=1)):
            async with runtime.database.transaction() as tx:
                assert await events.forget(tx, at=now(), limit=1000) >= 2
    assert await listed(api, counter, made["id"], "deliveries") == []
    assert await listed(api, counter, made["id"], "attempts") == []


async def test_an_overdue_charge_is_heard_as_expired(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 100)
    counter, first = await make_waiting(api, runtime, person)
    async with receiver() as till:
        made = await make_webhook(api, counter, till.url)
        await let_pass(runtime, first["id"])
        async with runtime.database.transaction() as tx:
            await confirming.expire(tx, UUID(first["id"]), now())
        await job.deliver(runtime)
        [heard] = till.payloads(made["secret"])
    assert (heard["type"], heard["data"]["status"]) == ("charge.released", "expired")
