"""Codes of a voucher and everybody who wants one: each code has one owner."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import true

from app.models.rewards import RewardKind
from app.queries import voucher_codes as queries
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_row_locks
from tests.concurrency.meeting import meet_after
from tests.factories.http import keyed
from tests.factories.ledger import assert_ledger_verifies, give_points
from tests.factories.people import TestPerson, make_organizer, make_people
from tests.factories.rewards import make_counter, make_reward

API = "/api/v1"
CODES, WANT = 3, 5


async def everybody_wants_a_code(app: FastAPI) -> dict[str, Any]:
    """Five people redeem a voucher at once that has three codes."""
    async with rushes.one_client_of(app) as (api, runtime):
        counter = await make_counter(runtime)
        reward = await make_reward(runtime, counter, kind=RewardKind.voucher)
        organizer = await make_organizer(runtime, counter.merchant.org_id)
        path = f"{API}/rewards/{reward.id}/voucher-codes"
        made = await api.post(path, headers=keyed(organizer), json={"generate": CODES})
        assert made.status_code == 201
        people = await make_people(runtime, WANT)
        for person in people:
            await give_points(runtime, person.id, 10)
        got = await rushes.at_once(_codes(api, person, str(reward.id)) for person in people)
        held = [code for codes in got for code in codes]
        return {"redeemed": sum(bool(codes) for codes in got), "different": len(set(held))}


async def _codes(api: httpx.AsyncClient, person: TestPerson, reward: str) -> list[str]:
    made = await api.post(
        f"{API}/redemptions", headers=keyed(person), json={"reward_id": reward, "quantity": 1}
    )
    if made.status_code != 201:
        assert made.json()["code"] == "rewards.out_of_stock"
        return []
    path = f"{API}/redemptions/{made.json()['id']}/voucher-codes"
    found: list[str] = (await api.get(path, headers=person.headers)).json()["codes"]
    return found or ["none"]


async def test_each_code_is_handed_out_once(app: FastAPI) -> None:
    found = await everybody_wants_a_code(app)
    assert found == {"redeemed": CODES, "different": CODES}
    runtime: Runtime = app.state.runtime
    await assert_ledger_verifies(runtime)


@pytest.mark.long
async def test_control_without_lock_and_condition(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are given the first code; the last one keeps it."""
    take_out_row_locks(monkeypatch)
    monkeypatch.setattr(queries, "is_free", true)
    meet_after(monkeypatch, queries, "lock_free", parties=WANT)
    found = await everybody_wants_a_code(broken)
    assert found["redeemed"] == WANT
    assert found["different"] < WANT
