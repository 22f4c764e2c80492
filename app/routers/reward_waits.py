"""Queues for rewards that are out of stock."""

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Nothing
from app.schemas.reward_waits import RewardWaitOut
from app.services import reward_waits
from app.services.reward_waits import AlreadyWaiting, InStock, RewardWaitNotFound
from app.services.rewards.reading import RewardNotFound, RewardNotOffered

ABOUT = Bilingual("缺货排队与到货提醒", "Queues for rewards that are out of stock")
router = Router(tags=["reward_waits"], about=ABOUT)


@router.post(
    "/rewards/{reward_id}/waits",
    status_code=201,
    operation_id="waitForReward",
    **allow(
        RESIDENT,
        RewardNotFound,
        RewardNotOffered,
        InStock,
        AlreadyWaiting,
        body=True,
        once=True,
    ),
)
@leads_to("stopWaiting", {"reward_wait_id": "id"})
async def wait_for_reward(
    reward_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> RewardWaitOut:
    """Queue for a reward that is out of stock; a notice tells when there are some again."""
    return await reward_waits.join(tx, person_id, reward_id)


@router.get("/me/reward-waits", operation_id="listMyRewardWaits", **allow(RESIDENT))
async def list_my_reward_waits(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[RewardWaitOut]:
    """Return where the caller queues, newest first."""
    return await reward_waits.mine(tx, person_id, page)


exports.beside(router, list_my_reward_waits, Bilingual("我的候补", "My waits"))


@router.delete(
    "/reward-waits/{reward_wait_id}",
    status_code=204,
    operation_id="stopWaiting",
    **allow(RESIDENT, RewardWaitNotFound),
)
async def stop_waiting(reward_wait_id: PathId, tx: Tx, person_id: CurrentPerson) -> None:
    """Leave a queue."""
    await reward_waits.leave(tx, person_id, reward_wait_id)
