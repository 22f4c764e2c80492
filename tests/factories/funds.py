"""Funds for tests: organisations with a limited 公益银行."""

import httpx

from app.models.orgs import Org
from app.runtime import Runtime
from app.schemas.funds import ReceiptIn
from app.services import funds
from app.services.ledger import moments
from app.services.policies import publishing
from tests.factories.http import keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator


async def make_limited(runtime: Runtime, rules: str = "") -> Org:
    """Create an organisation whose 公益银行 issues only what it received."""
    org = await make_org(runtime)
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, f"[fund]\nlimited = true\n{rules}", org=org)
    return org


async def write_running_month(runtime: Runtime) -> None:
    """Write the figures of the running month alone.

    Other tests post into the months before, which the job would close: all share one ledger.
    """
    async with runtime.database.transaction() as tx:
        at = await moments.moment(tx)
        *_, running = await funds.months_to_write(tx, at)
        await funds.write_month(tx, running, at)


async def receive(runtime: Runtime, org: Org, points: int) -> str:
    """Record a donation; return its id."""
    administrator = await make_administrator(runtime, org.id)
    body = ReceiptIn.model_validate({"kind": "donation", "points": points, "giver": "爱心企业"})
    async with runtime.database.transaction() as tx:
        return str((await funds.receive(tx, administrator.id, org.id, body)).id)


async def propose_reversal(
    api: httpx.AsyncClient, administrator: TestPerson, org: Org, receipt: str
) -> httpx.Response:
    path = f"/api/v1/orgs/{org.id}/fund/receipts/{receipt}/reversal"
    return await api.post(path, headers=keyed(administrator), json={"reason": "多记一位"})


async def decide_reversal(
    api: httpx.AsyncClient,
    administrator: TestPerson,
    org: Org,
    receipt: str,
    *,
    confirmed: bool = True,
) -> httpx.Response:
    path = f"/api/v1/orgs/{org.id}/fund/receipts/{receipt}/reversal/decision"
    body = {"confirmed": confirmed, "reason": "已核对"}
    return await api.post(path, headers=keyed(administrator), json=body)
