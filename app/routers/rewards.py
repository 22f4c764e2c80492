"""The list of rewards."""

from app.api.access import ANYONE, allow
from app.api.deps import PageQuery, Reader
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.paging import Page
from app.schemas.rewards import RewardOut
from app.services import rewards
from app.services.orgs import OrgNotFound

router = Router(tags=["rewards"])


@router.get("/rewards", operation_id="listRewards", **allow(ANYONE, OrgNotFound))
@leads_to("redeem", {"body.reward_id": "items/0/id"})
async def list_rewards(
    tx: Reader, page: PageQuery, org_id: PathId | None = None, merchant_id: PathId | None = None
) -> Page[RewardOut]:
    """List what points buy, with what is left of it."""
    return await rewards.browse(tx, org_id, merchant_id, page)
