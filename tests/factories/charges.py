"""Charges at counters for tests: limits of the policy, charges that wait, and their ends."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.models.orgs import Org
from app.queries import orgs as org_queries
from app.runtime import Runtime
from app.services.policies import publishing
from tests.engines import as_owner
from tests.factories.http import keyed
from tests.factories.people import TestPerson
from tests.factories.rewards import Counter, make_card_codes, make_counter

API = "/api/v1"
THRESHOLD = 5  # points; more have to be confirmed at a counter of ``make_careful_counter``
_MOVE = (
    "UPDATE charges SET expires_at = expires_at - INTERVAL '2 minutes' WHERE id = '{id}'",
    """
    UPDATE ledger_holds SET held_until = held_until - INTERVAL '2 minutes'
    WHERE transfer_id = '{id}'
    """,
    """
    UPDATE ledger_accounts a SET holds_until = (
        SELECT min(held_until) FROM ledger_holds WHERE account_id = a.id AND is_open)
    WHERE id IN (SELECT account_id FROM ledger_holds WHERE transfer_id = '{id}')
    """,
)


async def limit_charges(runtime: Runtime, org: Org, **limits: int) -> None:
    """Publish limits of charges for an organisation and those below it."""
    lines = [f"{name} = {points}" for name, points in limits.items()]
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, "\n".join(["[charges]", *lines]), org=org)


async def make_careful_counter(runtime: Runtime, **limits: int) -> Counter:
    """Return a counter of a new organisation with limits, by default a threshold."""
    counter = await make_counter(runtime)
    async with runtime.database.read() as tx:
        org = await org_queries.find(tx, counter.merchant.org_id)
    assert org is not None
    await limit_charges(runtime, org, **(limits or {"confirm_above": THRESHOLD}))
    return counter


async def charge_at(
    api: httpx.AsyncClient,
    runtime: Runtime,
    counter: Counter,
    person: TestPerson,
    points: int,
    **headers: str,
) -> httpx.Response:
    """Charge a person's card at a counter."""
    [code] = await make_card_codes(runtime, person, 1)
    body = {"card_code": code, "points": points, "note": "拿铁一杯"}
    sent = keyed(counter.staff) | headers
    return await api.post(f"{API}/merchant/charges", headers=sent, json=body)


async def make_waiting(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, points: int = THRESHOLD + 1
) -> tuple[Counter, dict[str, Any]]:
    """Charge so many points that the person has to confirm; return the counter and the charge."""
    counter = await make_careful_counter(runtime)
    reply = await charge_at(api, runtime, counter, person, points)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    assert made["status"] == "waiting"
    return counter, made


async def let_pass(runtime: Runtime, charge_id: str) -> None:
    """Move the end of a waiting charge into the past, as the schema's owner."""
    await as_owner(runtime.settings, *(one.format(id=UUID(charge_id)) for one in _MOVE))


async def make_old(runtime: Runtime, charge_id: str, days: int) -> None:
    """Let a charge be so many days old, as the schema's owner."""
    at = now() - timedelta(days=days)
    await as_owner(
        runtime.settings,
        f"UPDATE charges SET created_at = '{at}' WHERE id = '{UUID(charge_id)}'",  # noqa: S608
    )
