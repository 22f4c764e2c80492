"""A charge is taken from its merchant at most once, by corrections and refunds together."""

from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI

from app.runtime import Runtime
from tests.factories.http import assert_refused, in_process, keyed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.people import TestPerson, make_organizer
from tests.factories.rewards import Counter, make_counter
from tests.factories.settlements import dispute, make_settlement, settle_in_next_month

API = "/api/v1"


async def _refund(api: httpx.AsyncClient, counter: Counter, charge: str, points: int) -> None:
    path, body = f"{API}/merchant/charges/{charge}/refund", {"reason": "退货", "points": points}
    done = await api.post(path, headers=keyed(counter.staff), json=body)
    assert done.status_code == 200, done.text


class Disputed(NamedTuple):
    """A settled charge (``line``) with an open dispute. ``answer``: where it is decided."""

    counter: Counter
    organizer: TestPerson
    settlement: dict[str, Any]
    line: str
    answer: str


async def _disputed(api: httpx.AsyncClient, runtime: Runtime) -> Disputed:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    made, line = await make_settlement(api, runtime, counter)
    opened = await dispute(api, counter.staff, made["id"], line)
    path = f"{API}/settlements/{made['id']}/disputes/{opened.json()['id']}/answer"
    return Disputed(counter, organizer, made, line, path)


async def _answer(api: httpx.AsyncClient, who: TestPerson, path: str, cents: int) -> httpx.Response:
    body = {"upheld": True, "correction_cents": cents, "reason": "小票核对"}
    return await api.post(path, headers=keyed(who), json=body)


async def test_a_refund_after_a_correction_is_deducted_once(alone: FastAPI) -> None:
    """Of 200 cents 150 are corrected; then both halves are refunded: 150 come back."""
    runtime: Runtime = alone.state.runtime
    async with in_process(alone) as api:
        counter, organizer, made, line, path = await _disputed(api, runtime)
        assert (await _answer(api, organizer, path, -150)).status_code == 200
        for _ in range(2):
            await _refund(api, counter, line, 10)
        shown = await api.get(f"{API}/settlements/{made['id']}", headers=organizer.headers)
        next_one = await settle_in_next_month(runtime, organizer, counter, counter.merchant.org_id)

        corrected = [one["correction_cents"] for one in shown.json()["disputes"]]
        assert corrected == [-150, 50, 100]
        assert (next_one.value_cents, next_one.corrected_cents) == (-200, 0)
        assert made["due_cents"] + next_one.due_cents == 0
        assert next_one.closing == 0
        await assert_ledger_verifies(runtime)


async def test_a_correction_after_a_refund_is_of_what_is_left(alone: FastAPI) -> None:
    """Of 20 points 12 are refunded: 80 of 200 cents can be corrected, and nothing once more."""
    runtime: Runtime = alone.state.runtime
    async with in_process(alone) as api:
        counter, organizer, made, line, path = await _disputed(api, runtime)
        await _refund(api, counter, line, 12)
        refused = await _answer(api, organizer, path, -81)
        assert_refused(refused, 409, "settlements.correction_too_large")
        assert refused.json()["facts"] == {"limit": 80}
        assert (await _answer(api, organizer, path, -80)).status_code == 200
        next_one = await settle_in_next_month(runtime, organizer, counter, counter.merchant.org_id)

        assert (next_one.value_cents, next_one.corrected_cents) == (-120, -80)
        assert made["due_cents"] + next_one.due_cents == 0
        await assert_ledger_verifies(runtime)
