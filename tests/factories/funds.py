"""Funds for tests: organisations whose 公益银行 issues only what came in."""

from app.models.orgs import Org
from app.runtime import Runtime
from app.schemas.funds import ReceiptIn
from app.services import funds
from app.services.policies import publishing
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator


async def make_limited(runtime: Runtime, rules: str = "") -> Org:
    """Make an organisation whose 公益银行 issues only what came in."""
    org = await make_org(runtime)
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, f"[fund]\nlimited = true\n{rules}", org=org)
    return org


async def receive(runtime: Runtime, org: Org, points: int) -> None:
    """Enter a donation."""
    administrator = await make_administrator(runtime, org.id)
    body = ReceiptIn.model_validate({"kind": "donation", "points": points, "giver": "爱心企业"})
    async with runtime.database.transaction() as tx:
        await funds.receive(tx, administrator.id, org.id, body)
