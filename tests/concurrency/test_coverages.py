"""Several transactions see at once that a fund covers too little: prices freeze once, told once."""

from typing import Any

import pytest
from fastapi import FastAPI

from app.core.clock import now
from app.models.orgs import Org
from app.queries import coverages as queries
from app.runtime import Runtime
from app.services import coverages
from tests.concurrency import rushes
from tests.concurrency.meeting import meet_after
from tests.engines import as_owner
from tests.factories.funds import write_running_month
from tests.factories.ledger import give_points
from tests.factories.people import make_administrator, make_person
from tests.routers.test_coverages import make_valued

WORKERS = 3

_FACTS = """
SELECT (SELECT count(*) FROM price_freezes WHERE org_id = :org) AS freezes,
       (SELECT count(*) FROM outbox WHERE topic = 'notices.coverage_frozen'
        AND payload ->> 'person_id' = CAST(CAST(:told AS uuid) AS text)) AS notices
"""


async def a_fund_falls_short(app: FastAPI) -> dict[str, Any]:
    runtime: Runtime = app.state.runtime
    org = await make_valued(runtime)
    administrator = await make_administrator(runtime, org.id)
    await give_points(runtime, (await make_person(runtime)).id, 10, org=org.id)
    await write_running_month(runtime)
    await rushes.at_once(_assess(runtime, org) for _ in range(WORKERS))
    async with runtime.database.read() as tx:
        [row] = await tx.fetch(_FACTS, {"org": org.id, "told": administrator.id})
    return {"freezes": row.freezes, "notices": row.notices}


async def _assess(runtime: Runtime, org: Org) -> None:
    async with runtime.database.transaction() as tx:
        await coverages.assess_one(tx, org.id, now())


async def test_prices_freeze_once(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    meet_after(monkeypatch, queries, "open_freeze", parties=WORKERS)
    assert await a_fund_falls_short(app) == {"freezes": 1, "notices": 1}


@pytest.mark.long
async def test_control_without_the_unique_index(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await as_owner(broken.state.runtime.settings, "DROP INDEX uq_price_freezes_open")
    meet_after(monkeypatch, queries, "open_freeze", parties=WORKERS)
    facts = await a_fund_falls_short(broken)
    assert facts == {"freezes": WORKERS, "notices": WORKERS}
