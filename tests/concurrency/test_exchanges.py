"""Many residents exchange at once: no side gives more than both agreed on."""

from typing import Any

import pytest
from fastapi import FastAPI

from app.core.errors import Refusal
from app.models.ledger import Purpose
from app.queries import records
from app.runtime import Runtime
from app.schemas.exchanges import ExchangeIn
from app.services import exchanges
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_row_locks
from tests.concurrency.meeting import meet_after
from tests.factories.exchanges import Agreement, make_exchange_agreement
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.people import TestPerson, make_people

CROWD, ROOM_FOR = 6, 3  # 20 points there are room for three times 6


async def exchange(runtime: Runtime, agreement: Agreement, person: TestPerson) -> str:
    """Give 9 points for 6; return how it ended."""
    body = ExchangeIn(agreement_id=agreement.id, org_id=agreement.org.id, points=9)
    try:
        async with runtime.database.transaction() as tx:
            await exchanges.exchange(tx, person.id, body)
    except Refusal as refusal:
        return refusal.code
    return "done"


async def a_crowd_exchanges(app: FastAPI) -> dict[str, Any]:
    runtime: Runtime = app.state.runtime
    agreement, people = await make_exchange_agreement(runtime), await make_people(runtime, CROWD)
    for one in people:
        await give_points(runtime, one.id, 9, org=agreement.org.id)
    ends = await rushes.at_once(exchange(runtime, agreement, one) for one in people)
    unit = agreement.other.unit_id
    return {
        "done": ends.count("done"),
        "refused": ends.count("exchanges.limit_reached"),
        "cleared": await balance(runtime, agreement.org.id, Purpose.clearing),
        "given": -await balance(runtime, agreement.other.org.id, Purpose.clearing, unit),
    }


async def test_a_crowd_keeps_the_limit(app: FastAPI) -> None:
    facts = await a_crowd_exchanges(app)
    expected = {"done": ROOM_FOR, "refused": CROWD - ROOM_FOR, "cleared": 27, "given": 18}
    assert facts == expected
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_lock_on_the_agreement(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, records, "lock", parties=CROWD)
    facts = await a_crowd_exchanges(broken)
    assert facts["given"] > ROOM_FOR * 6
