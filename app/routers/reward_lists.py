"""Published lists of rewards (积分兑换清单), in versions."""

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, allow
from app.api.deps import Caller, CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.reward_lists import (
    RewardListDetailOut,
    RewardListIn,
    RewardListOut,
    RewardListWithdrawalIn,
)
from app.services import reward_lists
from app.services.coverages import PricesFrozen
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.reward_lists import AnotherAnnounced, RewardListNotFound, RewardListWrongState
from app.services.rewards.prices import PriceStep

ABOUT = Bilingual(
    "积分兑换清单：按版本发布，旧版可查",
    "Published lists of rewards, in versions that stay readable",
)
router = Router(tags=["reward_lists"], about=ABOUT)


@router.post(
    "/orgs/{org_id}/reward-lists",
    status_code=201,
    operation_id="publishRewardList",
    **allow(
        ORGANIZER,
        OrgNotFound,
        OrgClosed,
        PricesFrozen,
        PriceStep,
        AnotherAnnounced,
        body=True,
        once=True,
    ),
)
@leads_to("getRewardList", {"reward_list_id": "id"})
@leads_to("withdrawRewardList", {"reward_list_id": "id"})
async def publish_reward_list(
    org_id: PathId, body: RewardListIn, tx: Tx, caller: CurrentPerson
) -> RewardListDetailOut:
    """Publish the next version of an organisation's list: all that it offers from a time on."""
    return await reward_lists.publish(tx, caller, org_id, body)


@router.get(
    "/orgs/{org_id}/reward-lists", operation_id="listRewardLists", **allow(ANYONE, OrgNotFound)
)
@leads_to("getRewardList", {"reward_list_id": "items/0/id"})
async def list_reward_lists(org_id: PathId, tx: Reader, page: PageQuery) -> Page[RewardListOut]:
    """Return the versions of an organisation's list, newest first."""
    return await reward_lists.browse(tx, org_id, page)


exports.beside(router, list_reward_lists, Bilingual("兑换清单", "Reward lists"))


@router.get(
    "/reward-lists/{reward_list_id}",
    operation_id="getRewardList",
    **allow(ANYONE, RewardListNotFound),
)
async def get_reward_list(
    reward_list_id: PathId, tx: Reader, caller: Caller
) -> RewardListDetailOut:
    """Return a version with what it offers, as it was published."""
    return await reward_lists.show(tx, caller, reward_list_id)


@router.post(
    "/reward-lists/{reward_list_id}/withdraw",
    operation_id="withdrawRewardList",
    **allow(ORGANIZER, RewardListNotFound, RewardListWrongState, body=True, once=True),
)
async def withdraw_reward_list(
    reward_list_id: PathId, body: RewardListWithdrawalIn, tx: Tx, caller: CurrentPerson
) -> RewardListDetailOut:
    """Withdraw a version that is announced and not in force yet."""
    return await reward_lists.withdraw(tx, caller, reward_list_id, body.reason)
